-- When accounts were last where they had been before, if that is later than `been` says: as `recent`, it
-- is put in its place later.
CREATE TABLE been_again (
    name NOT NULL,
    account NOT NULL,
    network TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (name, account, network)
) WITHOUT ROWID;

-- Campaigns that changed of late: instead of the row in `campaign`, if there is one, such a row holds.
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
CREATE VIEW campaigns AS SELECT * FROM campaign_again UNION ALL SELECT * FROM campaign
    WHERE NOT EXISTS (SELECT 1 FROM campaign_again AS newer WHERE newer.id = campaign.id);

-- Sources that campaigns have where, besides those in `place`.
CREATE TABLE place_again (
    campaign INTEGER NOT NULL,
    country TEXT NOT NULL,
    asn INTEGER NOT NULL,
    aso NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (campaign, country, asn)
) WITHOUT ROWID;
CREATE VIEW places AS SELECT * FROM place_again UNION ALL SELECT * FROM place;

-- The last number that a campaign got, which it may have lost since: no other is to get it.
ALTER TABLE judgement ADD COLUMN last_number INTEGER NOT NULL DEFAULT 0;
UPDATE judgement SET last_number = (SELECT coalesce(max(number), 0) FROM campaign);
