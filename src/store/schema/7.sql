-- Logins that went well and messages sent after one; what is older than this table knows no times.
CREATE TABLE went_well (
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
INSERT INTO went_well SELECT lower(substr(CASE instr(account, '@') WHEN 0 THEN account
    ELSE substr(account, 1, instr(account, '@') - 1) END, 1, 64)), account, network, day, '', count,
    NULL, NULL, NULL, NULL, NULL FROM login;
DROP TABLE login;
ALTER TABLE went_well RENAME TO login;

-- Rows of `login` that have something to judge: apart, lest what was judged be written among millions.
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
CREATE INDEX news_first ON news (first);

-- Where accounts have been: of all days of `login` that were judged.
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
CREATE INDEX been_network ON been (network);

-- How far failures were judged, and the time of the first of all that was.
CREATE TABLE judgement (last_failure INTEGER NOT NULL, beginning INTEGER);
INSERT INTO judgement VALUES (0, NULL);

-- Sources that belong together; src/campaign.rs tells what the columns mean.
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
CREATE INDEX campaign_last ON campaign (last) WHERE joined IS NULL;

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
CREATE INDEX source_campaign ON source (campaign);

CREATE TABLE aim (
    name NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (name, campaign)
) WITHOUT ROWID;
CREATE INDEX aim_campaign ON aim (campaign);

CREATE TABLE place (
    campaign INTEGER NOT NULL,
    country TEXT NOT NULL,          -- '' if not known
    asn INTEGER NOT NULL,           -- 0 if not known
    aso NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (campaign, country, asn)
) WITHOUT ROWID;

-- Sources of one campaign that turned up in what another one does.
CREATE TABLE link (
    campaign INTEGER NOT NULL,
    other INTEGER NOT NULL,
    before NOT NULL,                -- the name that the source had tried,
    name NOT NULL,                  -- and the one of the other's that it then did
    PRIMARY KEY (campaign, other, before, name)
) WITHOUT ROWID;

-- Failures of each name by local days.
CREATE TABLE name_day (
    name NOT NULL,
    day TEXT NOT NULL,              -- YYYY-MM-DD
    failures INTEGER NOT NULL,
    PRIMARY KEY (day, name)         -- so that a day's are near one another
) WITHOUT ROWID;

-- Failures of an account's own user.
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
CREATE INDEX own_last ON own (last);

-- Each of them, but for those of sources of which that turned out later.
CREATE TABLE own_failure (failure INTEGER PRIMARY KEY);
-- The first failures of devices where their accounts never logged in.
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

-- Accounts that may be stolen, each with its signs.
CREATE TABLE finding (
    id INTEGER PRIMARY KEY,
    name NOT NULL,                  -- what the account is compared by
    account NOT NULL,
    severity INTEGER NOT NULL,      -- 1 low, 2 medium, 3 high
    time INTEGER NOT NULL,          -- of the first sign
    acknowledged INTEGER,           -- when; NULL: it is open
    comment TEXT
);
CREATE INDEX finding_name ON finding (name, account);
CREATE INDEX finding_open ON finding (severity, time) WHERE acknowledged IS NULL;

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
CREATE INDEX sign_network ON sign (network);

-- What was told of days that are over.
CREATE TABLE told (
    day TEXT PRIMARY KEY,           -- YYYY-MM-DD
    failures INTEGER NOT NULL,      -- as many as it had then
    logins INTEGER NOT NULL,
    document TEXT NOT NULL          -- JSON of src/meaning.rs
) WITHOUT ROWID;

-- What is nobody's attack and no sign of theft, as the administrator says.
CREATE TABLE allowed (
    what TEXT PRIMARY KEY,          -- a network as CIDR, or an account
    until INTEGER,                  -- NULL: for good
    comment TEXT,
    added INTEGER NOT NULL
) WITHOUT ROWID;

-- What user names of old failures are hashed with, and up to which failure they were.
CREATE TABLE pseudonym (key BLOB NOT NULL, done INTEGER NOT NULL);

-- Alerts that are to leave, or have left, each by one way.
CREATE TABLE alert (
    finding INTEGER NOT NULL,
    way TEXT NOT NULL,              -- mail, webhook, command
    since INTEGER NOT NULL,
    sent INTEGER,                   -- NULL: not yet
    trouble TEXT,
    PRIMARY KEY (finding, way)
) WITHOUT ROWID;

-- What an earlier version took over from a CSV, whatever stood there as a network's number.
UPDATE origin SET asn = NULL WHERE typeof(asn) <> 'integer' OR asn NOT BETWEEN 0 AND 4294967295;
