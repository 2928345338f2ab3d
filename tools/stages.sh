# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by test.sh and .ci/run: runs named stages one after the other, says how long each took and notes how it ended in
# $results/stages.tsv, out of which test_summary.py makes the last line.

: "${results:?}"
mkdir -p "$results"
results=$(cd "$results" && pwd)

stage_result() { # KIND STATUS
    case $1:$2 in
        *:0) echo ok ;;
        leg:77) echo skipped ;;
        *) echo FAILED ;;
    esac
}

run_stage() { # KIND NAME COMMAND...
    local kind=$1 name=$2 begin=$SECONDS status=0
    shift 2
    printf '\n== %s\n' "$name"
    "$@" || status=$?
    printf -- '-- %s: %s, %d s\n' "$name" "$(stage_result "$kind" "$status")" $((SECONDS - begin))
    printf '%s\t%s\t%d\t%d\n' "$kind" "$name" "$status" $((SECONDS - begin)) >>"$results/stages.tsv"
    return "$status"
}

# The stage is one test: it passes or fails.
stage() {
    run_stage one "$@"
}

# The stage leaves its own counts in $results; if it fails and they tell of no failure, the stage itself is one.
counted_stage() {
    run_stage counted "$@"
}

# As stage, but what it needs from elsewhere may not be there: it says so and ends with 77, which is no failure.
leg_stage() {
    run_stage leg "$@" || [ $? = 77 ]
}
