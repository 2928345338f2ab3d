#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Called by `meson install`: the console's files, when they were built.
set -eu
[ -f "$MESON_BUILD_ROOT/console/index.html" ] || exit 0
folder=$MESON_INSTALL_DESTDIR_PREFIX/share/guard/console
rm -rf "$folder"
mkdir -p "$folder"
cp -R "$MESON_BUILD_ROOT/console/." "$folder/"
chmod -R u=rwX,go=rX "$folder"
