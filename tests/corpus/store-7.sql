CREATE TABLE aim (
    name NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (name, campaign)
) WITHOUT ROWID;
CREATE TABLE alert (
    finding INTEGER NOT NULL,
    way TEXT NOT NULL,              -- mail, webhook, command
    since INTEGER NOT NULL,
    sent INTEGER,                   -- NULL: not yet
    trouble TEXT,
    PRIMARY KEY (finding, way)
) WITHOUT ROWID;
CREATE TABLE allowed (
    what TEXT PRIMARY KEY,          -- a network as CIDR, or an account
    until INTEGER,                  -- NULL: for good
    comment TEXT,
    added INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE been (
    name NOT NULL,                  -- what the account is compared by
    account NOT NULL,
    network TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    country TEXT,                   -- of the first address
    asn INTEGER NOT NULL,           -- 0 if not known
    aso,
    PRIMARY KEY (name, account, network)
) WITHOUT ROWID;
CREATE TABLE campaign (
    id INTEGER PRIMARY KEY,
    number INTEGER UNIQUE,
    joined INTEGER,
    tool TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    heavy INTEGER NOT NULL,
    names INTEGER NOT NULL,
    is_crowd INTEGER NOT NULL,
    gap INTEGER NOT NULL,           -- how steadily: the seconds between two,
    regular INTEGER NOT NULL,       -- how many of them were alike,
    gaps INTEGER NOT NULL,          -- of how many
    asn INTEGER                     -- of all its sources; 0: not known
);
CREATE TABLE coverage (
    day TEXT PRIMARY KEY,           -- YYYY-MM-DD
    lines INTEGER NOT NULL,
    puzzles INTEGER NOT NULL,       -- lines that look like logins but matched no rule
    logins INTEGER NOT NULL,        -- messages sent after a successful login
    last_line INTEGER
) WITHOUT ROWID;
INSERT INTO "coverage" VALUES('2026-11-01',2,0,2,1793523600);
INSERT INTO "coverage" VALUES('2026-11-02',2,0,2,1793610000);
INSERT INTO "coverage" VALUES('2026-11-03',2,0,2,1793696400);
CREATE TABLE csv (
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    length INTEGER NOT NULL,
    last_failure INTEGER NOT NULL
, lines INTEGER);
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
CREATE TABLE exporter (id TEXT NOT NULL);
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
CREATE TABLE finding (
    id INTEGER PRIMARY KEY,
    name NOT NULL,                  -- what the account is compared by
    account NOT NULL,
    severity INTEGER NOT NULL,      -- 1 low, 2 medium, 3 high
    time INTEGER NOT NULL,          -- of the first sign
    acknowledged INTEGER,           -- when; NULL: it is open
    comment TEXT
);
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
, names BLOB NOT NULL DEFAULT x'');
CREATE TABLE journal (
    generation INTEGER PRIMARY KEY,
    cursor TEXT NOT NULL,           -- of journalctl
    boot TEXT NOT NULL,
    monotonic_us INTEGER NOT NULL,
    realtime_us INTEGER NOT NULL,
    over INTEGER NOT NULL           -- 1: its boot is over, and all of it was read; 2: it was gone
);
CREATE TABLE judgement (last_failure INTEGER NOT NULL, beginning INTEGER);
INSERT INTO "judgement" VALUES(0,1793520000);
CREATE TABLE link (
    campaign INTEGER NOT NULL,
    other INTEGER NOT NULL,
    before NOT NULL,                -- the name that the source had tried,
    name NOT NULL,                  -- and the one of the other's that it then did
    PRIMARY KEY (campaign, other, before, name)
) WITHOUT ROWID;
CREATE TABLE "login" (
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
    PRIMARY KEY (name, account, network, day, service)
) WITHOUT ROWID;
INSERT INTO "login" VALUES('alice','alice','198.18.7.0/24','2026-11-01','postfix/submission',2,1793520000,1793523600,X'C6120705',1,0);
INSERT INTO "login" VALUES('alice','alice','198.18.7.0/24','2026-11-02','postfix/submission',2,1793606400,1793610000,X'C6120705',1,266);
INSERT INTO "login" VALUES('alice','alice','198.18.7.0/24','2026-11-03','postfix/submission',2,1793692800,1793696400,X'C6120705',1,532);
CREATE TABLE manner (
    id INTEGER PRIMARY KEY,
    server NOT NULL,
    service,
    mechanism,
    reason,
    UNIQUE (server, service, mechanism, reason)
);
CREATE TABLE name (
    address BLOB PRIMARY KEY,
    hostname,
    reverse_dns TEXT NOT NULL,
    asked INTEGER                   -- NULL: nobody could be asked in time; a later run does
) WITHOUT ROWID;
CREATE TABLE name_day (
    name NOT NULL,
    day TEXT NOT NULL,              -- YYYY-MM-DD
    failures INTEGER NOT NULL,
    PRIMARY KEY (day, name)         -- so that a day's are near one another
) WITHOUT ROWID;
CREATE TABLE news (
    name NOT NULL,
    account NOT NULL,
    network TEXT NOT NULL,
    day TEXT NOT NULL,
    service NOT NULL,
    first INTEGER NOT NULL,
    judged INTEGER NOT NULL,        -- how many of `login.count` were
    PRIMARY KEY (name, account, network, day, service)
) WITHOUT ROWID;
INSERT INTO "news" VALUES('alice','alice','198.18.7.0/24','2026-11-02','postfix/submission',1793606400,1);
INSERT INTO "news" VALUES('alice','alice','198.18.7.0/24','2026-11-03','postfix/submission',1793692800,0);
CREATE TABLE "origin" (
    id INTEGER PRIMARY KEY,
    address BLOB,                   -- NULL: of a CSV that was there before
    hostname,
    reverse_dns TEXT,               -- as in the CSV: OK or Errno N; NULL: to be looked up before
    country TEXT,                   -- the transaction ends
    asn INTEGER,
    aso
);
INSERT INTO "origin" VALUES(1,NULL,NULL,'Errno 4',NULL,NULL,NULL);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    day TEXT NOT NULL,              -- what it is about
    recipients TEXT NOT NULL,       -- who has not got it, one on each line
    taken INTEGER NOT NULL,         -- 1: somebody has got it
    message BLOB NOT NULL,          -- as it goes to the server (RFC 5322)
    made INTEGER NOT NULL,
    trouble TEXT                    -- why the last try failed
);
CREATE TABLE own (
    name NOT NULL,                  -- what the user is compared by
    user NOT NULL,
    network TEXT NOT NULL,
    tool TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    regular INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    asn INTEGER NOT NULL,           -- 0 if not known
    PRIMARY KEY (name, user, network)
) WITHOUT ROWID;
CREATE TABLE own_failure (failure INTEGER PRIMARY KEY);
CREATE TABLE pardon (
    address BLOB NOT NULL,          -- of the source
    first INTEGER NOT NULL,         -- from when
    last INTEGER NOT NULL,          -- until when
    PRIMARY KEY (address, first)
) WITHOUT ROWID;
CREATE TABLE place (
    campaign INTEGER NOT NULL,
    country TEXT NOT NULL,          -- '' if not known
    asn INTEGER NOT NULL,           -- 0 if not known
    aso NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (campaign, country, asn)
) WITHOUT ROWID;
CREATE TABLE pseudonym (key BLOB NOT NULL, done INTEGER NOT NULL);
CREATE TABLE sign (
    finding INTEGER NOT NULL,
    kind TEXT NOT NULL,
    time INTEGER NOT NULL,
    network TEXT NOT NULL,
    address BLOB,
    generation INTEGER,
    position INTEGER,
    campaign INTEGER,
    number INTEGER NOT NULL,        -- what its kind counts
    usual INTEGER,
    PRIMARY KEY (finding, kind, network, time)
) WITHOUT ROWID;
CREATE TABLE source (
    address BLOB PRIMARY KEY,       -- IPv4, or the first of a /64
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    regular INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    names BLOB NOT NULL             -- each after its length in one byte
) WITHOUT ROWID;
CREATE TABLE sql_file (
    path BLOB PRIMARY KEY,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE stranger (
    time INTEGER NOT NULL,
    failure INTEGER NOT NULL,
    PRIMARY KEY (time, failure)
) WITHOUT ROWID;
CREATE TABLE takeover (offset INTEGER NOT NULL);
CREATE TABLE tally (
    start INTEGER PRIMARY KEY,
    failures INTEGER NOT NULL
);
CREATE TABLE told (
    day TEXT PRIMARY KEY,           -- YYYY-MM-DD
    failures INTEGER NOT NULL,      -- as many as it had then
    logins INTEGER NOT NULL,
    document TEXT NOT NULL          -- JSON of src/meaning.rs
) WITHOUT ROWID;
CREATE TABLE twin (failure INTEGER PRIMARY KEY);
CREATE INDEX generation_log ON generation (log);
CREATE INDEX failure_imported ON failure (time) WHERE generation IS NULL;
CREATE UNIQUE INDEX origin_imported ON origin (hostname, reverse_dns, country, asn, aso)
    WHERE address IS NULL;
CREATE INDEX origin_pending ON origin (id) WHERE reverse_dns IS NULL;
CREATE INDEX name_asked ON name (asked);
CREATE INDEX failure_time ON failure (time);
CREATE INDEX news_first ON news (first);
CREATE INDEX been_network ON been (network);
CREATE INDEX campaign_last ON campaign (last) WHERE joined IS NULL;
CREATE INDEX source_campaign ON source (campaign);
CREATE INDEX aim_campaign ON aim (campaign);
CREATE INDEX own_last ON own (last);
CREATE INDEX finding_name ON finding (name, account);
CREATE INDEX finding_open ON finding (severity, time) WHERE acknowledged IS NULL;
CREATE INDEX sign_network ON sign (network);
PRAGMA user_version = 7; PRAGMA application_id = 1296847726;
