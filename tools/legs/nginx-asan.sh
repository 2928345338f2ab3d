#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The gate's integration tests in an nginx that is built from Debian's source with AddressSanitizer and UBSan, with the gate built
# alike. NGX_DEBUG_PALLOC makes each allocation from a pool one of the heap: what goes beyond one of them, or is used after its
# pool, is seen, which isn't so in the nginx that is installed. The nginx is kept in build-legs/ for the next time.
# Ends with 77 and says why when the source can't be had.
# usage: [LEG_SECONDS=480] tools/legs/nginx-asan.sh [pytest arguments; default: the gate's tests]
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
. tools/legs/packages.sh

version=$(dpkg-query -W -f '${Version}' nginx-dev 2>/dev/null) || skip nginx-asan "nginx-dev isn't installed"
upstream=${version%%-*}
upstream=${upstream#*:}
work=$root/build-legs/nginx-$upstream
nginx=$work/nginx-asan
mkdir -p "$work"

# The sources of this very package; when the archive has another revision by now, those of it: upstream is the same. At last the
# upstream archive alone.
fetch() {
    local candidate
    command -v dpkg-source >/dev/null || return 1
    private_apt_init "$work/apt" deb-src || return 1
    cd "$work/apt" || return 1
    for candidate in "$version" $(apt-cache "${private_apt_options[@]}" showsrc nginx 2>/dev/null | sed -n 's/^Version: //p' |
        grep -F "$upstream-" | sort -Vr); do
        private_apt source --download-only "nginx=$candidate" >"$work/source.log" 2>&1 || continue
        rm -rf "$work/src"
        dpkg-source --no-check -x "nginx_${candidate#*:}.dsc" "$work/src" >>"$work/source.log" 2>&1 && return 0
    done
    [ -f "nginx_$upstream.orig.tar.gz" ] || return 1
    rm -rf "$work/src" && mkdir "$work/src" && tar -xzf "nginx_$upstream.orig.tar.gz" -C "$work/src" --strip-components=1
}

# Not of nginx's own C, for it breaks them on purpose: memcpy of nothing from NULL, NULL + 0, functions called through pointers to
# others' types, reads at any address. Ours is compiled with all.
sanitize="-fsanitize=address,undefined -fno-sanitize=nonnull-attribute,pointer-overflow,alignment,function -fno-sanitize-recover=all"
[ "${CC:-cc}" = clang ] || sanitize=${sanitize/,function/}
flags=(--with-compat --with-debug --with-threads --with-http_ssl_module --with-http_v2_module --with-http_realip_module
    --with-http_auth_request_module --with-http_stub_status_module --with-http_gunzip_module --with-http_addition_module
    --with-http_sub_module --with-http_slice_module --with-http_dav_module --with-http_gzip_static_module)

build_nginx() {
    cd "$work/src" || return 1
    # configure.sh of the gate reads the flags here, as it does from nginx-dev.
    printf 'NGX_CONF_FLAGS=(%s)\n' "${flags[*]}" >conf_flags
    ./configure "${flags[@]}" --with-cc="${CC:-cc}" --with-cc-opt="-g -O1 -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1 $sanitize" \
        --with-ld-opt="$sanitize" --builddir="$work/objs" >"$work/configure.log" 2>&1 || return 1
    make -j "$(nproc)" >"$work/make.log" 2>&1 || return 1
    cp "$work/objs/nginx" "$nginx"
}

if [ ! -x "$nginx" ]; then
    (fetch) || skip nginx-asan "the source of nginx $version can't be had"
    (build_nginx) || {
        tail -n 20 "$work/configure.log" "$work/make.log" >&2
        echo "nginx-asan: nginx can't be built" >&2
        exit 1
    }
fi

build=$root/build-legs/asan
tools/build.sh "$build" -Db_sanitize=address,undefined -Dtests=false -Dnginx_src="$work/src" || exit 1
"${CC:-cc}" -std=c17 -g -fsanitize=address,undefined -I include -o "$build/gate_tool" tests/integration/gate/gate_tool.c \
    "$build/lib/libguard.a" -lsodium -lm || exit 1

# A report of any process is a failure, also of one whose end nobody looks at.
reports=$work/reports
rm -rf "$reports" && mkdir -m 777 "$reports"
# A test puts a malloc of its own before that of the sanitizer, hence no link order.
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=0:log_path=$reports/asan:disable_coredump=1:allocator_may_return_null=1:verify_asan_link_order=0"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:log_path=$reports/ubsan"
export GUARD_NGINX=$nginx GUARD_BUILD=$build GUARD_BIN=$build/bin GUARD_GATE_TOOL=$build/gate_tool
export GUARD_MODULE=$build/modules/ngx_http_guard_module.so GUARD_SANITIZED=1
[ $# -gt 0 ] || set -- tests/integration/gate
status=0
timeout --kill-after=10 "${LEG_SECONDS:-480}" /usr/bin/python3 -m pytest -q -p no:cacheprovider -m 'not uninstrumented' \
    "$@" </dev/null || status=$?
[ "$status" != 124 ] || echo "nginx-asan: the tests didn't end in ${LEG_SECONDS:-480} s" >&2
if [ -n "$(find "$reports" -type f -print -quit)" ]; then
    echo "nginx-asan: reports of the sanitizers:" >&2
    find "$reports" -type f -exec head -n 40 {} + >&2
    status=1
fi
echo "nginx-asan: nginx $upstream with sanitizers, every pool allocation its own: $([ "$status" = 0 ] && echo ok || echo FAILED)"
exit "$status"
