#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make run`: the demo in front of a vulnerable service of ours, or Guard in front of yours. Everything listens on loopback,
# lives in a directory of its own and ends with this script; root is not needed.
# shellcheck disable=SC2317 # functions are called by the trap and by await
set -u

usage() {
    cat <<'END'
Usage: tools/run.sh            the demo: Guard learns a vulnerable service, then blocks an attack
Environment:
  UPSTREAM=http://host:port    protect this service instead of the demo's
  ONCE=1                       end after the demo: status 0 when benign traffic passed and the attack was blocked
  SEED=n                       draw names, values and the attack from n (random: any)
  LISTEN=127.0.0.1:port        where Guard listens (default: a free port)
  CONSOLE=127.0.0.1:port       where the web console is (default: a free port; no: nowhere)
  STATE=directory              what Guard keeps (default: temporary; with UPSTREAM build/run, or
                               /var/lib/guard-run when root's folders are closed to nginx)
  GUARD_BUILD=directory        the build folder (default: build), when the clone can't be written
  BIN=directory                the programs (default: build/bin)
  GUARD_OPTIONS=...            more options for `guard run`
  LEARN_SECONDS=n              how long the profile may take (default 300)
END
}

case "${1-}" in
"") ;;
-h | --help) usage && exit 0 ;;
*) usage >&2 && exit 2 ;;
esac

root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$root" && realpath -m "${GUARD_BUILD:-build}")
BIN=$(cd "${BIN:-$build/bin}" 2>/dev/null && pwd) || { echo "run.sh: there are no programs; say: make build" >&2; exit 1; }

# As root, nginx's workers have an account that may not get into our folder.
workers_enter() {
    [ "$(id -u)" != 0 ] || setpriv --reuid www-data --regid www-data --clear-groups test -x "$1"
}

make_work() {
    work=$(mktemp -d "$1/guard-run.XXXXXX") && chmod 711 "$work"
}

make_work "${TMPDIR:-/tmp}" || exit 1
if ! workers_enter "$work"; then
    rmdir "$work"
    make_work /tmp || exit 1
fi
pids=()
failed=0
bold='' plain='' green='' red=''
if [ -t 1 ]; then
    bold=$'\e[1m' plain=$'\e[0m' green=$'\e[32m' red=$'\e[31m'
fi

say() { printf '%s\n' "$*"; }
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
pass() { printf '%sPASS%s %s\n' "$green" "$plain" "$*"; }
fail() {
    failed=1
    printf '%sFAIL%s %s\n' "$red" "$plain" "$*"
}

# stop PID: asks it to end, waits, and insists after ten seconds.
stop() {
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

clean_up() {
    local i
    trap '' HUP INT QUIT TERM
    [ -z "${login-}" ] || guard token remove "$login" >/dev/null 2>&1
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do # the last started goes first
        stop "${pids[i]}"
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP # the terminal is closed
trap 'exit 130' INT
trap 'exit 131' QUIT
trap 'exit 143' TERM

# start NAME COMMAND...: in the background, with its output in a file; a group of its own keeps Ctrl-C to us.
start() {
    local name=$1
    shift
    setsid "$@" >"$work/$name.log" 2>&1 </dev/null &
    pids+=($!)
}

# await SECONDS COMMAND...: until the command succeeds.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

give_up() {
    say "run.sh: $1" >&2
    [ -f "$work/$2.log" ] && tail -n 20 "$work/$2.log" >&2
    if [ "$2" = guard ] && grep -E '\[(emerg|alert|crit)\]' "$STATE/nginx/error.log" 2>/dev/null | tail -n 3 >&2; then
        say "If $build was configured otherwise (sanitizers, no gate), say: make clean" >&2
    fi
    exit 1
}

listening() {
    grep -qs 'listening on' "$work/$1.log"
}

# The line may come at any time, or never when the program ends.
await_start() {
    local pid=${pids[-1]}
    until listening "$1"; do
        kill -0 "$pid" 2>/dev/null || give_up "$1 did not start:" "$1"
        [ "$SECONDS" -lt "$2" ] || give_up "$1 is not ready in time:" "$1"
        sleep 0.1
    done
}

guard() {
    local command=$1
    shift
    "$BIN/guard" "$command" --state "$STATE" "$@"
}

# Where it was built, and its socket's name isn't too long.
choose_console() {
    if [ "${CONSOLE-}" = no ] || [ ! -f "$build/console/index.html" ] || [ "${#STATE}" -gt 90 ]; then
        CONSOLE=''
        return 1
    fi
    CONSOLE=${CONSOLE:-127.0.0.1:$("$BIN/guard-demo-traffic" --free-port)}
}

# An address that logs one browser in, once: its code is good for ten minutes, and its token is known to nobody.
say_console() {
    local code
    [ -n "$CONSOLE" ] || return 0
    if [ ! -f "$work/token.log" ]; then # another one would end the sessions of the first
        login=make-run-$$-$RANDOM # a name of its own: other entries are the operator's
        guard token add "$login" --role admin --expires 12h >/dev/null 2>"$work/token.log" || give_up "no login for the console:" token
    fi
    code=$(cd "$STATE" && curl --silent --max-time 10 --unix-socket api.sock -H 'Content-Type: application/json' \
        --data "{\"name\":\"$login\"}" http://guardd/api/v1/session/codes | sed -n 's/.*"code":"\([0-9a-f]*\)".*/\1/p')
    if [ -n "$code" ]; then
        say "  the console         http://$CONSOLE/console/#login=$code   (good once, for ten minutes)"
    else
        say "  the console         http://$CONSOLE/console/   (log in by a token: $BIN/guard token add NAME --role admin --state $STATE)"
    fi
}

start_guard() { # SERVICE UPSTREAM
    local options=()
    read -ra options <<<"${GUARD_OPTIONS-}"
    choose_console && options+=(--console "$CONSOLE" --console-files "$build/console")
    start guard "$BIN/guard" run --upstream "$2" --listen "$LISTEN" --state "$STATE" --service "$1" \
        --access-log "$work/access.log" "${options[@]}"
    guard_pid=${pids[-1]}
    await_start guard $((SECONDS + 60))
}

fetch_status() {
    guard status --format json 2>/dev/null | tr -d '\n' >"$work/status"
}

# field NAME: of the (only) service in the last status.
field() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/p" "$work/status"
}

LISTEN=${LISTEN:-127.0.0.1:$("$BIN/guard-demo-traffic" --free-port)}
url=http://$LISTEN

protect_upstream() {
    local home=$build/run
    mkdir -p "$home"
    workers_enter "$home" || home=/var/lib/guard-run # not in a folder where others may have been first
    STATE=${STATE:-$home}
    mkdir -p "$STATE" || exit 1
    start_guard upstream "$UPSTREAM"
    title "Guard stands in front of $UPSTREAM"
    say "  clients go to       $url"
    say_console
    say "  what it has learned $BIN/guard status --state $STATE"
    say "  what it has seen    $BIN/guard alerts --state $STATE"
    say "  start blocking      $BIN/guard mode block --service upstream --state $STATE"
    say "It learns from the traffic that passes. Ctrl-C ends it."
    wait "$guard_pid"
    give_up "guard ended:" guard
}

if [ -n "${UPSTREAM-}" ]; then
    protect_upstream
fi

# --- the demo ---
SEED=${SEED:-0}
[ "$SEED" = random ] && SEED=$RANDOM
STATE=${STATE:-$work/state}
mkdir -p "$STATE" || exit 1
while IFS='=' read -r name value; do
    declare "WORD_$name=$value"
done < <("$BIN/guard-demo-traffic" --print-names --names-from-seed "$SEED")
[ -n "${WORD_PAYLOAD-}" ] || give_up "SEED is a number" none
lookup="$url$WORD_USERS_PATH?$WORD_USERS_PARAM"

traffic() {
    "$BIN/guard-demo-traffic" --url "$url" --names-from-seed "$SEED" "$@"
}

# ask TARGET: the answer goes to $work/answer, its status to standard output.
ask() {
    curl --silent --show-error --max-time 10 --output "$work/answer" --write-out '%{http_code}' "$1"
}

users_in_answer() {
    sed -n 's/.*"count":\([0-9]*\).*/\1/p' "$work/answer"
}

exchanges() { # of the service, which stand before those of its endpoints
    grep -o '"exchanges":[0-9]*' "$work/status" | head -n 1 | cut -d : -f 2
}

progress_bar() { # FRACTION EXCHANGES
    [ -t 1 ] || return 0
    local filled
    filled=$(awk -v part="$1" 'BEGIN { n = int(part * 40); print n < 0 ? 0 : n > 40 ? 40 : n }')
    printf '\r  learning [%-40s] %s exchanges ' "$(printf '%*s' "$filled" '' | tr ' ' '#')" "$2"
}

start_demo() {
    title "A vulnerable service, and Guard in front of it (SEED=$SEED)"
    start store "$BIN/guard-demo-store" --socket "$work/store.sock" --seed "$SEED"
    await_start store $((SECONDS + 30))
    start service "$BIN/guard-demo-service" --store "$work/store.sock" \
        --users-path "$WORD_USERS_PATH" --users-param "$WORD_USERS_PARAM" \
        --orders-path "$WORD_ORDERS_PATH" --orders-field "$WORD_ORDERS_FIELD"
    await_start service $((SECONDS + 30))
    service_url=$(sed -n 's/.*listening on //p' "$work/service.log")
    start_guard demo "$service_url"
    say "  service $service_url, data store $work/store.sock"
    say "  Guard   $url"
    [ -n "${ONCE-}" ] || say_console
    guard mode observe --service demo >"$work/mode.log" 2>&1 || give_up "the mode cannot be set:" mode
}

learn() {
    local end=$((SECONDS + ${LEARN_SECONDS:-300})) ready=0 attacked=0 traffic_pid status
    title "Benign traffic: look-ups and orders of 40 clients, until Guard knows what is normal; an attack is among it"
    start traffic "$BIN/guard-demo-traffic" --url "$url" --names-from-seed "$SEED" --exchanges 0 --clients 40 --seed "$SEED"
    traffic_pid=${pids[-1]}
    while [ "$SECONDS" -lt "$end" ] && kill -0 "$traffic_pid" 2>/dev/null; do
        fetch_status
        progress_bar "$(field progress)" "$(field exchanges)"
        if [ "$attacked" = 0 ] && [ "$(exchanges)0" -ge 5000 ]; then
            ask "$lookup=$WORD_PAYLOAD_ENCODED" >/dev/null # learned as its client's traffic, and excuses nothing
            attacked=1
        fi
        if [ "$(field ready)" = true ] && [ "$(exchanges)0" -ge 30000 ]; then
            ready=1
            break
        fi
        sleep 0.3
    done
    kill "$traffic_pid" 2>/dev/null
    wait "$traffic_pid"
    status=$?
    unset 'pids[-1]'
    [ -t 1 ] && printf '\n'
    say "  $(tail -n 1 "$work/traffic.log")"
    if [ "$ready" = 0 ]; then
        fail "the profile is not ready after ${LEARN_SECONDS:-300} s: $(cat "$work/status")"
        exit 1
    fi
    if [ "$status" = 0 ]; then
        pass "Guard has learned the service, and every benign exchange passed meanwhile"
    else
        fail "benign traffic did not pass while Guard learned"
        tail -n 6 "$work/traffic.log"
    fi
}

show_leak() {
    local status
    title "An attack with Guard observing: GET $WORD_USERS_PATH?$WORD_USERS_PARAM=$WORD_PAYLOAD"
    await 30 policy_in_force || fail "the gate took no policy"
    status=$(ask "$lookup=$WORD_BENIGN")
    say "  for comparison, $WORD_USERS_PARAM=$WORD_BENIGN: status $status, $(users_in_answer) user"
    status=$(ask "$lookup=$WORD_PAYLOAD_ENCODED")
    say "  the attack: status $status, $(users_in_answer) users"
    head -c 220 "$work/answer" | sed 's/^/    /'
    say " ..."
    if [ "$status" = 200 ] && [ "$(users_in_answer)" -gt 100 ]; then
        pass "the service is vulnerable: it told the attacker about $(users_in_answer) users"
    else
        fail "the attack should have passed"
    fi
}

attack_refused() {
    [ "$(ask "$lookup=$WORD_PAYLOAD_ENCODED")" = 403 ]
}

reason_known() {
    guard alerts --format text 2>/dev/null | grep -w BLOCK | grep -vw WOULD | tail -n 1 >"$work/reason"
    [ -s "$work/reason" ]
}

policy_in_force() {
    ask "$lookup=$WORD_BENIGN" >/dev/null
    tail -n 1 "$work/access.log" | grep -q 'generation=[1-9]'
}

show_block() {
    title "The same attack with Guard blocking"
    guard mode block --service demo >"$work/mode.log" 2>&1 || give_up "the mode cannot be set:" mode
    if await 30 attack_refused; then
        say "  the attacker gets 403: $(head -c 200 "$work/answer" | tr '\r\n' '  ')"
        pass "the attack was blocked"
    else
        fail "the attack was not blocked; the last requests were:"
        tail -n 3 "$work/access.log"
    fi
    if await 30 reason_known; then
        say "  the operator reads:"
        sed 's/^/    /' "$work/reason"
        if grep -qF "$WORD_USERS_PARAM" "$work/reason"; then
            pass "the reason names the parameter"
        else
            fail "the reason does not name the parameter $WORD_USERS_PARAM"
        fi
    else
        fail "there is no reason among the alerts"
    fi
}

check_benign() {
    title "Benign traffic with Guard blocking: 2,000 exchanges with names that nobody has used before"
    if traffic --fresh --exchanges 1000 --clients 24 --seed 77 >"$work/fresh.log" 2>&1 &&
        traffic --fresh --exchanges 1000 --clients 24 --first-client 500 --seed 78 >>"$work/fresh.log" 2>&1; then
        sed 's/^/  /' "$work/fresh.log"
        pass "benign traffic passed, of known and of new clients"
    else
        sed 's/^/  /' "$work/fresh.log"
        fail "benign traffic was refused"
        guard alerts --format text 2>/dev/null | tail -n 5
    fi
}

say_what_to_try() {
    title "Guard keeps running. Try:"
    say_console
    cat <<END
  curl '$lookup=$WORD_BENIGN'
  curl -i '$lookup=$WORD_PAYLOAD_ENCODED'
  curl -i -d '{"item":"mug","quantity":1,"$WORD_ORDERS_FIELD":"NONE or 1=1"}' -H 'Content-Type: application/json' $url$WORD_ORDERS_PATH
  $BIN/guard alerts --state $STATE
  $BIN/guard status --state $STATE
  $BIN/guard mode observe --service demo --state $STATE     (then attack again)
Ctrl-C ends it.
END
}

start_demo
learn
show_leak
show_block
check_benign
if [ -n "${ONCE-}" ]; then
    exit "$failed"
fi
say_what_to_try
wait "$guard_pid"
give_up "guard ended:" guard
