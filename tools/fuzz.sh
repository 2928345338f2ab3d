#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes each target with libFuzzer for some seconds, beginning with its corpus. New inputs go to build-fuzz/found/, a
# failing one stays in build-fuzz/crashes/. As many at once as there are processors; their seconds add up to at most FUZZ_TOTAL.
# usage: tools/fuzz.sh [SECONDS per target, default 60] [TARGET...]
set -u
cd "$(dirname "$0")/.." || exit 1

each=${1:-60}
[ $# = 0 ] || shift
total=${FUZZ_TOTAL:-86400}
tools/setup.sh build test || exit 1

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for source in fuzz/fuzz_*.c; do
        [ -f "$source" ] && targets+=("$(basename "$source" .c | sed 's/^fuzz_//')")
    done
fi
[ ${#targets[@]} -gt 0 ] || { echo "fuzz: no targets" && exit 0; }
[ $((each * ${#targets[@]})) -le "$total" ] || each=$((total / ${#targets[@]}))
[ "$each" -gt 0 ] || each=1

BUILD_TARGETS=$(printf 'fuzz/fuzz_%s ' "${targets[@]}") CC=clang-14 tools/build.sh build-fuzz -Dfuzz=true \
    -Db_sanitize=address,undefined -Dnginx_src= || exit 1

fuzz_one() {
    local name=$1 log=build-fuzz/fuzz-$1.log dictionary=()
    mkdir -p "build-fuzz/found/$name"
    [ -f "fuzz/$name.dict" ] && dictionary=("-dict=fuzz/$name.dict")
    if "build-fuzz/fuzz/fuzz_$name" -max_total_time="$each" -timeout=120 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/crashes/$name-" "${dictionary[@]}" \
        "build-fuzz/found/$name" "fuzz/corpus/$name" >"$log" 2>&1 </dev/null; then
        echo "fuzz: $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $each s"
        return 0
    fi
    echo "fuzz: $name FAILED; see $log and build-fuzz/crashes/" >&2
    tail -n 40 "$log" >&2
    return 1
}

failed=0
running=0
mkdir -p build-fuzz/crashes
for name in "${targets[@]}"; do # one for each processor
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    fuzz_one "$name" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
exit "$failed"
