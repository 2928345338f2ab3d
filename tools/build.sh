#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Configures (once) and builds one folder, and puts the programs into its bin/ and the gate into its modules/.
# usage: [BUILD_TARGETS="a b"] tools/build.sh FOLDER [meson options of the first configuration]
set -eu
cd "$(dirname "$0")/.."

folder=$1
shift
tools/setup.sh build
mkdir -p "$folder" 2>/dev/null || true
[ -w "$folder" ] || {
    echo "build.sh: $folder can't be written; another build folder: GUARD_BUILD=/somewhere make run" >&2
    exit 1
}
folder=$(cd "$folder" && pwd -P)
made_for_another() {
    [ -f "$folder/meson-info/meson-info.json" ] && ! python3 -c 'import json, sys
sys.exit(json.load(open(sys.argv[1]))["directories"]["source"] != sys.argv[2])' "$folder/meson-info/meson-info.json" "$(pwd -P)"
}
# In a clone that was moved or copied the folder would go on with the old one's sources. What else lies there (run/) stays.
if made_for_another; then
    rm -rf "$folder"/build.ninja "$folder"/meson-*
fi
# By itself meson takes ccache only for a compiler that nobody named.
if [ -n "${CC-}" ] && command -v ccache >/dev/null; then
    case $CC in
        *ccache*) ;;
        *) export CC="ccache $CC" ;;
    esac
fi
if [ ! -f "$folder/build.ninja" ]; then
    meson setup "$folder" "$@" >"$folder/setup.log" 2>&1 || {
        cat "$folder/setup.log" >&2
        exit 1
    }
fi
read -ra targets <<<"${BUILD_TARGETS-}" # default: everything
if [ -t 1 ]; then
    ninja -C "$folder" "${targets[@]}" # shows its progress
else
    ninja -C "$folder" "${targets[@]}" >"$folder/build.log" 2>&1 || {
        grep -v '^\[' "$folder/build.log" >&2
        exit 1
    }
fi
[ "${#targets[@]}" -gt 0 ] || tools/stage.py "$folder"
