#!/usr/bin/env bash
# Makes sure that the Debian packages the live tests need are there.   install.sh
#
# As root, missing packages are installed; services are not started on the host. Otherwise the script fails and
# names them. Nothing is ever removed to make room: a host with another mail server gets a refusal, not Postfix.
set -euo pipefail

packages=(postfix dovecot-core dovecot-imapd rsyslog python3 openssl iproute2 util-linux)
policy=/usr/sbin/policy-rc.d
saved=$policy.before-live-tests

# Maintainer scripts ask policy-rc.d whether they may start a service. For the time of the installation it says no; the
# host's own answer is put back on exit, and by the next call if this one is killed.
restore() {
  if [ -e "$saved" ]; then
    mv -f "$saved" "$policy"
  elif grep -qs 'for the live tests' "$policy"; then
    rm -f "$policy"
  fi
}
[ "$(id -u)" != 0 ] || restore

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=absent
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "live tests: missing Debian packages: ${missing[*]}; install them, or run as root" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "live tests: this is no Debian: cannot install ${missing[*]}" >&2
  exit 1
fi

[ ! -e "$policy" ] || cp -p "$policy" "$saved"
trap restore EXIT
trap 'exit 130' INT TERM HUP
printf '#!/bin/sh\n# Starts nothing, for the live tests.\nexit 101\n' > "$policy.new"
chmod 755 "$policy.new"
mv -f "$policy.new" "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
apt-get update -q >&2
if ! apt-get install -q -y -o DPkg::Lock::Timeout=120 --no-install-recommends --no-remove "${missing[@]}" >&2; then
  echo "live tests: apt-get could not install ${missing[*]}" >&2
  exit 1
fi
