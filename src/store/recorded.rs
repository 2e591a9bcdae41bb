//! What was recorded after some point, failure by failure, for those who watch.

use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::Row;

use super::batch::Address;
use super::figures::text;
use super::{Store, StoreError};
use crate::untrusted::Untrusted;

/// A failed login with all that is known of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the order of all that is recorded.
    pub id: i64,
    /// When, to the second.
    pub time: Timestamp,
    /// The client.
    pub address: IpAddr,
    /// The account that was tried, if the line named one.
    pub user: Option<Untrusted>,
    /// The host that logged it.
    pub server: Option<Untrusted>,
    /// The syslog tag without its last part.
    pub service: Option<Untrusted>,
    /// The SASL mechanism.
    pub mechanism: Option<Untrusted>,
    /// The reason as the server gave it.
    pub reason: Option<Untrusted>,
    /// The name of the address.
    pub hostname: Option<Untrusted>,
    /// `OK` or `Errno N`.
    pub reverse_dns: String,
    /// Two letters.
    pub country: Option<String>,
    /// The number of the network.
    pub asn: Option<u32>,
    /// Who runs it.
    pub aso: Option<Untrusted>,
}

impl Store {
    /// The id of what was recorded last.
    pub fn newest_failure(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM failure";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|e| self.error("read", e))
    }

    /// What was recorded after id `after`, at most `count`, and no more once it is `bytes` long.
    pub fn recorded(
        &self,
        after: i64,
        (count, bytes): (u32, usize),
    ) -> Result<Vec<Recorded>, StoreError> {
        let sql = "SELECT failure.id, time, failure.address, user, server, service, mechanism, \
                reason, hostname, reverse_dns, country, asn, aso \
            FROM failure JOIN manner ON manner.id = manner JOIN origin ON origin.id = origin \
            WHERE failure.id > ? ORDER BY failure.id LIMIT ?";
        let read = || -> rusqlite::Result<_> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query((after, count))?;
            let (mut events, mut length) = (Vec::new(), 0);
            while length < bytes
                && let Some(row) = rows.next()?
            {
                let event = recorded(row)?;
                length += event.user.as_ref().map_or(0, |user| user.as_bytes().len());
                length += event.reason.as_ref().map_or(0, |reason| reason.as_bytes().len());
                events.push(event);
            }
            Ok(events)
        };
        read().map_err(|e| self.error("read", e))
    }
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    Ok(Recorded {
        id: row.get(0)?,
        time: Timestamp::from_second(row.get(1)?).unwrap_or_default(),
        address: row.get::<_, Address>(2)?.0,
        user: text(row, 3)?,
        server: text(row, 4)?,
        service: text(row, 5)?,
        mechanism: text(row, 6)?,
        reason: text(row, 7)?,
        hostname: text(row, 8)?,
        reverse_dns: row.get::<_, Option<String>>(9)?.unwrap_or_default(),
        country: row.get(10)?,
        asn: row.get(11)?,
        aso: text(row, 12)?,
    })
}
