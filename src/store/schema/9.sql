-- What was changed of late stands apart (`recent`): src/store/casebook/recent.rs tells why, and which
-- row holds where there are two.
ALTER TABLE judgement ADD COLUMN recent INTEGER NOT NULL DEFAULT 0; -- failures and logins there

CREATE TABLE sources (
    recent INTEGER NOT NULL,
    address BLOB NOT NULL,          -- IPv4, or the first of a /64
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    regular INTEGER NOT NULL,
    gaps INTEGER NOT NULL,
    names BLOB NOT NULL,            -- each after its length in one byte
    PRIMARY KEY (recent, address)
) WITHOUT ROWID;
INSERT INTO sources SELECT 0, * FROM source;
DROP TABLE source;
ALTER TABLE sources RENAME TO source;
CREATE INDEX source_campaign ON source (recent, campaign);

CREATE TABLE aims (
    recent INTEGER NOT NULL,
    name NOT NULL,
    campaign INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    PRIMARY KEY (recent, name, campaign)
) WITHOUT ROWID;
INSERT INTO aims SELECT 0, * FROM aim;
DROP TABLE aim;
ALTER TABLE aims RENAME TO aim;
CREATE INDEX aim_campaign ON aim (recent, campaign);

CREATE TABLE logins (
    recent INTEGER NOT NULL,
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
    PRIMARY KEY (recent, name, account, network, day, service)
) WITHOUT ROWID;
INSERT INTO logins SELECT 0, * FROM login;
DROP TABLE login;
ALTER TABLE logins RENAME TO login;

-- Most campaigns are one bot, of which a day matters; of others, weeks.
CREATE INDEX campaign_group ON campaign (last) WHERE joined IS NULL AND (is_crowd OR sources > 2);
