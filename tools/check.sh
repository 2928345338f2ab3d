#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All checks over the sources, each after its self-test: a check that can't fail proves nothing. check-symbols runs too when
# the library is built.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
run() {
    "$@" || failed=1
}
for checker in tools/check-*.py tools/check-*.sh; do
    run "$checker" --self-test
    [ "$checker" = tools/check-symbols.py ] || run "$checker"
done
run tools/test_summary.py --self-test
run tools/faults.py --check
run tools/vulnerable.py --check
[ ! -f build/lib/libguard.a ] || run tools/check-symbols.py build/lib/libguard.a
mapfile -t scripts < <(find tools .ci hosts bench tests demo -type f \( -name '*.sh' -o -path .ci/run \) 2>/dev/null | sort)
if shellcheck "${scripts[@]}"; then
    echo "shellcheck: ok"
else
    failed=1
fi
exit "$failed"
