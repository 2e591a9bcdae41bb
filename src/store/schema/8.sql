-- What was read of logins and not judged: as it came, which is cheaper to write than the rows of
-- `login`, each in another place. The judge puts it there.
CREATE TABLE read (
    id INTEGER PRIMARY KEY,
    account NOT NULL,
    network TEXT NOT NULL,
    day TEXT NOT NULL,
    service NOT NULL,
    count INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    address BLOB NOT NULL,
    generation INTEGER NOT NULL,
    position INTEGER NOT NULL
);
INSERT INTO read SELECT NULL, account, network, day, service, count - judged, first, last, address,
    generation, position
    FROM (SELECT login.*, judged FROM news CROSS JOIN login USING (name, account, network, day, service))
    ORDER BY first;
UPDATE login SET count = (SELECT judged FROM news WHERE news.name = login.name
        AND news.account = login.account AND news.network = login.network AND news.day = login.day
        AND news.service = login.service)
    WHERE (name, account, network, day, service) IN
        (SELECT name, account, network, day, service FROM news);
DELETE FROM login WHERE count = 0;
DROP TABLE news;
ALTER TABLE read RENAME TO news;
CREATE INDEX news_first ON news (first);

-- How many failures of a campaign named a user with a domain, and without; of old ones nobody knows.
ALTER TABLE campaign ADD COLUMN full INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN bare INTEGER NOT NULL DEFAULT 0;
