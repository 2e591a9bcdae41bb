"""A CSV of failed logins, and private servers to load it into: what `--sql-import` is measured beside.

The servers run as the users that Debian's packages make, in a folder of the benchmark, on a Unix
socket only, with the settings they come with: each commit reaches the disk.
"""

import contextlib
import glob
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

from timing import Command, Wrong

HEADER = "server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n"
DATABASE = "mail"


def write_csv(path, rows):
    """Rows of a year, in the order of their times, as a run with all databases writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(1)
    with open(path, "w") as file:
        file.write(HEADER)
        for number in range(rows):
            minute = number * 525_600 // rows
            stamp = time.strftime("%Y-%m-%d %H:%M", time.gmtime(1_735_689_600 + 60 * minute))
            address = ".".join(str(chance.randrange(1, 255)) for _ in range(4))
            network = chance.randrange(1, 400_000)
            file.write(f"mx1;{stamp};{address};user{chance.randrange(5000)}@example.org;"
                       f"host{chance.randrange(100_000)}.example.net;OK;CN;{network};"
                       f"China Unicom backbone {network % 3000}\n")


def must(*arguments, **more):
    """Runs a command that must not fail; gives what it printed."""
    done = subprocess.run([str(word) for word in arguments], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise Wrong(f"{arguments[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--pdeathsig", "KILL"]


def own_folder(user):
    """A folder of this user, who may not enter that of the benchmark."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="maillogsentinel-bench-"))
    shutil.chown(folder, user, user)
    return folder


class Sqlite:
    name, kind = "sqlite3", "sqlite"

    def __init__(self, folder):
        self.path = folder / "events.sqlite"

    def settings(self):
        return [f"database.db_path={self.path}"]

    def clear(self):
        self.path.unlink(missing_ok=True)

    def rows(self):
        return int(must("sqlite3", self.path, "SELECT count(*) FROM maillogsentinel_events"))

    def native(self, file):
        return ["sh", "-c", 'exec sqlite3 -bail "$0" < "$1"', self.path, file]


class Postgresql:
    name, kind = "psql -f", "postgresql"

    def __init__(self):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            raise Wrong("PostgreSQL is not installed: tests/sql/install.sh")
        self.programs = pathlib.Path(programs[-1])

    @contextlib.contextmanager
    def running(self):
        self.folder = own_folder("postgres")
        must(*as_user("postgres"), self.programs / "initdb", "-D", self.folder / "data", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", cwd="/")
        server = subprocess.Popen(
            [*as_user("postgres"), self.programs / "postgres", "-D", self.folder / "data",
             "-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}"],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: self.sql("postgres", "SELECT 1"))
            yield self
        finally:
            server.kill()
            server.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, database, text):
        return must("psql", "-h", self.folder, "-U", "postgres", "-d", database, "-qAtc", text)

    def settings(self):
        return ["database.db_type=postgresql", f"database.db_host={self.folder}",
                f"database.db_name={DATABASE}", "database.db_user=postgres"]

    def clear(self):
        self.sql("postgres", f"DROP DATABASE IF EXISTS {DATABASE}")
        self.sql("postgres", f"CREATE DATABASE {DATABASE}")
        # What the last run left to be written is not this run's.
        self.sql("postgres", "CHECKPOINT")

    def rows(self):
        return int(self.sql(DATABASE, "SELECT count(*) FROM maillogsentinel_events"))

    def native(self, file):
        return ["psql", "-v", "ON_ERROR_STOP=1", "-q", "-h", self.folder, "-U", "postgres", "-d", DATABASE,
                "-f", file]


class Mysql:
    name, kind = "mysql <", "mysql"

    def __init__(self):
        if not shutil.which("mariadbd") and not os.path.exists("/usr/sbin/mariadbd"):
            raise Wrong("MariaDB is not installed: tests/sql/install.sh")

    @contextlib.contextmanager
    def running(self):
        self.folder = own_folder("mysql")
        must("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={self.folder}/data",
             "--skip-test-db", "--auth-root-authentication-method=socket")
        server = subprocess.Popen(
            [*as_user("mysql"), "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.folder}/data",
             f"--socket={self.folder}/mysqld.sock", "--skip-networking"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: self.sql("", "SELECT 1"))
            yield self
        finally:
            server.kill()
            server.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, database):
        return ["mysql", "--no-defaults", "-S", f"{self.folder}/mysqld.sock", "-u", "root",
                *([database] if database else [])]

    def sql(self, database, text):
        return must(*self.client(database), "-N", "-e", text)

    def settings(self):
        return ["database.db_type=mysql", f"database.db_host={self.folder}",
                f"database.db_name={DATABASE}", "database.db_user=root"]

    def clear(self):
        self.sql("", f"DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE}")

    def rows(self):
        return int(self.sql(DATABASE, "SELECT count(*) FROM maillogsentinel_events"))

    def native(self, file):
        *arguments, database = self.client(DATABASE)
        script = 'file=$1; shift; exec "$@" < "$file"'
        return ["sh", "-c", script, "sh", file, *arguments, database]


def wait_for(answers):
    deadline = time.monotonic() + 60
    while True:
        try:
            return answers()
        except Wrong:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Sql:
    """The program with a CSV of so many rows, in `folder`."""

    def __init__(self, binary, folder, rows):
        self.folder, self.rows = folder, rows
        self.base = [binary, "--quiet", "--set", "paths.mail_log=/dev/null",
                     "--set", f"paths.working_dir={folder}/work", "--set", f"paths.state_dir={folder}/state",
                     "--set", "general.log_file=", "--set", "User.run_as_user=root"]
        write_csv(folder / "work" / "maillogsentinel.csv", rows)

    def file(self):
        [file] = (self.folder / "work" / "sql").glob("*.sql")
        return file

    def arguments(self, database, *action):
        settings = [word for setting in database.settings() for word in ("--set", setting)]
        return [*self.base, *settings, *action]

    def forget(self, *names):
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def export(self, database):
        def check(run):
            if run.status != 0 or self.file().stat().st_size < 100 * self.rows:
                raise Wrong("nothing was exported")

        return Command("maillogsentinel", self.arguments(database, "--sql-export"),
                       lambda: self.forget("state", "work/sql"), check)

    def imports(self, database):
        return self.loads("maillogsentinel", database, self.arguments(database, "--sql-import"))

    def loads(self, name, database, arguments):
        def check(run):
            if run.status != 0 or database.rows() != self.rows:
                raise Wrong(f"exit status {run.status}, {database.rows()} rows")

        return Command(name, arguments, database.clear, check)
