#!/usr/bin/env bash
# Makes sure that the database servers and clients the tests start are there, as Debian packages.   install.sh
#
# The tests start servers of their own, in folders of their own. What the packages bring besides, PostgreSQL's cluster
# "main" and MariaDB's empty database, is not started.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# With rsync a node of Galera gets its copy from another one.
exec "$here/../install" postgresql postgresql-client mariadb-server mariadb-client galera-4 rsync sqlite3 \
  openssl util-linux
