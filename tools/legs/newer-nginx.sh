#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The gate compiled with the headers of a newer nginx, loaded into that nginx, and tried: the configuration tests and requests over
# HTTP/1.1 and HTTP/2. The packages are those of later Debian releases, unpacked into build-legs/ and not installed. A newer nginx
# that can't be had is told and skipped; without any the leg ends with 77.
# usage: tools/legs/newer-nginx.sh [SUITE..., default: trixie sid]
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
. tools/legs/packages.sh
[ $# -gt 0 ] || set -- trixie sid

fetch() { # SUITE FOLDER
    private_apt_init "$2/apt" deb "$1" || return 1
    rm -rf "$2/tree" && mkdir -p "$2/tree" "$2/debs" || return 1
    (
        cd "$2/debs" || exit 1
        rm -f ./*.deb
        private_apt download nginx nginx-dev libc6 libpcre2-8-0 libssl3t64 libcrypt1 zlib1g libzstd1 >"$2/download.log" 2>&1 || exit 1
        for package in ./*.deb; do
            dpkg -x "$package" "$2/tree" || exit 1
        done
    )
}

# The nginx as a program: by itself, when this system's libraries do; else with its own, through its own loader.
make_runnable() { # FOLDER
    local tree=$1/tree program=$1/nginx loader
    loader=$(find "$tree" -name 'ld-linux*.so*' -print -quit)
    if "$tree/usr/sbin/nginx" -v >/dev/null 2>&1; then
        ln -sf "$tree/usr/sbin/nginx" "$program"
    elif [ -n "$loader" ]; then
        printf '#!/bin/sh\nexec %q --library-path %q:/usr/lib/%s %q "$@"\n' "$loader" "$(find "$tree"/usr/lib "$tree"/lib -name 'libc.so.6' \
            -printf '%h\n' -quit 2>/dev/null)" "$(gcc -print-multiarch)" "$tree/usr/sbin/nginx" >"$program"
        chmod 755 "$program"
    fi
    "$program" -v >/dev/null 2>&1
}

try() { # SUITE; 0: passed, 77: can't be had
    local work=$root/build-legs/$1 version build=$root/build-legs/build-$1
    mkdir -p "$work"
    if ! [ -x "$work/nginx" ]; then
        fetch "$1" "$work" || {
            echo "newer-nginx: $1: its packages can't be had"
            return 77
        }
        make_runnable "$work" || {
            rm -f "$work/nginx"
            echo "newer-nginx: $1: its nginx can't run here"
            return 77
        }
    fi
    version=$("$work/nginx" -v 2>&1 | sed 's,.*nginx/,,')
    tools/build.sh "$build" -Dtests=false --werror -Dnginx_src="$work/tree/usr/share/nginx/src" || return 1
    GUARD_NGINX=$work/nginx GUARD_BUILD=$build GUARD_BIN=$build/bin GUARD_MODULE=$build/modules/ngx_http_guard_module.so \
        timeout --kill-after=10 "${LEG_SECONDS:-300}" /usr/bin/python3 -m pytest -q -p no:cacheprovider \
        tests/integration/gate/test_config.py \
        tests/integration/gate/test_requests.py tests/integration/gate/test_phases.py </dev/null || {
        echo "newer-nginx: $1: nginx $version: FAILED"
        return 1
    }
    echo "newer-nginx: $1: nginx $version: ok"
}

tried=0
failed=0
for suite in "$@"; do
    status=0
    try "$suite" || status=$?
    [ "$status" = 77 ] || tried=1
    [ "$status" = 0 ] || [ "$status" = 77 ] || failed=1
done
[ "$tried" = 1 ] || skip newer-nginx "no newer nginx can be had"
exit "$failed"
