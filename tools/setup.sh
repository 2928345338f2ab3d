#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing for the named groups of packages.txt; says what to install when it may not.
# Debian's nginx would start a server when it is installed: a policy forbids it for that time, unless there is one already.
set -eu

groups=${*:-build}
here=$(cd "$(dirname "$0")" && pwd)
pattern=$(printf '%s' "$groups" | tr ' ' '|')
policy=/usr/sbin/policy-rc.d

mapfile -t wanted < <(sed -nE "s/^($pattern) +([a-z0-9][a-z0-9.+-]*)$/\2/p" "$here/packages.txt" | sort -u)
if [ "${#wanted[@]}" = 0 ]; then
    echo "setup: no packages in the groups: $groups" >&2
    exit 2
fi
command -v dpkg-query >/dev/null || {
    echo "setup: not a Debian system; needed are what Debian calls: ${wanted[*]}" >&2
    exit 0 # the build says what it misses
}

missing=()
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
for package in "${wanted[@]}"; do
    grep -qx "installed $package" <<<"$installed" || missing+=("$package")
done
[ "${#missing[@]}" = 0 ] && exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "setup: please install as root:  apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo -n)
fi

own_policy=0
remove_policy() {
    [ "$own_policy" = 0 ] || "${as_root[@]}" rm -f "$policy"
}
trap remove_policy EXIT
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    own_policy=1
    "${as_root[@]}" chmod 755 "$policy"
fi

log=$(mktemp)
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 \
        -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1
}
echo "setup: installing ${missing[*]}"
apt update || cat "$log" >&2 # an incomplete update may still be enough
if ! apt install --no-install-recommends --no-upgrade "${missing[@]}"; then
    cat "$log" >&2
    echo "setup: the installation failed" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
