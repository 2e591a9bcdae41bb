#!/usr/bin/env bash
# What is done on the mail server inside the container, in three boots; see server.sh.
set -uo pipefail
export DEBIAN_FRONTEND=noninteractive
cd /trial

# check WHAT COMMAND...: what must be so.
check() {
  local what=$1 said
  shift
  if said=$("$@" 2>&1); then echo "ok $what"; else echo "NOT SO: $what: $* said: $said"; fi
}
# The same of what must not be so.
not() { ! "$@"; }
# The same of what must be so before long.
soon() { for _ in $(seq 180); do ! "$@" >/dev/null 2>&1 || return 0; sleep 1; done; "$@"; }
has() { grep -m 9 -- "$1" "$2"; }
equals() { [ "$1" = "$2" ] || { echo "$1"; return 1; }; }
apply() { dpkg "$@" </dev/null >/trial/dpkg 2>&1 || { cat /trial/dpkg; return 1; }; }
rows() { equals "$(grep -c ';bob;' $csv)" "$1"; }
setup() { maillogsentinel --setup --automated "$@" </dev/null >/trial/said 2>&1 || { cat /trial/said; return 1; }; }
# Lines of the mailbox as they were written: quoted-printable breaks the long ones.
mailed() { has "$1" <(sed -z 's/=\n//g' /var/mail/admin); }
# A message whose subject has the words: long ones go on in the next line.
subject() { has "^Subject: \[MailLogSentinel\] .* $1 on" <(sed -z 's/\n[ \t]/ /g' /var/mail/admin); }

# Whether one of the words is in a log.
logged() { grep -rqF "${@/#/-e}" /var/log || journalctl --quiet --output export | grep -aqF "${@/#/-e}"; }

b64() { printf "$1" | base64; }
# The last line of the server's next answer.
answer() { while IFS= read -r -t 30 said <&3; do [ "${said:3:1}" = - ] || return 0; done; return 1; }
# smtp ADDRESS CODE LINE...: says the lines one by one; the last must be answered so.
smtp() {
  local address=$1 code=$2 line said
  shift 2
  exec 3<>"/dev/tcp/$address/25" && answer || return 1
  for line in 'EHLO client.example' "$@"; do printf '%s\r\n' "$line" >&3 && answer || return 1; done
  exec 3>&-
  [ "${said:0:3}" = "$code" ] || { echo "$said"; return 1; }
}
# Logs in to Dovecot and stays there until it is thrown out.
reads() {
  local said
  exec 4<>/dev/tcp/127.0.0.1/143 && printf 'a LOGIN %s %s\r\n' "$@" >&4 || return 1
  while IFS= read -r said <&4; do case $said in 'a OK'*) echo in ;; 'a '*) return 1 ;; esac; done
  echo out
}
plain() { smtp "$1" "$2" "AUTH PLAIN $(b64 "\\0$3\\0$4")"; }
login() { smtp "$1" "$2" "AUTH LOGIN" "$(b64 "$3")" "$(b64 "$4")"; }

# Until the next boot these timers fire each 15 seconds.
hurry() {
  local timer
  for timer; do
    mkdir -p "/run/systemd/system/$timer.d"
    printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/15\nRandomizedDelaySec=0\nAccuracySec=1s\n' > "/run/systemd/system/$timer.d/hurry.conf"
  done
  systemctl daemon-reload && systemctl restart "$@"
}
# What was written since /trial/before.
changed() { find /etc /usr -newer /trial/before; }
csv=/var/log/maillogsentinel/maillogsentinel.csv
conf=/etc/maillogsentinel.conf
other=::1
grep -qs . /proc/net/if_inet6 || other=127.0.0.1

install_package() {
  check "it installs" apply -i /trial/package.deb
  # Without a network none can be downloaded.
  echo '127.0.0.0,127.255.255.255,NL' > /var/lib/maillogsentinel/country_aside.csv
  echo '127.0.0.0,127.255.255.255,64496,Sample Hosting' > /var/lib/maillogsentinel/asn.csv
  chown maillogsentinel: /var/lib/maillogsentinel/*.csv
  printf '[report]\nemail = admin@localhost\n[dns]\nenabled = false\n' > /trial/wanted.conf
  touch /trial/before
}

# Takes what is proposed, but for the last four questions: no test message, no SQL, no download; yes.
asked() {
  printf '%s\n' '' '' '' n '' '' n n y | script --quiet --return --command "maillogsentinel --setup $*" /trial/said >/dev/null
}

first_boot() {
  install_package
  check "without rsyslog there is a journal only" not test -e /var/log/mail.log
  check "setup refuses a log that is not there" equals "$(setup --config /trial/wanted.conf >/dev/null; echo $?)" 1
  check "and names it" has '/var/log/mail.log' /trial/said
  check "and changes nothing" equals "$(changed)" ""
  check "no report was asked for" not systemctl is-active maillogsentinel-report.timer

  check "until setup there is no log to read" not systemctl start maillogsentinel.service
  check "a wrong password goes to the journal" plain 127.0.0.1 535 bob wrong
  check "setup asks" asked --config /trial/wanted.conf
  check "it has found the journal" has 'mail log *journal' /trial/said
  check "and shows a line of it" has 'postfix/smtpd\[[0-9]*\]: ' /trial/said
  check "the journal is the log" has '^mail_log = journal' $conf
  check "what was in it is recorded" rows 1
  check "doctor has no complaint about it" maillogsentinel doctor
  check "setup asks nothing" setup
  check "and has nothing to do with it" has 'Nothing to change' /trial/said

  check "timers can hurry with it" hurry maillogsentinel.timer
  check "PLAIN to the journal" plain 127.0.0.1 535 bob wrong
  check "LOGIN to it" login $other 535 bob wrong
  check "the right password to it" plain 127.0.0.1 235 alice only-root-knows
  check "the timer records both" soon rows 3
  journalctl --quiet --rotate --vacuum-files=1
  check "one more after a rotation of the journal" login 127.0.0.1 535 bob wrong
  check "the timer records it alone" soon rows 4
  systemctl stop maillogsentinel.timer
  check "nobody reads the last one before the boot" login 127.0.0.1 535 bob wrong
}

# Somebody guesses from an address that nobody came from, and is right in the end, twice.
theft() {
  local name
  alarm
  webhook
  systemctl stop maillogsentinel.timer
  check "it follows the log" systemctl start maillogsentinel-follow.service
  # Accounts of the system are known to PAM.
  printf 'passdb {\n  driver = pam\n}\n' >> /etc/dovecot/dovecot.conf
  check "Dovecot asks PAM, too" systemctl restart dovecot
  ip address add 198.51.100.9/32 dev lo
  for name in admin info office root sales test; do
    check "$name is guessed" plain 198.51.100.9 535 $name wrong
  done
  # Postfix logs a login with the first recipient.
  check "and the right password of carol" smtp 198.51.100.9 250 "AUTH PLAIN $(b64 '\0carol\0the-systems')" \
    'MAIL FROM:<carol@mx1.example.org>' 'RCPT TO:<admin@localhost>'
  reads alice only-root-knows >/trial/imap &
  check "and the one of alice, who reads her mail" soon has '^in$' /trial/imap
  check "and who sends a message" smtp 198.51.100.9 250 "AUTH PLAIN $(b64 '\0alice\0only-root-knows')" \
    'MAIL FROM:<alice@mx1.example.org>' 'RCPT TO:<victim@[192.0.2.1]>' DATA $'Subject: Hello\r\n\r\nHello\r\n.'
  check "what root does at an alert is done at once" soon has '"account":"alice"' /trial/locked
  check "a webhook whose URL only root can read, too" soon has '"account":"alice"' /trial/posted
  check "of both" soon has '"account":"carol"' /trial/locked
  check "so is the administrator, by mail" soon subject 'alice PROBABLY STOLEN'
  check "findings say so" equals "$(maillogsentinel findings >/trial/said; echo $?)" 1
  lock
  check "somebody has seen to one" maillogsentinel findings ack 1
  check "and the other" maillogsentinel findings ack 2
  check "then there is nothing left to do" maillogsentinel findings
  check "it follows no more" systemctl stop maillogsentinel-follow.service webhook.socket maillogsentinel-lock.path
  systemctl start maillogsentinel.timer
  rm /usr/local/*bin/maillogsentinel-* /etc/systemd/system/maillogsentinel-lock.* /etc/credstore/maillogsentinel.webhook
  sed -i '/^\[alert\]$/,$d' $conf
}

# Code number $1 of docs/alerts.md.
documented() { awk -v n="$1" '/^```/ { inside = !inside; count += inside; next } inside && count == n' /trial/alerts.md; }

# What docs/alerts.md says that locks an account at once.
alarm() {
  local units=/etc/systemd/system
  documented 1 | install -m 755 /dev/stdin /usr/local/bin/maillogsentinel-note
  documented 2 > $units/maillogsentinel-lock.path
  documented 3 > $units/maillogsentinel-lock.service
  install -m 755 /dev/stdin /usr/local/sbin/maillogsentinel-lock <<'LOCK'
#!/bin/sh
for file in /var/lib/maillogsentinel/alerts/*; do cat "$file" >> /trial/locked && rm "$file"; done
LOCK
  systemctl daemon-reload
  check "what is to be done at an alert can be armed" systemctl start maillogsentinel-lock.path
  printf '[alert]\ncommand = /usr/local/bin/maillogsentinel-note\n' >> $conf
}

# A server that takes what is posted to it.
webhook() {
  mkdir -p /etc/credstore
  install -m 600 /dev/stdin /etc/credstore/maillogsentinel.webhook <<< http://127.0.0.1:8080/secret
  printf '[Socket]\nListenStream=127.0.0.1:8080\nAccept=yes\n' > /run/systemd/system/webhook.socket
  printf '[Service]\nExecStart=/bin/bash /trial/take.sh\nStandardInput=socket\nEnvironment=LC_ALL=C\n' > /run/systemd/system/webhook@.service
  cat > /trial/take.sh <<'TAKE'
while IFS= read -r line && line=${line%$'\r'} && [ -n "$line" ]; do
  case ${line,,} in content-length:*) length=${line#*: } ;; esac
done
IFS= read -r -N "$length" body
printf '%s\n' "$body" >> /trial/posted
printf 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
TAKE
  systemctl daemon-reload
  check "a webhook listens" systemctl start webhook.socket
}

# The command that findings print and that begins with the words, without what they say of it.
advised() { grep -o "^ *$*.*" /trial/said | sed 's/ *#.*//' | head -n 1; }
# The same, done as it stands there.
heed() {
  local command
  command=$(advised "$@") && [ -n "$command" ] || return 1
  bash -c "$command"
}
# What `doveadm pw` makes of a new password, for which it asks twice on a terminal: what is typed before that is lost.
hashed() {
  local wait
  for wait in 1 3 9; do
    { for _ in 1 2; do sleep $wait; echo only-alice-knows; done; } |
      timeout -k 1 $((wait * 3)) script --quiet --command "$(advised doveadm pw)" /dev/null | grep -o '{.*[^[:space:]]' && return
  done
}
# Whether a message is in the queue, with a mark behind its ID.
queued() { has "^$id$1" <(postqueue -p); }

# Does what findings say, to the letter, and sees that the thief is out.
lock() {
  local file hash id
  check "what locks carol" heed usermod --lock -- carol
  check "she is locked" plain 198.51.100.9 535 carol the-systems
  check "alice is in a file" equals "$(advised doveadm pw | sed 's/^ *//')" 'doveadm pw'
  file=$(sed -n 's/.*goes into \(.*\) for alice$/\1/p' /trial/said)
  check "which is named" test -w "$file"
  hash=$(hashed)
  check "a new password is made" test -n "$hash"
  cp -p "$file" /trial/passwd
  sed -i "s|^alice:[^:]*|alice:$hash|" "$file"
  check "the thief's password of alice is worthless" plain 198.51.100.9 535 alice only-root-knows
  check "the new one is not" plain 127.0.0.1 235 alice only-alice-knows
  check "her sessions are ended" heed doveadm kick -- alice
  check "the one with Dovecot, too" soon has '^out$' /trial/imap
  check "and those with Postfix" heed systemctl restart postfix
  check "what she sent is found" heed grep -i -F -e sasl_username=alice
  id=$(heed grep -i -F -e sasl_username=alice | sed -n 's/.*: \([0-9A-F]*\): client=.*/\1/p' | tail -n 1)
  check "it has a queue ID" test -n "$id"
  check "it is still in the queue" soon queued ' '
  check "it is held" bash -c "$(advised postsuper -h QUEUE_ID | sed "s/QUEUE_ID/$id/")"
  check "and stays" soon queued '!'
  check "what is known of her is told" heed maillogsentinel why -- alice
  maillogsentinel account carol >/trial/account
  check "Dovecot says that there is a carol" has '^carol: exists' /trial/account
  maillogsentinel account info >/trial/account
  check "and nobody of another name" has '^info: does not exist' /trial/account
  maillogsentinel accounts --attacked --existing >/trial/account
  check "who of those attacked is here" has '^admin ' /trial/account
  check "and who is not" not has '^sales ' /trial/account
  check "Dovecot is in the log" has ' dovecot: ' /var/log/mail.log
  check "which refused nobody a list of accounts" not has 'Auth client .*permissions to list users' /var/log/mail.log
  cp -p /trial/passwd "$file"
  # Dovecot looks at the file at most once in a second.
  sleep 1.5
}

second_boot() {
  # All of this boot is of one day.
  [ $((86400 - $(date +%s) % 86400)) -gt 300 ] || sleep 301
  check "timers can hurry after the boot" hurry maillogsentinel.timer
  check "what was logged before it is recorded" soon rows 5
  check "one more in this boot" login 127.0.0.1 535 bob wrong
  check "the timer records that of this boot" soon rows 6
  journalctl --quiet --rotate --vacuum-files=1
  check "no run records any of them again" systemctl start maillogsentinel.service
  check "each is there once" rows 6
  check "no service failed by the journal" equals "$(systemctl list-units --failed --plain --no-legend 'maillogsentinel*')" ""
  check "all of it is deleted, if that is asked for" setup --uninstall --purge-data
  check "the records, too" not test -e /var/log/maillogsentinel -o -e /var/lib/maillogsentinel
  rm -r /run/systemd/system/*.d

  install_package
  systemctl --quiet enable --now rsyslog
  check "a wrong password is refused" plain 127.0.0.1 535 bob wrong
  check "rsyslog writes the log" soon has '^20[0-9T:.+-]* mx1 postfix/smtpd.*authentication failed' /var/log/mail.log
  check "setup needs nobody" setup --config /trial/wanted.conf
  check "it writes what it did" test -s /trial/maillogsentinel_setup.log
  check "its configuration is in place" has '^email = admin@localhost' $conf
  check "and closed to others" equals "$(stat -c '%a %U %G' $conf)" "640 root maillogsentinel"
  for timer in maillogsentinel maillogsentinel-report maillogsentinel-ipdb; do
    check "$timer.timer is armed" systemctl is-active $timer.timer
    check "$timer.timer is enabled" systemctl is-enabled $timer.timer
  done
  check "what was in the log is recorded" rows 1
  check "in the country and network it came from" has ';127.0.0.1;bob;null;Errno 4;NL;64496;Sample Hosting$' $csv
  check "doctor has no complaint" maillogsentinel doctor
  touch /trial/before
  check "setup runs again" setup --config /trial/wanted.conf
  check "and has nothing to do" has 'Nothing to change' /trial/said
  check "and does nothing" equals "$(changed)" ""

  check "timers can hurry" hurry maillogsentinel.timer maillogsentinel-report.timer
  check "PLAIN again" plain 127.0.0.1 535 bob wrong
  check "LOGIN" login 127.0.0.1 535 bob wrong
  check "PLAIN over IPv6, if there is any" plain $other 535 bob wrong
  check "LOGIN over it" login $other 535 bob wrong
  check "the right password is accepted" plain 127.0.0.1 235 alice only-root-knows
  check "the timer records all of them" soon rows 5
  check "and not the one who knew the password" equals "$(grep -c '' $csv)" 6
  check "the timer mails the report of yesterday" soon subject "$(date -d yesterday +%F)"
  # A run that the timer starts may have the lock just then.
  check "the report of today is sent" soon maillogsentinel --report --date today
  check "and arrives" soon subject "$(date +%F)"
  check "it counts what was recorded" mailed '^ *1\. bob  5 times$'
  theft

  systemctl stop maillogsentinel-report.timer
  # One that the timer started is over then: the next one reads what is new.
  check "the last report without a password is sent" systemctl start maillogsentinel-report.service
  sed -i '/^email =/a smtp_user = alice' $conf
  check "without its password the report is not sent" not systemctl start maillogsentinel-report.service
  mkdir -p /etc/credstore
  install -m 600 /dev/stdin /etc/credstore/maillogsentinel.smtp_password <<< only-root-knows
  check "with one that only root can read it is" systemctl start maillogsentinel-report.service
  check "for it was logged in with" soon has 'postfix/smtpd.* sasl_method=PLAIN, sasl_username=alice' /var/log/mail.log
  check "logs are searched" logged 'sasl_username=alice'
  check "and none has it" not logged only-root-knows "$(b64 '\0alice\0only-root-knows')"
  check "others run without one" systemctl start maillogsentinel.service maillogsentinel-sql.service
  check "no service failed" equals "$(systemctl list-units --failed --plain --no-legend 'maillogsentinel*')" ""
}

third_boot() {
  for timer in maillogsentinel maillogsentinel-report maillogsentinel-ipdb; do
    check "$timer.timer is armed after a boot" systemctl is-active $timer.timer
  done
  check "timers can hurry again" hurry maillogsentinel.timer
  check "one more wrong password" login 127.0.0.1 535 bob wrong
  check "the timer records it" soon rows 6
  check "it upgrades" apply -i /trial/package.deb
  for timer in maillogsentinel maillogsentinel-report maillogsentinel-ipdb; do
    check "$timer.timer is armed after an upgrade" systemctl is-active $timer.timer
  done
  check "the configuration stays" has '^email = admin@localhost' $conf

  rm /etc/credstore/maillogsentinel.smtp_password
  check "without the password a report fails again" not systemctl start maillogsentinel-report.service
  check "setup uninstalls" setup --uninstall
  check "no timer is armed" equals "$(systemctl list-units --plain --no-legend 'maillogsentinel*.timer')" ""
  check "or enabled" not systemctl is-enabled maillogsentinel.timer maillogsentinel-report.timer maillogsentinel-ipdb.timer
  check "no service is told as failed" equals "$(systemctl list-units --failed --plain --no-legend 'maillogsentinel*')" ""
  check "the configuration is kept" has '^email = admin@localhost' $conf
  check "and what was recorded" rows 6
  check "and the account" id maillogsentinel
  check "the package is purged" apply -P maillogsentinel
  rm /trial/maillogsentinel_setup.log
  check "nothing else of it is left" \
    equals "$(find / -xdev -name '*maillogsentinel*' -not -path '/proc/*' -not -path '/var/l*/maillogsentinel*')" ""
  check "what was recorded is kept then, too" rows 6
}

case $(cat /trial/boot) in
  1) first_boot ;;
  2) second_boot ;;
  3) third_boot ;;
esac
echo "boot $(cat /trial/boot) is done"
