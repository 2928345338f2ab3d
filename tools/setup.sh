#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing for the named groups of packages.txt; says what to install when it may not.
# Debian's nginx, PostgreSQL and the like would start a server when they are installed and at every boot. Guard needs the programs alone: a
# policy forbids the first, and the service of one that wasn't there before is left disabled. One that was there isn't touched.
set -eu

groups=${*:-build}
here=$(cd "$(dirname "$0")" && pwd)
pattern=$(printf '%s' "$groups" | tr ' ' '|')
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d} # a test says another

mapfile -t wanted < <(sed -nE "s/^($pattern) +([a-z0-9][a-z0-9.+-]*[a-z0-9+])$/\2/p" "$here/packages.txt" | sort -u)
mapfile -t conflicting < <(sed -nE "s/^($pattern) +([a-z0-9][a-z0-9.+-]*)-$/\2/p" "$here/packages.txt" | sort -u)
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
    # Where node isn't Debian's it brings npm along, and Debian's npm can't be installed beside it.
    [ "$package" != npm ] || ! command -v npm >/dev/null || continue
    grep -qx "installed $package" <<<"$installed" || missing+=("$package")
done
[ "${#missing[@]}" = 0 ] && exit 0

# A package that one of the missing conflicts with goes, unless something else needs it.
removed=()
for package in "${conflicting[@]}"; do
    if dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
        removed+=("$package")
    fi
done
if [ "${#removed[@]}" -gt 0 ]; then
    needing=$(apt-get -s remove "${removed[@]}" 2>/dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p' | grep -vxF "$(printf '%s\n' "${removed[@]}")" | tr '\n' ' ' || true)
    if [ -n "$needing" ]; then
        echo "setup: ${removed[*]} can't be installed beside ${missing[*]}, and is needed by: $needing" >&2
        exit 1
    fi
    missing+=("${removed[@]/%/-}")
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "setup: please install as root:  apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo -n)
fi

# A policy of the administrator's that forbids starts as well stays as it is; another one is put aside meanwhile.
mark='# for the time that tools/setup.sh of Guard installs packages'
own_policy=0
restore_policy() {
    [ "$own_policy" = 1 ] || return 0
    if [ -e "$policy.before-guard" ]; then
        "${as_root[@]}" mv -f "$policy.before-guard" "$policy"
    else
        "${as_root[@]}" rm -f "$policy"
    fi
}
starts_forbidden() {
    local status=0
    [ -x "$policy" ] || return 1
    "${as_root[@]}" "$policy" nginx start >/dev/null 2>&1 || status=$?
    [ "$status" = 101 ]
}
trap restore_policy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if grep -qsF "$mark" "$policy"; then
    own_policy=1 # left by one of us that was killed
elif ! starts_forbidden; then
    own_policy=1
    [ ! -e "$policy" ] || "${as_root[@]}" mv "$policy" "$policy.before-guard"
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | "${as_root[@]}" tee "$policy" >/dev/null
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
leave_off() { # PACKAGE SERVICE
    printf '%s\n' "${missing[@]}" | grep -qx "$1" || return 0
    if "${as_root[@]}" update-rc.d "$2" disable >"$log" 2>&1; then
        echo "setup: the service $2 stays off (update-rc.d $2 enable)"
    else
        cat "$log" >&2
    fi
}
leave_off nginx nginx
leave_off postgresql-15 postgresql
leave_off prometheus prometheus
leave_off prometheus-alertmanager prometheus-alertmanager
leave_off rsyslog rsyslog
rm -f "$log"
