#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Formatting of C sources by clang-format 14. --fix rewrites them; --self-test shows that a badly formatted file is refused.
set -u
cd "$(dirname "$0")/.." || exit 1

formatter=clang-format-14
command -v "$formatter" >/dev/null || { echo "check-format: $formatter is missing (say: make setup)" >&2; exit 1; }

if [ "${1-}" = --self-test ]; then
    good=$(printf 'int f(void)\n{\n    return 1;\n}\n' | "$formatter" --dry-run -Werror --assume-filename=lib/a.c 2>&1) || {
        echo "check-format: self-test: refuses good text: $good" >&2
        exit 1
    }
    if printf 'int f(void) {\n  return 1;\n}\n' | "$formatter" --dry-run -Werror --assume-filename=lib/a.c 2>/dev/null; then
        echo "check-format: self-test: accepts bad text" >&2
        exit 1
    fi
    echo "check-format: self-test: 2 of 2"
    exit 0
fi

mapfile -d '' -t sources < <(
    find include lib common hosts guardd guard podwatch responder demo tests fuzz bench \
        -type f \( -name '*.c' -o -name '*.h' \) -print0 2>/dev/null | sort -z
)
[ "${#sources[@]}" -gt 0 ] || exit 0
if [ "${1-}" = --fix ]; then
    exec "$formatter" -i "${sources[@]}"
fi
# Many by one process, and as many processes as there are processors. What one says begins with the file's name.
if report=$(printf '%s\0' "${sources[@]}" | xargs -0 -n 40 -P "$(nproc)" "$formatter" --dry-run -Werror 2>&1); then
    echo "check-format: ok"
    exit 0
fi
mapfile -t badly < <(sed -n 's/^\([^ :]*\):[0-9].*/\1/p' <<<"$report" | sort -u)
[ "${#badly[@]}" -gt 0 ] || printf '%s\n' "$report" >&2
[ "${#badly[@]}" = 0 ] || printf '%s: not formatted (make format)\n' "${badly[@]}" >&2
echo "check-format: ${#badly[@]} files"
exit 1
