#!/usr/bin/env bash
# Boots a fresh Debian 12 with Postfix and Dovecot, in a container without a network, sets the program up there and
# lets it work, first with a journal only, then with rsyslog: real failed logins, timers that fire, a mailbox that gets
# the report, reboots, an upgrade.
#   tests/boot/server.sh BINARY FOLDER      needs root, debootstrap and systemd-nspawn; nothing of this machine changes
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
binary=$1
folder=$(realpath "$2")
tree=$folder/debian

DEB_COMPRESSION=gzip "$root/packaging/deb/build" "$binary" "$folder" >/dev/null
"$here/debian.sh" "$tree" "$here/server-guest.sh" dovecot-imapd iproute2 postfix rsyslog 2>"$folder/debian.log" ||
  { tail -n 20 "$folder/debian.log" >&2; exit 1; }
cp "$root/docs/alerts.md" "$tree/trial/"
cp "$folder"/maillogsentinel_*.deb "$tree/trial/package.deb"

echo mx1 > "$tree/etc/hostname"
echo mx1.example.org > "$tree/etc/mailname"
printf '%s\n' '127.0.0.1 localhost' '::1 localhost' '127.0.1.1 mx1.example.org mx1' > "$tree/etc/hosts"
chroot "$tree" useradd --create-home admin
chroot "$tree" useradd --create-home --password "$(openssl passwd -6 the-systems)" carol
chroot "$tree" postconf -e myhostname=mx1.example.org 'mydestination=mx1.example.org, localhost' \
  inet_interfaces=all smtpd_sasl_auth_enable=yes smtpd_sasl_type=dovecot smtpd_sasl_path=private/auth
id=$(chroot "$tree" id -u carol)
echo "alice:{PLAIN}only-root-knows:$id:$id::/home/carol::" > "$tree/etc/dovecot/passwd"
cat > "$tree/etc/dovecot/dovecot.conf" <<'DOVECOT'
protocols = imap
mail_location = maildir:~/mail
auth_mechanisms = plain login
auth_failure_delay = 0
disable_plaintext_auth = no
ssl = no
passdb {
  driver = passwd-file
  args = /etc/dovecot/passwd
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/passwd
}
userdb {
  driver = passwd
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    user = postfix
    mode = 0600
  }
}
service anvil {
  # No penalty: it would delay the answer to an address that failed before.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
DOVECOT
# At first there is a journal only.
chroot "$tree" systemctl --quiet disable rsyslog

for boot in 1 2 3; do
  echo $boot > "$tree/trial/boot"
  "$here/boot.sh" "$tree" "$folder/boot.$boot.log" 1200
done
if grep -q '^NOT SO: ' "$tree/trial/result" || [ "$(grep -c '^boot . is done$' "$tree/trial/result")" != 3 ]; then
  cat "$tree/trial/result" >&2
  exit 1
fi
grep -c '^ok ' "$tree/trial/result" | sed 's/$/ checks on a booted mail server passed/'
