-- Sources that changed of late, in the order in which they were written: to write such rows costs a few
-- pages, where rows by address cost one each. The last of an address holds.
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
INSERT INTO source_again SELECT NULL, address, campaign, first, last, failures, gap, regular, gaps, names
    FROM source WHERE recent = 1 ORDER BY address;
CREATE INDEX source_again_address ON source_again (address);
CREATE INDEX source_again_campaign ON source_again (campaign);
CREATE TABLE kept (
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
INSERT INTO kept SELECT address, campaign, first, last, failures, gap, regular, gaps, names
    FROM source WHERE recent = 0;
DROP TABLE source;
ALTER TABLE kept RENAME TO source;
CREATE INDEX source_campaign ON source (campaign);
CREATE VIEW sources AS SELECT address, campaign, first, last, failures, gap, regular, gaps, names
    FROM source_again AS again WHERE NOT EXISTS
        (SELECT 1 FROM source_again AS newer WHERE newer.address = again.address AND newer.id > again.id)
    UNION ALL SELECT * FROM source WHERE NOT EXISTS
        (SELECT 1 FROM source_again AS newer WHERE newer.address = source.address);

-- Bots by themselves, of which a day matters.
CREATE INDEX campaign_single ON campaign (first) WHERE joined IS NULL AND sources = 1 AND heavy = 0;
-- Which campaigns are part of another.
CREATE INDEX campaign_joined ON campaign (joined) WHERE joined IS NOT NULL;

-- Where accounts were of late: such a row holds instead of the one in `been`, if there is one.
CREATE TABLE late (
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
INSERT INTO late SELECT name, account, network, first, max(been.last, again.last), country, asn, aso, 0
    FROM been_again AS again CROSS JOIN been USING (name, account, network);
DROP TABLE been_again;
ALTER TABLE late RENAME TO been_again;
CREATE INDEX been_new ON been_again (network) WHERE is_new;
CREATE VIEW whereabouts AS SELECT name, account, network, first, last, country, asn, aso FROM been_again
    UNION ALL SELECT * FROM been
    WHERE NOT EXISTS (SELECT 1 FROM been_again AS newer WHERE newer.name = been.name
        AND newer.account = been.account AND newer.network = been.network);
