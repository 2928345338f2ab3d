#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Configures (once) and builds one folder, and puts the programs into its bin/ and the gate into its modules/.
# usage: [BUILD_TARGETS="a b"] tools/build.sh FOLDER [meson options of the first configuration]
set -eu
cd "$(dirname "$0")/.."

folder=$1
shift
tools/setup.sh build
if [ ! -f "$folder/build.ninja" ]; then
    meson setup "$folder" "$@" >"$folder.setup.log" 2>&1 || {
        cat "$folder.setup.log" >&2
        rm -f "$folder.setup.log"
        exit 1
    }
    mv "$folder.setup.log" "$folder/setup.log"
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
