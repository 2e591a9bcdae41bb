PRAGMA foreign_keys = off;
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
INSERT INTO generation VALUES(1,X'2f776f726b2f772f7331312f6d61696c2e6c6f67',X'2f776f726b2f772f7331312f6d61696c2e6c6f67',65024,5390742,2571,1795796807581386247,2571,18,133,X'aa0c11a8ca231d6d46dc5c708b7e4084514a5ca08dac2c38db38c3b14c1dc5ca',1024,X'c61b1529dac8755558e5594555d2a35f1928b60aad3ff32d4d51ead95ff33903',0,1793782800,X'',X'');
CREATE TABLE manner (
    id INTEGER PRIMARY KEY,
    server NOT NULL,
    service,
    mechanism,
    reason,
    UNIQUE (server, service, mechanism, reason)
);
INSERT INTO manner VALUES(1,'mx1','postfix','LOGIN','UGFzc3dvcmQ6');
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
INSERT INTO failure VALUES(1,1793696400,X'cb00714d','admin',1,2,1,399);
INSERT INTO failure VALUES(2,1793696460,X'cb00714d','admin',1,2,1,547);
INSERT INTO failure VALUES(3,1793696520,X'cb00714d','admin',1,2,1,695);
INSERT INTO failure VALUES(4,1793696580,X'cb00714d','admin',1,2,1,843);
INSERT INTO failure VALUES(5,1793696640,X'cb00714d','admin',1,2,1,991);
INSERT INTO failure VALUES(6,1793696700,X'cb00714d','admin',1,2,1,1139);
INSERT INTO failure VALUES(7,1793703600,X'cb00714d','admin',1,3,1,1420);
INSERT INTO failure VALUES(8,1793703660,X'cb00714d','admin',1,3,1,1568);
INSERT INTO failure VALUES(9,1793703720,X'cb00714d','admin',1,3,1,1716);
INSERT INTO failure VALUES(10,1793703780,X'cb00714d','admin',1,3,1,1864);
INSERT INTO failure VALUES(11,1793703840,X'cb00714d','admin',1,3,1,2012);
INSERT INTO failure VALUES(12,1793707200,X'cb00714d','root',1,3,1,2160);
CREATE TABLE takeover (offset INTEGER NOT NULL);
CREATE TABLE csv (
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    length INTEGER NOT NULL,
    last_failure INTEGER NOT NULL
, lines INTEGER);
INSERT INTO csv VALUES(65024,5390768,848,12,NULL);
CREATE TABLE IF NOT EXISTS "origin" (
    id INTEGER PRIMARY KEY,
    address BLOB,                   -- NULL: of a CSV that was there before
    hostname,
    reverse_dns TEXT,               -- as in the CSV: OK or Errno N; NULL: to be looked up before
    country TEXT,                   -- the transaction ends
    asn INTEGER,
    aso
);
INSERT INTO origin VALUES(1,NULL,NULL,'Errno 4',NULL,NULL,NULL);
INSERT INTO origin VALUES(2,X'cb00714d',NULL,'Errno 4',NULL,NULL,NULL);
INSERT INTO origin VALUES(3,X'cb00714d',NULL,'Errno 4',NULL,NULL,NULL);
CREATE TABLE name (
    address BLOB PRIMARY KEY,
    hostname,
    reverse_dns TEXT NOT NULL,
    asked INTEGER                   -- NULL: nobody could be asked in time; a later run does
) WITHOUT ROWID;
CREATE TABLE tally (
    start INTEGER PRIMARY KEY,
    failures INTEGER NOT NULL
);
INSERT INTO tally VALUES(1793696400,6);
INSERT INTO tally VALUES(1793703600,5);
INSERT INTO tally VALUES(1793707200,1);
CREATE TABLE coverage (
    day TEXT PRIMARY KEY,           -- YYYY-MM-DD
    lines INTEGER NOT NULL,
    puzzles INTEGER NOT NULL,       -- lines that look like logins but matched no rule
    logins INTEGER NOT NULL,        -- messages sent after a successful login
    last_line INTEGER
) WITHOUT ROWID;
INSERT INTO coverage VALUES('2026-11-01',1,0,1,1793520000);
INSERT INTO coverage VALUES('2026-11-02',1,0,1,1793606400);
INSERT INTO coverage VALUES('2026-11-03',15,0,3,1793710800);
INSERT INTO coverage VALUES('2026-11-04',1,0,1,1793782800);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    day TEXT NOT NULL,              -- what it is about
    recipients TEXT NOT NULL,       -- who has not got it, one on each line
    taken INTEGER NOT NULL,         -- 1: somebody has got it
    message BLOB NOT NULL,          -- as it goes to the server (RFC 5322)
    made INTEGER NOT NULL,
    trouble TEXT                    -- why the last try failed
);
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
CREATE TABLE sql_file (
    path BLOB PRIMARY KEY,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE journal (
    generation INTEGER PRIMARY KEY,
    cursor TEXT NOT NULL,           -- of journalctl
    boot TEXT NOT NULL,
    monotonic_us INTEGER NOT NULL,
    realtime_us INTEGER NOT NULL,
    over INTEGER NOT NULL           -- 1: its boot is over, and all of it was read; 2: it was gone
);
CREATE TABLE twin (failure INTEGER PRIMARY KEY);
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
INSERT INTO been VALUES('alice','alice','198.18.7.0/24',1793520000,1793520000,NULL,0,NULL);
CREATE TABLE judgement (last_failure INTEGER NOT NULL, beginning INTEGER, recent INTEGER NOT NULL DEFAULT 0, last_number INTEGER NOT NULL DEFAULT 0);
INSERT INTO judgement VALUES(12,1793520000,8,1);
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
, full INTEGER NOT NULL DEFAULT 0, bare INTEGER NOT NULL DEFAULT 0);
INSERT INTO campaign VALUES(1,NULL,NULL,'postfix LOGIN',1793696400,1793696700,6,1,0,1,0,60,4,5,0,0,6);
CREATE TABLE place (
    campaign INTEGER NOT NULL,
    country TEXT NOT NULL,          -- '' if not known
    asn INTEGER NOT NULL,           -- 0 if not known
    aso NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (campaign, country, asn)
) WITHOUT ROWID;
INSERT INTO place VALUES(1,'',0,'',1);
CREATE TABLE link (
    campaign INTEGER NOT NULL,
    other INTEGER NOT NULL,
    before NOT NULL,                -- the name that the source had tried,
    name NOT NULL,                  -- and the one of the other's that it then did
    PRIMARY KEY (campaign, other, before, name)
) WITHOUT ROWID;
CREATE TABLE name_day (
    name NOT NULL,
    day TEXT NOT NULL,              -- YYYY-MM-DD
    failures INTEGER NOT NULL,
    PRIMARY KEY (day, name)         -- so that a day's are near one another
) WITHOUT ROWID;
INSERT INTO name_day VALUES('admin','2026-11-03',11);
INSERT INTO name_day VALUES('root','2026-11-03',1);
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
CREATE TABLE stranger (
    time INTEGER NOT NULL,
    failure INTEGER NOT NULL,
    PRIMARY KEY (time, failure)
) WITHOUT ROWID;
CREATE TABLE pardon (
    address BLOB NOT NULL,          -- of the source
    first INTEGER NOT NULL,         -- from when
    last INTEGER NOT NULL,          -- until when
    PRIMARY KEY (address, first)
) WITHOUT ROWID;
CREATE TABLE finding (
    id INTEGER PRIMARY KEY,
    name NOT NULL,                  -- what the account is compared by
    account NOT NULL,
    severity INTEGER NOT NULL,      -- 1 low, 2 medium, 3 high
    time INTEGER NOT NULL,          -- of the first sign
    acknowledged INTEGER,           -- when; NULL: it is open
    comment TEXT
);
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
CREATE TABLE told (
    day TEXT PRIMARY KEY,           -- YYYY-MM-DD
    failures INTEGER NOT NULL,      -- as many as it had then
    logins INTEGER NOT NULL,
    document TEXT NOT NULL          -- JSON of src/meaning.rs
) WITHOUT ROWID;
CREATE TABLE allowed (
    what TEXT PRIMARY KEY,          -- a network as CIDR, or an account
    until INTEGER,                  -- NULL: for good
    comment TEXT,
    added INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE pseudonym (key BLOB NOT NULL, done INTEGER NOT NULL);
CREATE TABLE alert (
    finding INTEGER NOT NULL,
    way TEXT NOT NULL,              -- mail, webhook, command
    since INTEGER NOT NULL,
    sent INTEGER,                   -- NULL: not yet
    trouble TEXT,
    PRIMARY KEY (finding, way)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "news" (
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
CREATE TABLE IF NOT EXISTS "aim" (
    recent INTEGER NOT NULL,
    name NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (recent, name, campaign)
) WITHOUT ROWID;
INSERT INTO aim VALUES(0,'admin',1,1793696400,1793696700,6,1);
INSERT INTO aim VALUES(1,'admin',1,1793696400,1793703840,11,1);
INSERT INTO aim VALUES(1,'root',1,1793707200,1793707200,1,1);
CREATE TABLE IF NOT EXISTS "login" (
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
INSERT INTO login VALUES(0,'alice','alice','198.18.7.0/24','2026-11-01','postfix/submission',1,1793520000,1793520000,X'c6120705',1,0);
INSERT INTO login VALUES(0,'alice','alice','198.18.7.0/24','2026-11-02','postfix/submission',1,1793606400,1793606400,X'c6120705',1,133);
INSERT INTO login VALUES(0,'alice','alice','198.18.7.0/24','2026-11-03','postfix/submission',2,1793692800,1793700000,X'c6120705',1,266);
INSERT INTO login VALUES(1,'alice','alice','198.18.7.0/24','2026-11-03','postfix/submission',1,1793710800,1793710800,X'c6120705',1,2307);
INSERT INTO login VALUES(1,'bob','bob','198.18.8.0/24','2026-11-04','postfix/submission',1,1793782800,1793782800,X'c6120805',1,2440);
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
INSERT INTO campaign_again VALUES(1,1,NULL,'postfix LOGIN',1793696400,1793707200,12,1,1,2,0,60,10,11,0,0,12);
CREATE TABLE place_again (
    campaign INTEGER NOT NULL,
    country TEXT NOT NULL,
    asn INTEGER NOT NULL,
    aso NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (campaign, country, asn)
) WITHOUT ROWID;
CREATE TABLE source_again (
    id INTEGER PRIMARY KEY,
    address BLOB NOT NULL,          -- IPv4, or the first of a /64
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    regular INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    names BLOB NOT NULL             -- each after its length in one byte
);
INSERT INTO source_again VALUES(1,X'cb00714d',1,1793696400,1793707200,12,60,10,11,X'0561646d696e04726f6f74');
CREATE TABLE IF NOT EXISTS "source" (
    address BLOB NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    regular INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    names BLOB NOT NULL,
    PRIMARY KEY (address)
) WITHOUT ROWID;
INSERT INTO source VALUES(X'cb00714d',1,1793696400,1793696700,6,60,4,5,X'0561646d696e');
CREATE TABLE IF NOT EXISTS "been_again" (
    name NOT NULL,                  -- what the account is compared by
    account NOT NULL,
    network TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    country TEXT,                   -- of the first address
    asn INTEGER NOT NULL,           -- 0 if not known
    aso,
    is_new INTEGER NOT NULL,        -- whether there is none in `been`
    PRIMARY KEY (name, account, network)
) WITHOUT ROWID;
INSERT INTO been_again VALUES('bob','bob','198.18.8.0/24',1793782800,1793782800,NULL,0,NULL,1);
CREATE INDEX generation_log ON generation (log);
CREATE INDEX failure_imported ON failure (time) WHERE generation IS NULL;
CREATE UNIQUE INDEX origin_imported ON origin (hostname, reverse_dns, country, asn, aso)
    WHERE address IS NULL;
CREATE INDEX origin_pending ON origin (id) WHERE reverse_dns IS NULL;
CREATE INDEX name_asked ON name (asked);
CREATE INDEX failure_time ON failure (time);
CREATE INDEX been_network ON been (network);
CREATE INDEX campaign_last ON campaign (last) WHERE joined IS NULL;
CREATE INDEX own_last ON own (last);
CREATE INDEX finding_name ON finding (name, account);
CREATE INDEX finding_open ON finding (severity, time) WHERE acknowledged IS NULL;
CREATE INDEX sign_network ON sign (network);
CREATE INDEX news_first ON news (first);
CREATE INDEX aim_campaign ON aim (recent, campaign);
CREATE INDEX campaign_group ON campaign (last) WHERE joined IS NULL AND (is_crowd OR sources > 2);
CREATE VIEW campaigns AS SELECT * FROM campaign_again UNION ALL SELECT * FROM campaign
    WHERE NOT EXISTS (SELECT 1 FROM campaign_again AS newer WHERE newer.id = campaign.id);
CREATE VIEW places AS SELECT * FROM place_again UNION ALL SELECT * FROM place;
CREATE INDEX source_again_address ON source_again (address);
CREATE INDEX source_again_campaign ON source_again (campaign);
CREATE INDEX source_campaign ON source (campaign);
CREATE VIEW sources AS SELECT address, campaign, first, last, failures, gap, regular, gaps, names
    FROM source_again AS again WHERE NOT EXISTS
        (SELECT 1 FROM source_again AS newer WHERE newer.address = again.address AND newer.id > again.id)
    UNION ALL SELECT * FROM source WHERE NOT EXISTS
        (SELECT 1 FROM source_again AS newer WHERE newer.address = source.address);
CREATE INDEX campaign_single ON campaign (first) WHERE joined IS NULL AND sources = 1 AND heavy = 0;
CREATE INDEX campaign_joined ON campaign (joined) WHERE joined IS NOT NULL;
CREATE INDEX been_new ON been_again (network) WHERE is_new;
CREATE VIEW whereabouts AS SELECT name, account, network, first, last, country, asn, aso FROM been_again
    UNION ALL SELECT * FROM been
    WHERE NOT EXISTS (SELECT 1 FROM been_again AS newer WHERE newer.name = been.name
        AND newer.account = been.account AND newer.network = been.network);
PRAGMA application_id = 1296847726;
PRAGMA user_version = 11;
