#!/usr/bin/env bash
# Boots a Debian that is in a folder, with systemd as its first process and without a network, and waits
# for its end; the unit of the trial in it runs a script and switches it off.
#   tests/boot/boot.sh TREE LOG SECONDS
set -euo pipefail
tree=$1 log=$2 seconds=$3

# systemd-nspawn wants a machine that was booted by systemd, which a container is not: in a namespace of
# its own /run/systemd can be there all the same.
if ! timeout "$seconds" unshare --mount --propagation private sh -c 'mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd &&
  exec systemd-nspawn --boot --quiet --register=no --keep-unit --private-network --console=pipe -D "$1"' \
  sh "$tree" </dev/null >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  cat "$tree/trial/result" >&2 || true
  echo "error: no container can be booted here, or it does not end; all of it is in $log" >&2
  exit 1
fi
