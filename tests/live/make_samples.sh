#!/usr/bin/env bash
# Makes samples/ again, from a new run of real servers.   make_samples.sh [SEED]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT TERM HUP
"$here/attack.sh" "$out" "${1:-1}" samples.py
/usr/bin/python3 -B "$here/restamp.py" "$out" "$here/../../samples"
