#!/usr/bin/env bash
# Starts the servers, runs a driver against them, collects the logs.   servers.sh DRIVER SEED, called by attack.sh
#
# Runs inside private namespaces, in the folder for the results. /run is a fresh tmpfs here and holds everything, so
# that the host keeps nothing.
set -euo pipefail

driver=$1 seed=$2
here=$(cd "$(dirname "$0")" && pwd)

hostname mx1
ip link set lo up
# Every address that is kept for documentation is ours, so that clients can really come from there.
for net in 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32; do ip route add local $net dev lo; done
umask 022

# Filled at /sys, where no file of ours can lie, before it covers /run, where some could.
mount -t tmpfs none /sys
mkdir -p /sys/out /sys/mail/{log,queue,postfix-data,dovecot-state,boxes,dev}
mount --bind . /sys/out
cp -r "$here" /sys/live
mount --no-mtab --move /sys /run
cd /run/out
chown postfix /run/mail/postfix-data
chmod 1777 /run/mail/boxes
cp -r /run/live/etc /run/mail/postfix
cp /run/live/etc/passwd /run/live/etc/dovecot.conf /run/mail/
printf '%s\n' '127.0.0.1 localhost' '::1 localhost' '127.0.1.1 mx1.example.org mx1' '192.0.2.25 relay.example.net' \
  > /run/mail/hosts
mount --bind /run/mail/hosts /etc/hosts

# A /dev with its own /dev/log.
for device in null zero full random urandom tty; do
  touch /run/mail/dev/$device
  mount --bind /dev/$device /run/mail/dev/$device
done
ln -s /proc/self/fd /run/mail/dev/fd
ln -s fd/0 /run/mail/dev/stdin
ln -s fd/1 /run/mail/dev/stdout
ln -s fd/2 /run/mail/dev/stderr
mount --rbind /run/mail/dev /dev

# Odd seeds: Dovecot's usual set of characters in names. Even seeds: any character, so that it looks the names up.
[ $((seed % 2)) = 1 ] || echo 'auth_username_chars =' >> /run/mail/dovecot.conf
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=mx1.example.org \
  -keyout /run/mail/key.pem -out /run/mail/cert.pem 2>/dev/null

collect() {
  # A message of another facility through the same queue: once it is written, so is all that came before it.
  logger -t live-test "end of run"
  for _ in $(seq 600); do
    grep -q "end of run" /run/mail/log/other.log 2>/dev/null && break
    sleep 0.1
  done
  cp /run/mail/log/mail.*.log . || true
}
trap collect EXIT

rsyslogd -n -f /run/mail/postfix/rsyslog.conf -i /run/mail/rsyslog.pid &
for _ in $(seq 600); do [ -S /dev/log ] && break; sleep 0.1; done
[ -S /dev/log ] || { echo "rsyslogd does not start" >&2; exit 1; }
postfix -c /run/mail/postfix start 2>/run/mail/postfix.err || { cat /run/mail/postfix.err >&2; exit 1; }

{
  dpkg-query -W -f='${Package} ${Version}\n' postfix dovecot-core rsyslog
  echo "seed $seed"
  date '+run %Y-%m-%d %H:%M:%S %z'
} > versions.txt

status=0
/usr/bin/python3 -B "/run/live/$driver" "$seed" || status=$?
postfix -c /run/mail/postfix stop 2>/dev/null || true
exit $status
