# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the legs that need other packages than those installed: apt with a list of sources, an index and a cache of its own,
# so that nothing of the machine changes. The mirrors are those of the machine.

# private_apt_init FOLDER KIND [SUITE]: KIND is deb or deb-src; SUITE replaces the machine's, e.g. trixie for bookworm.
private_apt_init() {
    local folder=$1 kind=$2 suite=${3-} own
    command -v apt-get >/dev/null || return 1
    mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/parts"
    own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # The lines for the system itself: their suites begin with its name.
    apt-get indextargets --format "$kind \$(SITE) \$(CODENAME) \$(COMPONENT)" 'Identifier: Packages' 2>/dev/null |
        grep -E " $own(-[a-z]+)? " | sort -u | sed -E "s/ $own(-[a-z]+)? / ${suite:-$own}\1 /; / sid-/d" >"$folder/sources.list"
    [ -s "$folder/sources.list" ] || return 1
    private_apt_options=(-o "Dir::Etc::SourceList=$folder/sources.list" -o "Dir::Etc::SourceParts=$folder/parts"
        -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" -o "Dir::Cache::archives=$folder/archives"
        -o APT::Sandbox::User= -o Acquire::Retries=2 -o Acquire::http::Timeout=20)
    # Packages of another release are only looked at, whatever is installed here.
    [ -z "$suite" ] || private_apt_options+=(-o Dir::State::status=/dev/null)
    private_apt update >"$folder/update.log" 2>&1 || true
    [ -n "$(find "$folder/lists" -maxdepth 1 -type f -name '*_*' -print -quit)" ]
}

private_apt() {
    timeout 120 apt-get -q -y "${private_apt_options[@]}" "$@"
}

skip() { # LEG REASON
    echo "$1: skipped: $2"
    exit 77
}
