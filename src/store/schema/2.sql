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
