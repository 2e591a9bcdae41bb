//! The tables of the store, and how older stores become current ones.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as ours (file(1) shows it): `MLSn`.
pub(super) const APPLICATION_ID: i64 = 0x4d4c_536e;

/// What brings a store from version n to n + 1, for each n; `PRAGMA user_version` holds n.
const MIGRATIONS: [&str; 10] = [
    "
-- A file in the life of a log, and how far it has been read. Times are seconds since 1970, UTC.
CREATE TABLE generation (
    id INTEGER PRIMARY KEY,
    log BLOB NOT NULL,              -- the path in the configuration
    path BLOB NOT NULL,             -- where the file was seen last
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    offset INTEGER NOT NULL,        -- bytes of the uncompressed content that are done with
    lines INTEGER NOT NULL,
    head_length INTEGER NOT NULL,   -- fingerprint (SHA-256) of the first line
    head BLOB NOT NULL,
    tail_length INTEGER NOT NULL,   -- fingerprint of the bytes before `offset`
    tail BLOB NOT NULL,
    unfinished INTEGER NOT NULL,    -- 1: a last line without its end waits
    last_time INTEGER,
    outage BLOB NOT NULL            -- processes that could not reach the auth service
);
CREATE INDEX generation_log ON generation (log);

-- How a login was tried; many failures share one. Rows taken over from a CSV know the server only.
CREATE TABLE manner (
    id INTEGER PRIMARY KEY,
    server NOT NULL,
    service,
    mechanism,
    reason,
    UNIQUE (server, service, mechanism, reason)
);

-- Who was behind an address when it was looked up.
CREATE TABLE origin (
    id INTEGER PRIMARY KEY,
    hostname,
    reverse_dns TEXT NOT NULL,      -- as in the CSV: OK or Errno N
    country TEXT,
    asn INTEGER,
    aso TEXT,
    UNIQUE (hostname, reverse_dns, country, asn, aso)
);
INSERT INTO origin VALUES (1, NULL, 'Errno 4', NULL, NULL, NULL);

-- A failed login. Ids follow the order of the log, and the CSV that of the ids.
CREATE TABLE failure (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    address BLOB NOT NULL,          -- 4 or 16 bytes, network order
    user,                           -- NULL: not known
    manner INTEGER NOT NULL REFERENCES manner,
    origin INTEGER NOT NULL REFERENCES origin,
    generation INTEGER,             -- NULL: imported from a CSV that was there before
    position INTEGER                -- of its line in the uncompressed file
);
CREATE INDEX failure_imported ON failure (time) WHERE generation IS NULL;

-- Messages sent after a successful login.
CREATE TABLE login (
    account NOT NULL,
    network TEXT NOT NULL,          -- 203.0.113.0/24, 2001:db8::/64
    day TEXT NOT NULL,              -- local, YYYY-MM-DD
    count INTEGER NOT NULL,
    PRIMARY KEY (account, network, day)
) WITHOUT ROWID;

-- The bytes that the Python program had read, until the file they are of is taken over.
CREATE TABLE takeover (offset INTEGER NOT NULL);

-- The CSV as it was when it last held all failures up to `last_failure`.
CREATE TABLE csv (
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    length INTEGER NOT NULL,
    last_failure INTEGER NOT NULL
);
",
    "
-- Each look-up of an address is a row of its own: what was recorded does not change when the
-- answer does later.
CREATE TABLE looked_up (
    id INTEGER PRIMARY KEY,
    address BLOB,                   -- NULL: of a CSV that was there before
    hostname,
    reverse_dns TEXT,               -- as in the CSV: OK or Errno N; NULL: to be looked up before
    country TEXT,                   -- the transaction ends
    asn INTEGER,
    aso
);
INSERT INTO looked_up SELECT id, NULL, hostname, reverse_dns, country, asn, aso FROM origin;
DROP TABLE origin;
ALTER TABLE looked_up RENAME TO origin;
CREATE UNIQUE INDEX origin_imported ON origin (hostname, reverse_dns, country, asn, aso)
    WHERE address IS NULL;
CREATE INDEX origin_pending ON origin (id) WHERE reverse_dns IS NULL;

-- What reverse DNS last said of an address, for as long as that may be believed.
CREATE TABLE name (
    address BLOB PRIMARY KEY,
    hostname,
    reverse_dns TEXT NOT NULL,
    asked INTEGER                   -- NULL: nobody could be asked in time; a later run does
) WITHOUT ROWID;
CREATE INDEX name_asked ON name (asked);
",
    "
CREATE INDEX failure_time ON failure (time);

-- Failures by quarters of an hour.
CREATE TABLE tally (
    start INTEGER PRIMARY KEY,
    failures INTEGER NOT NULL
);
INSERT INTO tally SELECT time - time % 900, count(*) FROM failure GROUP BY 1;

-- What was read of each local day.
CREATE TABLE coverage (
    day TEXT PRIMARY KEY,           -- YYYY-MM-DD
    lines INTEGER NOT NULL,
    puzzles INTEGER NOT NULL,       -- lines that look like logins but matched no rule
    logins INTEGER NOT NULL,        -- messages sent after a successful login
    last_line INTEGER
) WITHOUT ROWID;
INSERT INTO coverage SELECT day, 0, 0, sum(count), NULL FROM login GROUP BY day;
",
    "
-- The lines of the CSV, as long as it is as `csv` says; NULL: not counted yet.
ALTER TABLE csv ADD COLUMN lines INTEGER;

-- Reports that no server took yet.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    day TEXT NOT NULL,              -- what it is about
    recipients TEXT NOT NULL,       -- who has not got it, one on each line
    taken INTEGER NOT NULL,         -- 1: somebody has got it
    message BLOB NOT NULL,          -- as it goes to the server (RFC 5322)
    made INTEGER NOT NULL,
    trouble TEXT                    -- why the last try failed
);
",
    "
-- How far the CSV was exported as SQL: 1 is done, 2 is a file that is being put in its place.
CREATE TABLE export (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL,             -- of the file
    sequence INTEGER NOT NULL,      -- the number in its name
    offset INTEGER NOT NULL,        -- bytes and lines of the CSV before the place
    lines INTEGER NOT NULL,
    head_length INTEGER NOT NULL,   -- fingerprint (SHA-256) of the start of the CSV
    head BLOB NOT NULL,
    tail BLOB NOT NULL              -- the bytes before the place
);

-- Tells the files that this store's exports write from those of others in the same folder.
CREATE TABLE exporter (id TEXT NOT NULL);

-- Files of SQL that were looked at for import, so that a large folder is not hashed each time.
CREATE TABLE sql_file (
    path BLOB PRIMARY KEY,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID;
",
    "
-- The last entry of a boot that is done with; its generation tells the rest.
CREATE TABLE journal (
    generation INTEGER PRIMARY KEY,
    cursor TEXT NOT NULL,           -- of journalctl
    boot TEXT NOT NULL,
    monotonic_us INTEGER NOT NULL,
    realtime_us INTEGER NOT NULL,
    over INTEGER NOT NULL           -- 1: its boot is over, and all of it was read; 2: it was gone
);

-- Failures that a file told of and the journal too, or the other way round.
CREATE TABLE twin (failure INTEGER PRIMARY KEY);

-- Attempts that a line told of whose user may belong to the next one.
ALTER TABLE generation ADD COLUMN names BLOB NOT NULL DEFAULT x'';
",
    include_str!("judgement.sql"),
    "
-- What was read of logins and not judged: as it came, which is cheaper to write than the rows of
-- `login`, each in another place. The judge puts it there.
CREATE TABLE read (
    id INTEGER PRIMARY KEY,
    account NOT NULL,
    network TEXT NOT NULL,
    day TEXT NOT NULL,
    service NOT NULL,
    count INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    address BLOB NOT NULL,
    generation INTEGER NOT NULL,
    position INTEGER NOT NULL
);
INSERT INTO read SELECT NULL, account, network, day, service, count - judged, first, last, address,
    generation, position
    FROM (SELECT login.*, judged FROM news CROSS JOIN login USING (name, account, network, day, service))
    ORDER BY first;
UPDATE login SET count = (SELECT judged FROM news WHERE news.name = login.name
        AND news.account = login.account AND news.network = login.network AND news.day = login.day
        AND news.service = login.service)
    WHERE (name, account, network, day, service) IN
        (SELECT name, account, network, day, service FROM news);
DELETE FROM login WHERE count = 0;
DROP TABLE news;
ALTER TABLE read RENAME TO news;
CREATE INDEX news_first ON news (first);

-- How many failures of a campaign named a user with a domain, and without; of old ones nobody knows.
ALTER TABLE campaign ADD COLUMN full INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN bare INTEGER NOT NULL DEFAULT 0;
",
    "
-- What was changed of late stands apart (`recent`): src/store/casebook/recent.rs tells why, and which
-- row holds where there are two.
ALTER TABLE judgement ADD COLUMN recent INTEGER NOT NULL DEFAULT 0; -- failures and logins there

CREATE TABLE sources (
    recent INTEGER NOT NULL,
    address BLOB NOT NULL,          -- IPv4, or the first of a /64
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    regular INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    names BLOB NOT NULL,            -- each after its length in one byte
    PRIMARY KEY (recent, address)
) WITHOUT ROWID;
INSERT INTO sources SELECT 0, * FROM source;
DROP TABLE source;
ALTER TABLE sources RENAME TO source;
CREATE INDEX source_campaign ON source (recent, campaign);

CREATE TABLE aims (
    recent INTEGER NOT NULL,
    name NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (recent, name, campaign)
) WITHOUT ROWID;
INSERT INTO aims SELECT 0, * FROM aim;
DROP TABLE aim;
ALTER TABLE aims RENAME TO aim;
CREATE INDEX aim_campaign ON aim (recent, campaign);

CREATE TABLE logins (
    recent INTEGER NOT NULL,
    name NOT NULL,                  -- what the account is compared by
    account NOT NULL,
    network TEXT NOT NULL,          -- 203.0.113.0/24, 2001:db8::/64
    day TEXT NOT NULL,              -- local, YYYY-MM-DD
    service NOT NULL,               -- postfix/submission, dovecot/imap; '' if not known
    count INTEGER NOT NULL,
    first INTEGER,
    last INTEGER,
    address BLOB,                   -- of the first, and where its line is
    generation INTEGER,
    position INTEGER,
    PRIMARY KEY (recent, name, account, network, day, service)
) WITHOUT ROWID;
INSERT INTO logins SELECT 0, * FROM login;
DROP TABLE login;
ALTER TABLE logins RENAME TO login;

-- Most campaigns are one bot, of which a day matters; of others, weeks.
CREATE INDEX campaign_group ON campaign (last) WHERE joined IS NULL AND (is_crowd OR sources > 2);
",
    "
-- When accounts were last where they had been before, if that is later than `been` says: as `recent`, it
-- is put in its place later.
CREATE TABLE been_again (
    name NOT NULL,
    account NOT NULL,
    network TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (name, account, network)
) WITHOUT ROWID;

-- Campaigns that changed of late: instead of the row in `campaign`, if there is one, such a row holds.
CREATE TABLE campaign_again (
    id INTEGER PRIMARY KEY,
    number INTEGER,
    joined INTEGER,
    tool TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    heavy INTEGER NOT NULL,
    names INTEGER NOT NULL,
    is_crowd INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    regular INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    asn INTEGER,
    full INTEGER NOT NULL,
    bare INTEGER NOT NULL
);
CREATE VIEW campaigns AS SELECT * FROM campaign_again UNION ALL SELECT * FROM campaign
    WHERE NOT EXISTS (SELECT 1 FROM campaign_again AS newer WHERE newer.id = campaign.id);

-- Sources that campaigns have where, besides those in `place`.
CREATE TABLE place_again (
    campaign INTEGER NOT NULL,
    country TEXT NOT NULL,
    asn INTEGER NOT NULL,
    aso NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (campaign, country, asn)
) WITHOUT ROWID;
CREATE VIEW places AS SELECT * FROM place_again UNION ALL SELECT * FROM place;

-- The last number that a campaign got, which it may have lost since: no other is to get it.
ALTER TABLE judgement ADD COLUMN last_number INTEGER NOT NULL DEFAULT 0;
UPDATE judgement SET last_number = (SELECT coalesce(max(number), 0) FROM campaign);
",
];

/// Whose schema a store has.
pub(super) enum Version {
    /// The current one.
    Ours,
    /// One that we do not know.
    Later(i64),
}

/// The version that this program makes.
pub(super) fn current() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Sets the connection up, and brings the schema up to date.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<Version> {
    // What a row refers to is there because the same transaction found or made it; to check that
    // once more would cost at every insertion, and keep migrations from replacing a table.
    connection.pragma_update(None, "foreign_keys", "off")?;
    // A judgement uses some forty statements in turn; to parse one costs more than to run it.
    connection.set_prepared_statement_cache_capacity(128);
    // Nor is a plan to be made anew for each value that is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(std::time::Duration::from_millis(900))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(missing) = MIGRATIONS.get(done..) else { return Ok(Version::Later(version)) };
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -8000)?;
    // So that what a run writes goes into the file once, when it closes it; in pages of 4 KiB.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    migrate(connection, missing)?;
    Ok(Version::Ours)
}

fn migrate(connection: &mut Connection, missing: &[&str]) -> rusqlite::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", current())?;
    transaction.commit()
}

/// The bytes of an empty store. Written to the disk at once they take one fsync, where making the
/// tables there takes seven.
pub(super) fn empty() -> rusqlite::Result<Vec<u8>> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection, &MIGRATIONS)?;
    let mut bytes = connection.serialize("main")?.to_vec();
    // "File format version numbers" of sqlite.org/fileformat.html: 2 means WAL.
    if let Some(versions) = bytes.get_mut(18..20) {
        versions.fill(2);
    }
    Ok(bytes)
}
