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
