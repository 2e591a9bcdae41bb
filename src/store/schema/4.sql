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
