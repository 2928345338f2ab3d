#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make bench`: measures Guard beside plain nginx and ModSecurity, prints a table and writes build/bench.json.
# Options are those of bench.py (--help); --smoke checks the rig itself in less than a minute.
set -eu
exec python3 -Bu "$(dirname "$0")/bench.py" "$@"
