//! Why failures are the user's own: what the judge went by, as far as it is still known.

use rusqlite::params;

use super::casebook::rows::read_been;
use super::{Store, StoreError};
use crate::campaign::{Been, Own};
use crate::untrusted::Untrusted;
use crate::user_name::{may_be_same, name_of};

/// What speaks for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This account logged in from the same network.
    SameNetwork(Untrusted),
    /// It fails at the steady pace of a device.
    Device,
    /// This account logged in through the same provider.
    SameProvider(Untrusted),
    /// So many accounts log in from that network.
    Shared(u64),
}

impl Store {
    /// The strongest reason that is known now; none if the logins that it was are forgotten.
    pub fn reason(&self, own: &Own) -> Result<Option<Reason>, StoreError> {
        let read = || -> rusqlite::Result<Option<Reason>> {
            let been = read_been(&self.connection, &name_of(own.user.as_bytes()))?;
            let who = |is_meant: &dyn Fn(&Been) -> bool| {
                let is_it = |it: &&Been| {
                    may_be_same(it.account.as_bytes(), own.user.as_bytes()) && is_meant(it)
                };
                been.iter().find(is_it).map(|it| it.account.clone())
            };
            if let Some(account) = who(&|it| it.network == own.network) {
                return Ok(Some(Reason::SameNetwork(account)));
            }
            if own.is_device() {
                return Ok(Some(Reason::Device));
            }
            if let Some(account) = who(&|it| own.number != 0 && it.number == own.number) {
                return Ok(Some(Reason::SameProvider(account)));
            }
            let sql = "SELECT count(DISTINCT account) FROM whereabouts WHERE network = ?";
            let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            let accounts = self.connection.query_row(sql, params![own.network.cidr()], count)?;
            Ok((accounts > 1).then_some(Reason::Shared(accounts.unsigned_abs())))
        };
        read().map_err(|e| self.error("read", e))
    }
}
