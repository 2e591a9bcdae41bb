#!/usr/bin/env bash
# Boots a fresh Debian 12 with systemd as its first process, in a container without a network, and
# installs, upgrades, removes and purges the package there: the only way to see that its scripts are right.
#   tests/boot/package.sh BINARY FOLDER      needs root, debootstrap and systemd-nspawn; nothing of this machine changes
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$1
folder=$(realpath "$2")
tree=$folder/debian

DEB_COMPRESSION=gzip "$here/../../packaging/deb/build" "$binary" "$folder" >/dev/null
"$here/debian.sh" "$tree" "$here/guest.sh" 2>"$folder/debian.log" || { tail -n 20 "$folder/debian.log" >&2; exit 1; }
cp "$folder"/maillogsentinel_*.deb "$tree/trial/package.deb"
"$here/boot.sh" "$tree" "$folder/boot.log" 1200
if ! grep -q '^all is as it should be$' "$tree/trial/result"; then
  cat "$tree/trial/result" >&2
  exit 1
fi
grep -c '^ok ' "$tree/trial/result" | sed 's/$/ checks of the package on a booted system passed/'
