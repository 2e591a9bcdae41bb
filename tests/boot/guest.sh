#!/usr/bin/env bash
# What is done with the package inside the container; see package.sh.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive
failed=0

# check WHAT COMMAND...: what must be so.
check() {
  local what=$1 said
  shift
  if said=$("$@" 2>&1); then echo "ok $what"; else echo "NOT SO: $what: $* said: $said"; failed=1; fi
}
# The same of what must not be so.
not() { ! "$@"; }
has() { grep -m 9 -- "$1" "$2"; }
# The same of what must be so before long.
soon() { for _ in $(seq 180); do ! "$@" >/dev/null 2>&1 || return 0; sleep 1; done; "$@"; }
rows() { equals "$(grep -c bob $csv)" "$1"; }
told() { has "$1" <(systemctl show --property StatusText maillogsentinel-follow.service); }
equals() { [ "$1" = "$2" ] || { echo "$1"; return 1; }; }
apply() { dpkg "$@" </dev/null >/trial/dpkg 2>&1 || { cat /trial/dpkg; return 1; }; }
attack() {
  echo "2026-11-24T10:00:0$1+00:00 mx1 postfix/smtpd[1]: warning: unknown[203.0.113.$1]: SASL LOGIN authentication failed: x, sasl_username=bob"
}
csv=/var/log/maillogsentinel/maillogsentinel.csv
conf=/etc/maillogsentinel.conf

attack 1 > /var/log/mail.log
chgrp adm /var/log/mail.log && chmod 640 /var/log/mail.log

check "it installs" apply -i /trial/package.deb
check "the account is of the groups adm and systemd-journal" equals "$(id -Gn maillogsentinel)" "maillogsentinel adm systemd-journal"
check "the configuration is closed to others" equals "$(stat -c '%a %U %G' $conf)" "640 root maillogsentinel"
check "the folders are the account's" equals "$(stat -c '%a %U' /var/lib/maillogsentinel /var/log/maillogsentinel | uniq)" "750 maillogsentinel"
for timer in maillogsentinel maillogsentinel-ipdb; do
  check "$timer.timer is armed" systemctl is-active $timer.timer
  check "$timer.timer is enabled" systemctl is-enabled $timer.timer
done
for timer in maillogsentinel-report maillogsentinel-sql; do
  check "$timer.timer waits to be asked for" not systemctl is-enabled $timer.timer
done
check "the rotation of the CSV is in order" logrotate --debug /etc/logrotate.d/maillogsentinel

printf '[dns]\nenabled = false\n' >> $conf
check "the service runs in its sandbox" systemctl start maillogsentinel.service
check "and records the failed login" has '^mx1;2026-11-24 10:00;203.0.113.1;bob;' $csv
attack 2 >> /var/log/mail.log
check "a run of root's goes on with its files" maillogsentinel
check "both are recorded" rows 2
check "all files are the account's" equals "$(stat -c %U /var/l*/maillogsentinel/* | sort -u)" maillogsentinel
check "SQL files are written and imported in the sandbox" systemctl start maillogsentinel-sql.service
check "a report without recipient fails" not systemctl start maillogsentinel-report.service
check "what follows the log waits to be asked for" not systemctl is-enabled maillogsentinel-follow.service
check "it is ready in its sandbox" systemctl enable --now maillogsentinel-follow.service
attack 3 >> /var/log/mail.log
# Within a second, where no tests run beside it.
check "a failed login is recorded" soon rows 3
check "systemd is told of it" soon told 'recorded: 1$'
check "it reads its configuration again" systemctl reload maillogsentinel-follow.service
follower=$(systemctl show --property MainPID --value maillogsentinel-follow.service)
check "it takes less than 20 MB" test "$(awk '/VmRSS/ { print $2 }' "/proc/$follower/status")" -lt 20000
check "the timer's service runs beside it" systemctl start maillogsentinel.service
check "doctor knows what follows" has 'maillogsentinel-follow.service follows the log' <(maillogsentinel doctor)
check "doctor knows the timer" has 'maillogsentinel.timer is armed' <(maillogsentinel doctor)

echo '# mine' >> $conf
rm /etc/logrotate.d/maillogsentinel
systemctl disable --now maillogsentinel-ipdb.timer 2>/dev/null
check "it upgrades" apply -i /trial/package.deb
check "what was changed stays" has '# mine' $conf
check "what was deleted stays away" not test -e /etc/logrotate.d/maillogsentinel
check "what was disabled stays so" not systemctl is-active maillogsentinel-ipdb.timer
check "what follows is the new program" not equals "$(systemctl show --property MainPID --value maillogsentinel-follow.service)" "$follower"
check "the other timer is armed" systemctl is-active maillogsentinel.timer

check "it is removed" apply -r maillogsentinel
check "the configuration stays" has '# mine' $conf
# One that was enabled is wanted still, as Debian has it until a purge, and not found.
check "no unit of it is left" equals \
  "$(systemctl list-units --all --plain --no-legend 'maillogsentinel*.service' | grep -v ' not-found ')" ""
check "it is installed again" apply -i /trial/package.deb
check "and its timer armed" systemctl is-active maillogsentinel.timer

check "it is purged" apply -P maillogsentinel
check "and says what is kept" has 'what was recorded is kept' /trial/dpkg
check "what was recorded stays" equals "$(grep -c bob $csv)" 3
left=$(find / -xdev -name '*maillogsentinel*' -not -path '/proc/*' -not -path '/var/l*/maillogsentinel*')
check "nothing else of it is left" equals "$left" ""

# As the Python program leaves a machine.
printf '[paths]\nworking_dir = /var/log/maillogsentinel\n' > $conf
chmod 600 $conf
printf '[Timer]\nOnCalendar=hourly\n' > /etc/systemd/system/maillogsentinel-extract.timer
echo '/var/log/maillogsentinel/maillogsentinel.csv {}' > /etc/logrotate.d/sentinel
check "it installs over another, without a question" apply -i /trial/package.deb
check "the configuration is the one that was there" equals "$(stat -c '%a %s' $conf)" "600 $(printf '[paths]\nworking_dir = /var/log/maillogsentinel\n' | wc -c)"
check "that the account cannot read it is said" has 'cannot read it' /trial/dpkg
check "the former units are named" has '/etc/systemd/system/maillogsentinel-extract.timer' /trial/dpkg
check "its own timers wait" not systemctl is-enabled maillogsentinel.timer
check "the CSV has one rule of rotation" not test -e /etc/logrotate.d/maillogsentinel

[ $failed -ne 0 ] || echo "all is as it should be"
