//! What an hour changes stands apart from what a year left behind.
//!
//! Each bot, name and account has a row of its own, and among millions each row is in another page. So
//! what was changed of late is written where it is near one another, in tables `…_again`, and now and then
//! all is put in its place at once. Until then there may be two rows. What is in `source_again` and
//! `aim_again` (of which the last row holds), in `been_again` and `campaign_again` holds instead of what is
//! in `source`, `aim`, `been` and `campaign`; what is in `login_again` and `place_again` adds to `login` and
//! `place`. The views `sources`, `aims`, `whereabouts`, `campaigns`, `logins` and `places` have what holds.

use rusqlite::Connection;

use super::Casebook;

/// So many failures and logins are put in their places at once, which takes a second; the more wait, the
/// more pages an hour changes.
const MANY: i64 = 10_000;
/// Of so many that wait to be judged, most pages change anyway.
pub(super) const BACKLOG: i64 = 5_000;

/// Whether a row of `campaign` holds; the view `campaigns` has those that do.
pub(in crate::store) const CAMPAIGN_HOLDS: &str =
    "NOT EXISTS (SELECT 1 FROM campaign_again AS newer WHERE newer.id = campaign.id)";
/// What is known of where a login came from; the two agree, where there are both.
pub(in crate::store) const BEEN: &str = "LEFT JOIN been USING (name, account, network) \
    LEFT JOIN been_again AS again USING (name, account, network)";

/// Where a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// To rows in their places; there are no recent ones.
    Sorted = 0,
    /// To recent rows.
    Recent = 1,
}

impl Tier {
    /// Where to read.
    pub(super) fn all(self) -> &'static [Self] {
        match self {
            Self::Sorted => &[Self::Sorted],
            Self::Recent => &[Self::Recent, Self::Sorted],
        }
    }

    /// The table for campaigns that changed.
    pub(super) fn campaigns(self) -> &'static str {
        if self == Self::Recent { "campaign_again" } else { "campaign" }
    }

    /// The table for sources that campaigns have where.
    pub(super) fn places(self) -> &'static str {
        if self == Self::Recent { "place_again" } else { "place" }
    }

    /// The row that holds: the first that `look` finds.
    pub(super) fn find<T>(
        self,
        mut look: impl FnMut(Self) -> rusqlite::Result<Option<T>>,
    ) -> rusqlite::Result<Option<T>> {
        let mut found = self.all().iter().map(|tier| look(*tier));
        found.find_map(Result::transpose).transpose()
    }
}

impl Casebook<'_> {
    /// Chooses where to write what a transaction judges.
    pub(super) fn choose_tier(&mut self) -> rusqlite::Result<()> {
        let sql = "SELECT recent, (SELECT coalesce(max(id), 0) FROM failure) - last_failure + \
            (SELECT count(*) FROM news) FROM judgement";
        let count = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (recent, waiting) = self.connection.query_row(sql, [], count)?;
        self.tier = if waiting < BACKLOG { Tier::Recent } else { Tier::Sorted };
        if recent > 0 && (self.tier == Tier::Sorted || recent + waiting > MANY) {
            put_in_place(self.connection)?;
            self.has_moved = true;
        }
        if self.tier == Tier::Recent {
            let sql = "UPDATE judgement SET recent = recent + ?";
            self.connection.execute(sql, [waiting])?;
        }
        Ok(())
    }
}

/// Puts recent rows in their places.
pub(in crate::store) fn put_in_place(connection: &Connection) -> rusqlite::Result<()> {
    // In the order of the keys, so that each page is visited once.
    connection.execute_batch(
        "REPLACE INTO source SELECT address, campaign, first, last, failures, gap, regular, gaps, names \
             FROM source_again AS again WHERE NOT EXISTS (SELECT 1 FROM source_again AS newer \
             WHERE newer.address = again.address AND newer.id > again.id) ORDER BY address;
         DELETE FROM source_again;
         REPLACE INTO aim SELECT name, campaign, first, last, failures, sources FROM aim_again AS again \
             WHERE NOT EXISTS (SELECT 1 FROM aim_again AS newer WHERE newer.name = again.name \
             AND newer.campaign = again.campaign AND newer.id > again.id) ORDER BY name, campaign;
         DELETE FROM aim_again;
         INSERT INTO login SELECT name, account, network, day, service, count, first, last, address, \
             generation, position FROM login_again WHERE true \
             ORDER BY name, account, network, day, service, id \
             ON CONFLICT DO UPDATE SET count = count + excluded.count, \
             address = iif(first <= excluded.first, address, excluded.address), \
             generation = iif(first <= excluded.first, generation, excluded.generation), \
             position = iif(first <= excluded.first, position, excluded.position), \
             first = min(coalesce(first, excluded.first), excluded.first), \
             last = max(coalesce(last, excluded.last), excluded.last);
         DELETE FROM login_again;
         REPLACE INTO been SELECT name, account, network, first, last, country, asn, aso \
             FROM been_again ORDER BY name, account, network;
         DELETE FROM been_again;
         REPLACE INTO campaign SELECT * FROM campaign_again ORDER BY id;
         DELETE FROM campaign_again;
         INSERT INTO place SELECT * FROM place_again WHERE true ORDER BY campaign, country, asn \
             ON CONFLICT DO UPDATE SET sources = sources + excluded.sources;
         DELETE FROM place_again;
         UPDATE judgement SET recent = 0;",
    )
}
