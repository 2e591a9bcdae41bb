-- As 11 did for sources: what campaigns did to names of late, and logins of late, in the order in which they
-- were written. Of what a campaign did to a name, the last row holds; logins add up.
CREATE TABLE aim_again (
    id INTEGER PRIMARY KEY,
    name NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL
);
INSERT INTO aim_again SELECT NULL, name, campaign, first, last, failures, sources
    FROM aim WHERE recent = 1 ORDER BY name, campaign;
CREATE INDEX aim_again_name ON aim_again (name, campaign);
CREATE INDEX aim_again_campaign ON aim_again (campaign);
CREATE TABLE kept (
    name NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (name, campaign)
) WITHOUT ROWID;
INSERT INTO kept SELECT name, campaign, first, last, failures, sources FROM aim WHERE recent = 0;
DROP TABLE aim;
ALTER TABLE kept RENAME TO aim;
CREATE INDEX aim_campaign ON aim (campaign);
CREATE VIEW aims AS SELECT name, campaign, first, last, failures, sources FROM aim_again AS again
    WHERE NOT EXISTS (SELECT 1 FROM aim_again AS newer
        WHERE newer.name = again.name AND newer.campaign = again.campaign AND newer.id > again.id)
    UNION ALL SELECT * FROM aim WHERE NOT EXISTS (SELECT 1 FROM aim_again AS newer
        WHERE newer.name = aim.name AND newer.campaign = aim.campaign);

CREATE TABLE login_again (
    id INTEGER PRIMARY KEY,
    name NOT NULL,
    account NOT NULL,
    network TEXT NOT NULL,
    day TEXT NOT NULL,
    service NOT NULL,
    count INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    address BLOB NOT NULL,
    generation INTEGER,
    position INTEGER
);
INSERT INTO login_again SELECT NULL, name, account, network, day, service, count, first, last, address,
    generation, position FROM login WHERE recent = 1 ORDER BY name, account, network, day, service;
CREATE INDEX login_again_name ON login_again (name, account);
CREATE TABLE kept (
    name NOT NULL,                  -- what the account is compared by
    account NOT NULL,
    network TEXT NOT NULL,          -- 203.0.113.0/24, 2001:db8::/64
    day TEXT NOT NULL,              -- local, YYYY-MM-DD
    service NOT NULL,               -- postfix/submission, dovecot/imap; '' if not known
    count INTEGER NOT NULL,
    first INTEGER,                  -- NULL: read by an early version
    last INTEGER,
    address BLOB,                   -- of the first, and where its line is
    generation INTEGER,
    position INTEGER,
    PRIMARY KEY (name, account, network, day, service)
) WITHOUT ROWID;
INSERT INTO kept SELECT name, account, network, day, service, count, first, last, address, generation,
    position FROM login WHERE recent = 0;
DROP TABLE login;
ALTER TABLE kept RENAME TO login;
CREATE VIEW logins AS SELECT name, account, network, day, service, count, first, last, address, generation,
    position FROM login_again UNION ALL SELECT * FROM login;

-- Why the last failure was the user's own: src/campaign.rs has the words. NULL: an earlier version did not say.
ALTER TABLE own ADD COLUMN because TEXT;

-- Whether whoever acknowledged a finding said that it was its user (1) or a thief (0); NULL: nobody was asked.
ALTER TABLE finding ADD COLUMN was_user INTEGER;

-- The last day, and the limits, by which all was gone that is too old.
CREATE TABLE forgotten (id INTEGER PRIMARY KEY, what TEXT NOT NULL);
