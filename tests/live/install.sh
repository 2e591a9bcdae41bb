#!/usr/bin/env bash
# Makes sure that the Debian packages the live tests need are there.   install.sh
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# Postfix's questions are answered before it is unpacked: no configuration of its own.
exec "$here/../install" postfix dovecot-core dovecot-imapd dovecot-pop3d dovecot-managesieved \
  dovecot-submissiond rsyslog python3 openssl iproute2 util-linux \
  -- debconf-set-selections <<< "postfix postfix/main_mailer_type select No configuration"
