#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The web console: `build FOLDER` puts its files into FOLDER/console, `check` type-checks and lints it and runs its tests of components.
# Installs node and npm when they are missing. Status 77, with a line that says why, when that can't be or npm gets no packages: all
# but the console works without.
set -u
cd "$(dirname "$0")/../ui" || exit 1

without() {
    echo "ui.sh: no console: $1" >&2
    exit 77
}

# Once for each list of packages.
fetch_packages() {
    ../tools/setup.sh ui || without "node and npm can't be installed"
    command -v npm >/dev/null || without "npm isn't there (apt-get install nodejs npm)"
    [ node_modules/.fetched -nt package-lock.json ] && return 0
    local log
    log=$(mktemp)
    if ! npm ci --no-audit --no-fund >"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        without "npm gets no packages"
    fi
    rm -f "$log"
    touch node_modules/.fetched
}

# Nothing newer than what was built last.
is_built() {
    [ -f "$1/index.html" ] && [ -z "$(find src public index.html ./*.ts ./*.json ../docs/api/openapi.yaml -newer "$1/index.html" -type f ! -name api.d.ts -print -quit)" ]
}

case "${1-}" in
build)
    folder=$(cd .. && mkdir -p "${2:-build}" && cd "${2:-build}" && pwd -P) || exit 1
    is_built "$folder/console" && exit 0
    fetch_packages
    log=$(mktemp)
    if ! CONSOLE_OUT="$folder/console" npm run --silent build >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
    ;;
check)
    fetch_packages
    npm run --silent types >/dev/null </dev/null && npm run --silent check </dev/null && npm run --silent lint </dev/null &&
        npm run --silent test </dev/null
    ;;
*)
    echo "Usage: tools/ui.sh build FOLDER | check" >&2
    exit 2
    ;;
esac
