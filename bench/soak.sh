#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make soak`: what takes too long for every change. Policies published under load, guardd killed a hundred times in a
# hundred thousand exchanges, the demo with a hundred seeds, an hour of fuzzing (SOAK_FUZZ_SECONDS). A failing part doesn't
# hide the later ones; the status is 0 only when all were good.
# Environment: SOAK_PARTS="publish kill demo fuzz", GUARD_KILLS, GUARD_EXCHANGES, SOAK_SEEDS, SOAK_FUZZ_SECONDS.
set -u
cd "$(dirname "$0")/.." || exit 1
exec </dev/null

build=${GUARD_BUILD:-$PWD/build}
export GUARD_BUILD=$build GUARD_BIN=$build/bin GUARD_MODULE=$build/modules/ngx_http_guard_module.so
failed=()

part() { # NAME COMMAND...
    local name=$1 begin=$SECONDS
    shift
    case " ${SOAK_PARTS:-publish kill demo fuzz} " in
    *" $name "*) ;;
    *) return ;;
    esac
    printf '\n== %s\n' "$name"
    if "$@"; then
        printf '== %s: good, %d s\n' "$name" $((SECONDS - begin))
    else
        printf '== %s: FAILED, %d s\n' "$name" $((SECONDS - begin))
        failed+=("$name")
    fi
}

publish() {
    python3 -B bench/bench.py --build "$build" --only publishing --out "$build/bench-publishing.json"
}

kills() {
    GUARD_KILLS=${GUARD_KILLS:-100} GUARD_EXCHANGES=${GUARD_EXCHANGES:-100000} \
        python3 -m pytest -q -p no:cacheprovider -k kill tests/integration/guardd
}

demos() {
    local seed output bad=0
    for seed in $(seq 1 "${SOAK_SEEDS:-100}"); do
        output=$(BIN=$build/bin ONCE=1 SEED=$seed tools/run.sh 2>&1) || {
            printf '%s\nSEED=%s failed\n' "$output" "$seed"
            bad=$((bad + 1))
        }
    done
    echo "$bad of ${SOAK_SEEDS:-100} demos failed"
    [ "$bad" = 0 ]
}

fuzz() {
    FUZZ_TOTAL=${SOAK_FUZZ_SECONDS:-3600} tools/fuzz.sh "${SOAK_FUZZ_SECONDS:-3600}" # shared by all targets
}

part publish publish
part kill kills
part demo demos
part fuzz fuzz
printf '\n'
[ "${#failed[@]}" = 0 ] || { echo "soak: failed: ${failed[*]}" && exit 1; }
echo "soak: good"
