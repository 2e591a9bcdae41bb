//! What a day meant: what was judged of its failures, and what was told of it.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, params};

use super::batch::Address;
use super::judged::campaign_of;
use super::{Store, StoreError};
use crate::campaign::Campaign;
use crate::event::Network;
use crate::untrusted::Untrusted;
use crate::user_name::UNKNOWN;

/// The source that a failure is of; one of IPv6 is a /64.
macro_rules! source {
    () => {
        "CASE length(failure.address) WHEN 16 \
         THEN CAST(substr(failure.address, 1, 8) || zeroblob(8) AS BLOB) ELSE failure.address END"
    };
}
const SOURCE: &str = source!();
/// Whether a failure is of an own user.
const IS_OWN: &str = concat!(
    "(failure.id IN (SELECT failure FROM own_failure) OR EXISTS \
      (SELECT 1 FROM pardon WHERE pardon.address = ",
    source!(),
    " AND failure.time BETWEEN pardon.first AND pardon.last))"
);

/// What was judged of the failures of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Those of own users.
    pub own: u64,
    /// Campaigns that are worth showing, the largest share first: how many of the failures are theirs,
    /// and from how many sources.
    pub campaigns: Vec<(Campaign, u64, u64)>,
}

impl Store {
    /// What was judged of the failures from one time up to another.
    pub fn judged(&self, (from, to): (i64, i64)) -> Result<Judged, StoreError> {
        let read = || -> rusqlite::Result<Judged> {
            let sql =
                format!("SELECT count(*) FROM failure WHERE time >= ? AND time < ? AND {IS_OWN}");
            let own: i64 = self.connection.query_row(&sql, [from, to], |row| row.get(0))?;
            let sql = format!(
                "SELECT campaign, count(*), count(DISTINCT source) FROM (SELECT {SOURCE} AS source, \
                 (SELECT campaign FROM sources WHERE sources.address = {SOURCE}) AS campaign FROM failure \
                 WHERE time >= ? AND time < ? AND NOT {IS_OWN}) \
                 WHERE campaign IS NOT NULL GROUP BY campaign"
            );
            let mut statement = self.connection.prepare(&sql)?;
            let mut rows = statement.query([from, to])?;
            let mut campaigns = std::collections::BTreeMap::<i64, (Campaign, u64, u64)>::new();
            while let Some(row) = rows.next()? {
                let mut found = campaign_of(&self.connection, row.get(0)?)?;
                while let Some(id) = found.as_ref().and_then(|campaign| campaign.joined) {
                    found = campaign_of(&self.connection, id)?;
                }
                let Some(campaign) = found.filter(|campaign| campaign.number.is_some()) else {
                    continue;
                };
                let entry = campaigns.entry(campaign.id).or_insert((campaign, 0, 0));
                entry.1 += row.get::<_, i64>(1)?.unsigned_abs();
                entry.2 += row.get::<_, i64>(2)?.unsigned_abs();
            }
            let mut campaigns: Vec<_> = campaigns.into_values().collect();
            campaigns.sort_by_key(|(campaign, failures, _)| {
                (std::cmp::Reverse(*failures), campaign.number)
            });
            Ok(Judged { own: own.unsigned_abs(), campaigns })
        };
        read().map_err(|e| self.error("read", e))
    }

    /// How often a user failed from a network, from one time up to another.
    pub fn failures_of(
        &self,
        (user, network): (&Untrusted, Network),
        (from, to): (i64, i64),
    ) -> Result<u64, StoreError> {
        let user = Some(user).filter(|user| user.as_bytes() != UNKNOWN);
        let sql = "SELECT address FROM failure WHERE time >= ? AND time < ? AND user IS ?";
        let count = || -> rusqlite::Result<u64> {
            let mut statement = self.connection.prepare(sql)?;
            let addresses =
                statement.query_map(params![from, to, user], |row| row.get::<_, Address>(0))?;
            let mut count = 0;
            for address in addresses {
                count += u64::from(Network::of(address?.0) == network);
            }
            Ok(count)
        };
        count().map_err(|e| self.error("read", e))
    }

    /// Whether any log was read, or a CSV taken over.
    pub fn has_read(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM coverage) OR EXISTS (SELECT 1 FROM failure)";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|e| self.error("read", e))
    }

    /// Whether somebody of this name ever logged in.
    pub fn has_logged_in(&self, name: &Untrusted) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM logins WHERE name = ?)";
        self.connection.query_row(sql, [name], |row| row.get(0)).map_err(|e| self.error("read", e))
    }

    /// The days from the first login that is known up to this one.
    pub fn days_of_logins(&self, until: Date) -> Result<i64, StoreError> {
        let sql = "SELECT min(day) FROM coverage WHERE logins > 0";
        let first: Option<String> = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|e| self.error("read", e))?;
        let first = first.and_then(|day| day.parse::<Date>().ok());
        Ok(first.map_or(0, |first| i64::from((until - first).get_days()) + 1))
    }

    /// What was told of a day when it had so many failures and logins.
    pub fn told(
        &self,
        day: Date,
        (failures, logins): (u64, u64),
    ) -> Result<Option<String>, StoreError> {
        let sql = "SELECT document FROM told WHERE day = ? AND failures = ? AND logins = ?";
        let values = params![day.to_string(), failures.cast_signed(), logins.cast_signed()];
        let read = self.connection.query_row(sql, values, |row| row.get(0)).optional();
        read.map_err(|e| self.error("read", e))
    }

    /// Keeps what was told of a day, so that its report is the same whenever it is made.
    pub fn tell(
        &mut self,
        day: Date,
        (failures, logins): (u64, u64),
        document: &str,
    ) -> Result<(), StoreError> {
        let sql = "REPLACE INTO told VALUES (?, ?, ?, ?)";
        let values =
            params![day.to_string(), failures.cast_signed(), logins.cast_signed(), document];
        self.connection.execute(sql, values).map(drop).map_err(|e| self.error("write", e))
    }
}
