#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each header compiles alone: whoever includes it needs to know nothing else. --self-test shows that one which doesn't is
# refused.
set -u
self=$(realpath "$0")
cd "$(dirname "$0")/.." || exit 1

compile() {
    "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wundef -Werror -Wno-unused-function -fsyntax-only \
        -Iinclude -Ilib -I. -Itests -x c - <<<"#include \"$1\""
}

if [ "${1-}" = --one ]; then
    said=$(compile "$PWD/$2" 2>&1) && exit 0
    printf '%s\n%s: does not compile alone\n' "$said" "$2" >&2
    exit 1
fi

if [ "${1-}" = --self-test ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    echo '#include <stdint.h>
extern uint8_t x;' >"$folder/good.h"
    echo 'extern uint8_t x;' >"$folder/bad.h"
    compile "$folder/good.h" || { echo "check-headers: self-test: refuses a good header" >&2; exit 1; }
    if compile "$folder/bad.h" 2>/dev/null; then
        echo "check-headers: self-test: accepts a bad header" >&2
        exit 1
    fi
    echo "check-headers: self-test: 2 of 2"
    exit 0
fi

# As many at once as there are processors; each says in one piece what is wrong.
failed=$(find include lib common guardd guard responder tests/support -name '*.h' -print0 2>/dev/null | sort -z |
    xargs -0 -n 1 -P "$(nproc)" "$self" --one 2>&1 | tee /dev/stderr | grep -c ': does not compile alone$')
[ "$failed" = 0 ] && echo "check-headers: ok" || echo "check-headers: $failed headers"
exit $((failed > 0))
