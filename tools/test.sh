#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All tests: unit, property, golden, out-of-memory and fuzz corpora under clang's AddressSanitizer and UBSan (in
# build-fuzz/, which the fuzzer needs as well; gcc's: make test-gcc), then the integration tests against the release build
# (build/) with a real nginx, a sample of planted defects that these must notice, and the gate in an nginx with sanitizers and
# in newer ones, where these can be had (LEGS=no: without). Ends with one line: N passed, N failed.
# Failures don't stop it. With RESULTS=FOLDER, set by .ci/run, everything is built already, the results go into that folder
# and the caller adds them up.
set -u
cd "$(dirname "$0")/.." || exit 1

results=${RESULTS:-build-results}
[ -n "${RESULTS-}" ] || rm -rf "$results"
. tools/stages.sh

meson_tests() {
    local status
    # Nothing here takes long; what doesn't end has hung, and a machine that stands still for a while has not.
    meson test -C build-fuzz --no-rebuild --print-errorlogs --timeout-multiplier 10 --num-processes "$(nproc)" </dev/null
    status=$?
    cp build-fuzz/meson-logs/testlog.json "$results/asan.testlog.json" || return 1
    return "$status"
}

# Two ways, both optional: a script that ends with `N passed, N failed`, and pytest files.
integration_tests() {
    local status=0
    export GUARD_BUILD=$PWD/build GUARD_BIN=$PWD/build/bin GUARD_MODULE=$PWD/build/modules/ngx_http_guard_module.so
    if [ -x tests/integration/run.sh ]; then
        tests/integration/run.sh </dev/null 2>&1 | tee "$results/integration.summary.log"
        [ "${PIPESTATUS[0]}" = 0 ] || status=1
    elif [ -n "$(find tests/integration -name 'test_*.py' -print -quit 2>/dev/null)" ]; then
        # Most of their time is waiting, so there are more at once than processors; not many more, since what happens at one moment has to. The tests of a file stay together.
        /usr/bin/python3 -m pytest -q -p no:cacheprovider --numprocesses "$(($(nproc) + 1))" --dist loadfile --junitxml="$results/integration.junit.xml" tests/integration </dev/null || status=1
    fi
    return "$status"
}

# The console's types, lint and components; then its files, which the integration tests drive in a browser.
console() {
    tools/ui.sh check && tools/ui.sh build build
}

# A few of the defects that tests promise to notice, others after each commit: `make mutants` plants them all.
mutants_sample() {
    GUARD_BUILD=$PWD/build tools/mutants.py --sample 4 </dev/null 2>&1 | tee "$results/mutants.summary.log"
    return "${PIPESTATUS[0]}"
}

if [ -z "${RESULTS-}" ]; then
    stage "setup" tools/setup.sh build test || exit 1
    stage "build (release)" tools/build.sh build -Dtests=false
    CC=clang-14 stage "build (sanitizers)" tools/build.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined
fi
counted_stage "tests (sanitizers)" meson_tests
leg_stage "console" console
counted_stage "tests (integration)" integration_tests
counted_stage "mutants (sample)" mutants_sample
if [ "${LEGS-}" != no ]; then
    leg_stage "nginx with sanitizers" tools/legs/nginx-asan.sh
    leg_stage "newer nginx" tools/legs/newer-nginx.sh
fi
[ -z "${RESULTS-}" ] || exit 0
exec tools/test_summary.py "$results"
