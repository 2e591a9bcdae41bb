#!/usr/bin/env bash
# Makes a Debian 12 with systemd in a folder, and a unit in it that runs a script at its boots and switches it off.
#   tests/boot/debian.sh FOLDER SCRIPT [PACKAGE...]      what all of them have in common is made once, and kept in target/
set -euo pipefail
tree=$1 script=$2
shift 2
root=$(realpath "$(dirname "$0")/../..")
kept=${CARGO_TARGET_DIR:-$root/target}/bookworm

if [ ! -d "$kept" ]; then
  for attempt in 1 2 3; do
    rm -rf "$kept.new"
    ! debootstrap --variant=minbase --include=logrotate,systemd,systemd-sysv bookworm "$kept.new" >&2 || break
    [ $attempt -lt 3 ] || exit 1
  done
  mv "$kept.new" "$kept"
fi
cp -a --reflink=auto "$kept" "$tree"
if [ $# -gt 0 ]; then
  cp -L /etc/resolv.conf "$tree/etc/"
  # With /proc, which Postfix's installation looks into for the protocols there are.
  DEBIAN_FRONTEND=noninteractive unshare --pid --fork --mount-proc="$tree/proc" chroot "$tree" sh -c \
    'apt-get -q -o Acquire::Retries=5 update && apt-get -q -y -o Acquire::Retries=5 --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install "$@"' sh "$@" >&2
fi

mkdir "$tree/trial"
cp "$script" "$tree/trial/guest.sh"
cat > "$tree/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
After=dovecot.service postfix@-.service rsyslog.service
[Service]
Type=oneshot
ExecStart=/bin/bash /trial/guest.sh
StandardOutput=append:/trial/result
StandardError=inherit
ExecStopPost=systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
UNIT
ln -s ../trial.service "$tree/etc/systemd/system/multi-user.target.wants/"
