#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What takes too long for every change: integration tests at full length, property tests with ROUNDS fresh seeds, and each
# fuzz target for FUZZ_SECONDS. Ends with one line: N passed, N failed.
set -u
cd "$(dirname "$0")/.." || exit 1

results=build-results
rm -rf "$results"
. tools/stages.sh

seeded_round() {
    local seed=$(($(date +%s%N) + $1))
    GUARD_TEST_SEED=$seed meson test -C build-asan --no-rebuild --print-errorlogs --suite prop --suite oom </dev/null ||
        { echo "soak: failed with GUARD_TEST_SEED=$seed" >&2 && false; }
}

export GUARD_SOAK=1 GUARD_KILLS=100 GUARD_EXCHANGES=100000
stage "setup" tools/setup.sh build test bench || exit 1
stage "build (release)" tools/build.sh build -Dtests=false
stage "build (sanitizers)" tools/build.sh build-asan -Db_sanitize=address,undefined
RESULTS=$results tools/test.sh
for round in $(seq "${ROUNDS:-200}"); do
    stage "seeds, round $round" seeded_round "$round"
done
stage "fuzz" tools/fuzz.sh "${FUZZ_SECONDS:-1800}"
exec tools/test_summary.py "$results"
