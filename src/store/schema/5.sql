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
