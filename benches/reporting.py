"""A store as years of attacks leave it, made by SQL, so that a report on it can be measured."""

import sqlite3

DAY = 86_400
# 20 November 2026, 00:00 UTC: the day that is reported.
REPORTED = 1_795_132_800


def fill(store, events, years, on_the_day=5_000):
    """Puts `events` into an empty `store`, spread over `years`, of which `on_the_day` are on the day."""
    base = sqlite3.connect(store, isolation_level=None)
    base.execute("PRAGMA synchronous = OFF")
    base.execute("BEGIN")
    base.execute("INSERT OR IGNORE INTO manner VALUES (1, 'mx1', 'postfix', 'LOGIN', 'no')")
    base.execute("""INSERT INTO origin WITH RECURSIVE n(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 201000)
        SELECT i, randomblob(4), 'host' || i || '.example.net', CASE i % 3 WHEN 0 THEN 'OK' ELSE 'Errno ' || i % 3 END,
        substr('CNRUUSDEFRBRVNIDNLIN', 1 + 2 * (i % 10), 2), 1000 + i % 3000, 'Organisation ' || i % 3000 FROM n""")
    # On the day itself there are as many as wanted, and none of the others.
    spread = f"{REPORTED} - 1 - abs(random()) % {int(365 * DAY * years)}"
    for count, time in [(events - on_the_day, spread), (on_the_day, f"{REPORTED} + abs(random()) % {DAY}")]:
        base.execute(f"""INSERT INTO failure WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
            SELECT NULL, {time}, randomblob(4), 'user' || abs(random()) % 500, 1, 1001 + abs(random()) % 199999, 1, i FROM n""")
    base.execute("INSERT OR REPLACE INTO tally SELECT time - time % 900, count(*) FROM failure GROUP BY 1")
    base.execute("UPDATE csv SET last_failure = (SELECT max(id) FROM failure)")
    base.execute("COMMIT")
    base.close()
