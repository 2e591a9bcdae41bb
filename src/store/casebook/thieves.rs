//! Who got in to an account and was not its user, by its findings.

use std::rc::Rc;

use super::Casebook;
use super::findings::read_finding;
use crate::event::Network;
use crate::store::StoreError;
use crate::untrusted::Untrusted;
use crate::user_name::may_be_same;

/// From where somebody got in to an account who was not its user.
#[derive(Clone, Debug)]
pub struct Thief {
    /// The account.
    pub account: Untrusted,
    /// Where he was.
    pub network: Network,
    /// When somebody saw to it.
    pub seen_to: Option<i64>,
}

impl Thief {
    /// Whether he was in this network as this user, with or without the domain.
    pub fn is_at(&self, network: Network, user: &Untrusted) -> bool {
        self.network == network && may_be_same(self.account.as_bytes(), user.as_bytes())
    }
}

impl Casebook<'_> {
    /// From where thieves got in to accounts of this name.
    pub fn thieves(&mut self, name: &Untrusted) -> Result<Rc<Vec<Thief>>, StoreError> {
        self.read_thieves(name).map_err(|e| self.error(e))
    }

    pub(super) fn read_thieves(&mut self, name: &Untrusted) -> rusqlite::Result<Rc<Vec<Thief>>> {
        let connection = self.connection;
        let load = || {
            let sql = "SELECT id FROM finding WHERE name = ? AND (severity = 3 OR was_user = 0) ORDER BY id";
            let mut statement = connection.prepare_cached(sql)?;
            let ids = statement.query_map([name], |row| row.get(0))?;
            let mut thieves = Vec::new();
            for id in ids.collect::<rusqlite::Result<Vec<i64>>>()? {
                let Some(finding) = read_finding(connection, id)? else { continue };
                thieves.extend(finding.stolen_from().into_iter().map(|network| Thief {
                    account: finding.account.clone(),
                    network,
                    seen_to: finding.acknowledged,
                }));
            }
            Ok(Some(thieves))
        };
        Ok(self.thieves.get(name, load)?.unwrap_or_default())
    }
}
