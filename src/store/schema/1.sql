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
