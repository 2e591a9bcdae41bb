#!/usr/bin/env bash
# Attacks a real Postfix and Dovecot, leaves their logs and the truth.   attack.sh OUT_DIR [SEED [DRIVER]]
#
# The servers live in namespaces of their own (servers.sh) with nothing but a loopback. The kernel takes all of it
# away with the first process of the namespaces, and that one dies with this script, however the script ends.
#
# OUT_DIR gets mail.{bsd,rfc3339,rfc5424}.log as rsyslog wrote them, truth.jsonl (each attempt that must be
# recorded), logins.jsonl (each login that sent mail), dovecot.jsonl (failed sessions at Dovecot) and versions.txt.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: $0 OUT_DIR [SEED [DRIVER]]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
seed=${2:-1}
driver=${3:-attack.py} # or another one of this folder

"$here/install.sh"
if [ "$(id -u)" != 0 ]; then
  echo "live tests: Postfix needs root, even in namespaces of its own: run this as root" >&2
  exit 1
fi
rm -f mail.*.log truth.jsonl logins.jsonl dovecot.jsonl versions.txt

# setpriv: the kernel kills unshare when this script dies, even of SIGKILL; unshare passes that on.
setpriv --pdeathsig KILL \
  unshare --mount --propagation private --uts --ipc --net --pid --fork --kill-child --mount-proc \
  bash "$here/servers.sh" "$driver" "$seed" &
servers=$!
trap '{ kill -KILL "$servers" && wait "$servers"; } 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
wait "$servers"
