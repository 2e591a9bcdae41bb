"""A store as a year of attacks on a large server leaves it, and the hour that follows."""

import re
import shutil
import sqlite3
import subprocess

from inputs import Log
from timing import Wrong

# Of which the program judges the last tenth itself; the nine before it are copies of that.
FAILURES, ACCOUNTS, DAYS, HOURLY = 10**7, 50_000, 360, 1_000
COPIES = 9
DAY = 86_400


def log(make_year, folder):
    """The log of the last tenth, without its last hour, and that hour."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mail.log"
    part = COPIES + 1
    arguments = [make_year, FAILURES // part, ACCOUNTS, DAYS // part, HOURLY]
    with open(path, "wb") as out:
        done = subprocess.run([str(it) for it in arguments], stdout=out, stderr=subprocess.PIPE, text=True, check=True)
    failures, lines, later = map(int, re.search(r"failures (\d+) .* lines (\d+) later (\d+)", done.stderr).groups())
    with open(path, "r+b") as whole:
        whole.seek(later)
        hour = whole.read()
        whole.truncate(later)
    return Log(path, [path], failures - HOURLY, lines - hour.count(b"\n")), hour


def databases(folder):
    """Where each address is: as many ranges as /16, in ten countries and three thousand networks."""
    folder.mkdir(parents=True, exist_ok=True)
    countries = "CN RU US DE FR BR VN ID NL IN".split()
    with open(folder / "country.csv", "w") as country, open(folder / "asn.csv", "w") as network:
        for at in range(1 << 8, 224 << 8):
            block = f"{at >> 8}.{at & 255}.0.0,{at >> 8}.{at & 255}.255.255"
            country.write(f"{block},{countries[(at * 7919 >> 4) % 10]}\n")
            network.write(f"{block},{1000 + at % 3000},Organisation {at % 3000}\n")
    return (f"[dns]\nenabled = false\n[geolocation]\ncountry_db_path = {folder / 'country.csv'}\n"
            f"[ASN_ASO]\nasn_db_path = {folder / 'asn.csv'}\n")


def fill(store):
    """Puts copies of all that is in `store` before it: other addresses, campaigns and times, the same accounts."""
    base = sqlite3.connect(store, isolation_level=None)
    base.create_function("moved", 2, lambda address, copy: bytes([address[0], address[1] ^ copy]) + address[2:], deterministic=True)
    for pragma in ["synchronous = OFF", "journal_mode = MEMORY", "cache_size = -400000", "temp_store = MEMORY"]:
        base.execute(f"PRAGMA {pragma}")
    base.execute("BEGIN")
    for table in ["source", "aim"]:
        base.execute(f"REPLACE INTO {table} SELECT {columns(base, table, {})} FROM {table}_again ORDER BY id")
    for table in ["been", "campaign"]:
        base.execute(f"REPLACE INTO {table} SELECT {columns(base, table, {})} FROM {table}_again")
    base.execute(f"INSERT INTO login SELECT {columns(base, 'login', {})} FROM login_again WHERE true ON CONFLICT DO UPDATE SET "
                 "count = count + excluded.count, last = max(last, excluded.last)")
    base.execute("INSERT INTO place SELECT * FROM place_again WHERE true ON CONFLICT DO UPDATE SET sources = sources + excluded.sources")
    for table in ["source_again", "aim_again", "login_again", "campaign_again", "place_again", "been_again"]:
        base.execute(f"DELETE FROM {table}")
    last, origins = (base.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in ("failure", "origin"))
    campaigns, findings = (base.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in ("campaign", "finding"))
    numbers = base.execute("SELECT max(number) FROM campaign").fetchone()[0]
    # What is there is the newest: it gets the last numbers, as if it had come last.
    for table, column, step in [("failure", "id", last), ("failure", "origin", origins), ("origin", "id", origins),
                                ("own_failure", "failure", last), ("campaign", "id", campaigns),
                                ("campaign", "joined", campaigns), ("source", "campaign", campaigns),
                                ("aim", "campaign", campaigns),
                                ("place", "campaign", campaigns), ("link", "campaign", campaigns),
                                ("link", "other", campaigns), ("finding", "id", findings), ("sign", "finding", findings)]:
        # By way of negative ones, lest two rows have the same for a moment.
        base.execute(f"UPDATE {table} SET {column} = -({column} + {step * COPIES})")
        base.execute(f"UPDATE {table} SET {column} = -{column}")
    base.execute(f"UPDATE campaign SET number = -(number + {numbers * COPIES})")
    base.execute("UPDATE campaign SET number = -number")
    base.execute(f"UPDATE judgement SET last_failure = last_failure + {last * COPIES}, last_number = last_number + {numbers * COPIES}")
    base.execute(f"UPDATE csv SET last_failure = last_failure + {last * COPIES}")
    for table in ["failure", "own_failure", "origin", "campaign", "source", "aim", "place", "link",
                  "finding", "sign", "login", "name_day", "coverage", "tally", "pardon"]:
        base.execute(f"CREATE TEMP TABLE t_{table} AS SELECT * FROM {table}")
    for copy in range(COPIES, 0, -1):
        ago = copy * DAYS // (COPIES + 1)
        seconds, left = ago * DAY, -copy

        def put(table, columns):
            base.execute(f"INSERT OR IGNORE INTO {table} SELECT {columns} FROM t_{table}")

        put("failure", f"id + {last * left}, time - {seconds}, moved(address, {copy}), user, manner, origin + {origins * left}, generation, position")
        put("own_failure", f"failure + {last * left}")
        put("origin", columns(base, "origin", {"id": f"id + {origins * left}", "address": f"iif(address IS NULL, NULL, moved(address, {copy}))"}))
        shift = {"first": f"first - {seconds}", "last": f"last - {seconds}", "time": f"time - {seconds}", "day": f"date(day, '-{ago} days')",
                 "start": f"start - {seconds}", "campaign": f"campaign + {campaigns * left}", "other": f"other + {campaigns * left}",
                 "joined": f"joined + {campaigns * left}", "finding": f"finding + {findings * left}"}
        for table in ["source", "pardon"]:
            put(table, columns(base, table, {**shift, "address": f"moved(address, {copy})"}))
        for table in ["aim", "place", "link", "sign", "login", "name_day", "coverage", "tally"]:
            put(table, columns(base, table, shift))
        put("campaign", columns(base, "campaign", {**shift, "id": f"id + {campaigns * left}", "number": f"number + {numbers * left}"}))
        put("finding", columns(base, "finding", {**shift, "id": f"id + {findings * left}"}))
    base.execute(f"UPDATE been SET first = first - {DAYS * DAY}")
    base.execute(f"UPDATE judgement SET beginning = beginning - {DAYS * DAY}")
    # As half of the time: of 10,000 failures and logins that are put in their places at once, 5,000 wait.
    [since] = base.execute(f"SELECT max(last) - {DAY // 6} FROM source").fetchone()
    def again(table):
        into = f"INSERT INTO {table}_again SELECT NULL, {columns(base, table, {})} FROM {table} WHERE last > ?"
        return base.execute(into, [since]).rowcount

    aims, logins, sources = map(again, ["aim", "login", "source"])
    # Logins add up: they wait instead of being there.
    base.execute("DELETE FROM login WHERE last > ?", [since])
    base.execute("UPDATE judgement SET recent = ?", [logins + sources])
    base.execute("INSERT INTO been_again SELECT *, 0 FROM been WHERE last > ?", [since])
    base.execute("INSERT INTO campaign_again SELECT * FROM campaign WHERE last > ?", [since])
    # Of these, only that such rows are there counts; what they add is in their places.
    base.execute("INSERT OR IGNORE INTO place_again SELECT place.campaign, place.country, place.asn, place.aso, 0 FROM failure "
                 "JOIN origin ON origin.id = origin JOIN source_again AS source ON source.address = failure.address "
                 "CROSS JOIN place ON place.campaign = source.campaign AND place.country = ifnull(origin.country, '') "
                 "AND place.asn = ifnull(origin.asn, 0) WHERE time > ?", [since])
    base.execute("COMMIT")
    # As the program keeps it.
    base.execute("PRAGMA journal_mode = WAL")
    counts = {table: base.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ["failure", "source", "login", "campaign", "aim"]}
    base.close()
    return counts


def columns(base, table, changed):
    """All columns of a table, some of them changed."""
    names = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
    return ", ".join(changed.get(name, name) for name in names)


def copied(source, target):
    """Makes `target` what `source` is."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-r", "--reflink=auto", source, target], check=True)
    # Or the program's first fsync would wait for gigabytes of the copy.
    subprocess.run(["sync"], check=True)


def without(source, target):
    """A copy of `source` in which everything counts as judged, and whatever comes does too; logins are counted."""
    copied(source, target)
    base = sqlite3.connect(target / "state" / "maillogsentinel.db", isolation_level=None)
    base.execute("UPDATE judgement SET last_failure = 1 << 60")
    base.execute("CREATE TRIGGER judged AFTER INSERT ON news BEGIN "
                 "INSERT INTO login_again VALUES (NULL, lower(substr(NEW.account, 1, instr(NEW.account || '@', '@') - 1)), NEW.account, NEW.network, "
                 "NEW.day, NEW.service, NEW.count, NEW.first, NEW.last, NEW.address, NEW.generation, NEW.position); "
                 "DELETE FROM news WHERE id = NEW.id; END")
    base.close()


def milliseconds(log_file):
    """How long the last run judged, by its own words."""
    told = re.findall(r"judged (\d+) failures and \d+ logins in (\d+) ms", log_file.read_text())
    failures, taken = map(int, told[-1])
    if failures != HOURLY:
        raise Wrong(f"{failures} failures were judged, {HOURLY} are new")
    return taken


def asked(store):
    """An account that is attacked a lot, and an address that attacked."""
    base = sqlite3.connect(store)
    [name] = base.execute("SELECT name FROM been GROUP BY name ORDER BY (SELECT count(*) FROM aim WHERE aim.name = been.name) DESC LIMIT 1").fetchone()
    [address] = base.execute("SELECT address FROM source ORDER BY failures DESC LIMIT 1").fetchone()
    base.close()
    return name, ".".join(str(byte) for byte in address)
