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
