//! Networks and accounts that the administrator vouches for, for a while or for good.

use std::net::IpAddr;

use ipnet::IpNet;
use rusqlite::params;

use super::{Store, StoreError};
use crate::untrusted::Untrusted;
use crate::user_name::may_be_same;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// A network as CIDR, or an account.
    pub what: String,
    /// Until when; `None`: for good.
    pub until: Option<i64>,
    /// Why.
    pub comment: Option<Untrusted>,
}

/// All entries, to be asked.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    networks: Vec<(IpNet, Option<i64>)>,
    names: Vec<(Untrusted, Option<i64>)>,
}

impl AllowList {
    /// Whether a client is vouched for at `time`.
    pub fn has_address(&self, address: IpAddr, time: i64) -> bool {
        let is =
            |(net, until): &(IpNet, Option<i64>)| net.contains(&address) && is_on(*until, time);
        self.networks.iter().any(is)
    }

    /// Whether an account is vouched for at `time`: by its name, and its domain if both have one.
    pub fn has_account(&self, user: &[u8], time: i64) -> bool {
        let is = |(name, until): &(Untrusted, Option<i64>)| {
            is_on(*until, time) && may_be_same(name.as_bytes(), user)
        };
        self.names.iter().any(is)
    }
}

fn is_on(until: Option<i64>, time: i64) -> bool {
    until.is_none_or(|until| time < until)
}

impl Store {
    /// All entries, in the order of their names.
    pub fn allowed(&self) -> Result<Vec<Allowed>, StoreError> {
        let sql = "SELECT what, until, comment FROM allowed ORDER BY what";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Allowed {
                    what: row.get(0)?,
                    until: row.get(1)?,
                    comment: super::figures::text(row, 2)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// The same, to be asked.
    pub fn allow_list(&self) -> Result<AllowList, StoreError> {
        let mut list = AllowList::default();
        for entry in self.allowed()? {
            match entry.what.parse::<IpNet>() {
                Ok(network) => list.networks.push((network, entry.until)),
                Err(_) => list.names.push((entry.what.as_str().into(), entry.until)),
            }
        }
        Ok(list)
    }

    /// Adds an entry, or changes it.
    pub fn allow(&mut self, entry: &Allowed, now: i64) -> Result<(), StoreError> {
        let sql = "REPLACE INTO allowed VALUES (?, ?, ?, ?)";
        let values = params![entry.what, entry.until, entry.comment, now];
        self.connection.execute(sql, values).map(drop).map_err(|e| self.error("write", e))
    }

    /// Removes an entry; false if there is none.
    pub fn disallow(&mut self, what: &str) -> Result<bool, StoreError> {
        let done = self.connection.execute("DELETE FROM allowed WHERE what = ?", [what]);
        done.map(|rows| rows > 0).map_err(|e| self.error("write", e))
    }
}
