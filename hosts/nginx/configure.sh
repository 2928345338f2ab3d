#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes what an nginx module needs beside nginx's headers: ngx_auto_config.h, ngx_auto_headers.h and the module's table.
# nginx's own configure script does it, with the flags of the nginx that will load the module, once per build folder. By sh: it
# starts thousands of processes, which dash does in two thirds of bash's time.
set -eu

[ $# -ge 5 ] || { echo "usage: configure.sh NGINX_SRC MODULE_DIR BUILD_DIR OUT_DIR COMPILER [WORDS]" >&2; exit 2; }
nginx_src=$1
module_dir=$(cd "$2" && pwd)
mkdir -p "$3" "$4"
log=$(cd "$3" && pwd)/configure.log
out_dir=$(cd "$4" && pwd)
compiler=${*:5} # "ccache cc" are two words

# nginx's script can't do with blanks in a path, so that it gets to see short ones.
work=$(mktemp -d /tmp/guard-configure.XXXXXX)
trap 'rm -rf "$work"' EXIT
ln -s "$module_dir" "$work/module"
build_dir=$work/objs
mkdir "$build_dir"

# shellcheck source=/dev/null
. "$nginx_src/conf_flags" # NGX_CONF_FLAGS, an array
cd "$nginx_src"
# NGX_CONFIGURE would put this machine's paths into the header.
if ! sh ./configure "${NGX_CONF_FLAGS[@]}" --with-cc="$compiler" --with-cc-opt="-O2 -g -fPIC" --builddir="$build_dir" \
    --add-dynamic-module="$work/module" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
sed -i '/^#define NGX_CONFIGURE /c #define NGX_CONFIGURE ""' "$build_dir/ngx_auto_config.h"
cp "$build_dir/ngx_auto_config.h" "$build_dir/ngx_auto_headers.h" "$out_dir/"
cp "$build_dir/ngx_http_guard_module_modules.c" "$out_dir/"
