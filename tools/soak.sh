#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make soak`: what takes too long for every change. All tests with guardd killed a hundred times in a hundred thousand
# exchanges, property tests with ROUNDS fresh seeds and more trees of merges, policies published under load, the demo with
# SEEDS seeds, fuzzing for FUZZ_SECONDS. A failing part doesn't hide the later ones. Ends with one line: N passed, N failed.
# SOAK_PARTS="kill publish" runs some of them; kill is the one test of guardd, which tests has too, storm the one of a tree with a
# fast client: STORM_EXCHANGES (a million) under STORM_KILLS kills and STORM_STOPS stops of agents and root.
set -u
cd "$(dirname "$0")/.." || exit 1

results=build-results
rm -rf "$results"
. tools/stages.sh

wanted() {
    case " ${SOAK_PARTS:-tests storm seeds publish demo fuzz} " in *" $1 "*) ;; *) return 1 ;; esac
}

kills() {
    /usr/bin/python3 -m pytest -q -s -p no:cacheprovider -k kill tests/integration/guardd </dev/null
}

storm() {
    GUARD_STORM_EXCHANGES=${STORM_EXCHANGES:-1000000} GUARD_STORM_KILLS=${STORM_KILLS:-100} GUARD_STORM_STOPS=${STORM_STOPS:-100} \
        /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/integration/tree/test_tree_storm.py </dev/null
}

seeded_round() {
    local seed=$(($(date +%s%N) + $1))
    GUARD_TEST_SEED=$seed meson test -C build-asan --no-rebuild --print-errorlogs --suite prop --suite oom </dev/null ||
        { echo "soak: failed with GUARD_TEST_SEED=$seed" >&2 && false; }
}

publish() {
    bench/run.sh --build "$PWD/build" --only publishing --out "$PWD/build/bench-publishing.json" </dev/null
}

demos() {
    local seed bad=0
    for seed in $(seq "${SEEDS:-100}"); do
        BIN=$PWD/build/bin ONCE=1 SEED=$seed tools/run.sh >"$results/demo.log" 2>&1 </dev/null && continue
        cat "$results/demo.log"
        echo "soak: the demo failed with SEED=$seed" >&2
        bad=$((bad + 1))
    done
    [ "$bad" = 0 ]
}

export GUARD_SOAK=1 GUARD_KILLS=${GUARD_KILLS:-100} GUARD_EXCHANGES=${GUARD_EXCHANGES:-100000}
export GUARD_TEST_TREES=${GUARD_TEST_TREES:-24}
export GUARD_BUILD=$PWD/build GUARD_BIN=$PWD/build/bin GUARD_MODULE=$PWD/build/modules/ngx_http_guard_module.so
stage "setup" tools/setup.sh build test bench || exit 1
stage "build (release)" tools/build.sh build -Dtests=false
if wanted tests || wanted seeds; then
    stage "build (gcc, sanitizers)" tools/build.sh build-asan -Db_sanitize=address,undefined
fi
if wanted tests; then
    CC=clang-14 stage "build (clang, sanitizers)" tools/build.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined
    RESULTS=$results tools/test.sh
    stage "tests (gcc, sanitizers)" make test-gcc
fi
if wanted kill; then stage "kill" kills; fi
if wanted storm; then stage "storm" storm; fi
if wanted seeds; then
    for round in $(seq "${ROUNDS:-200}"); do
        stage "seeds, round $round" seeded_round "$round"
    done
fi
if wanted publish; then stage "publish" publish; fi
if wanted demo; then stage "demo" demos; fi
if wanted fuzz; then stage "fuzz" tools/fuzz.sh "${FUZZ_SECONDS:-1800}"; fi
exec tools/test_summary.py "$results"
