//! What campaigns did to each name. A name that everybody tries has thousands of them, of which one
//! changes at a time: so each is written by itself.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Casebook;
use crate::campaign::{Aim, Campaign};
use crate::store::StoreError;
use crate::untrusted::Untrusted;

/// The aims at the names that were asked for.
#[derive(Default)]
pub(super) struct Aims {
    names: HashMap<Untrusted, AtName, RandomState>,
    /// How many are in memory.
    kept: usize,
    /// The names at which some changed.
    changed: BTreeSet<Untrusted>,
}

/// Those at one name, in the order of their campaigns.
#[derive(Default)]
struct AtName {
    aims: Rc<Vec<Aim>>,
    /// The campaigns of those that are to be written or deleted.
    changed: BTreeSet<i64>,
}

impl Aims {
    pub(super) fn len(&self) -> usize {
        self.names.len() + self.kept
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.kept = 0;
    }

    /// Forgets what was read of a name; it must have been written.
    pub(super) fn forget(&mut self, name: &Untrusted) {
        if let Some(gone) = self.names.remove(name) {
            self.kept -= gone.aims.len();
        }
    }

    /// Writes what changed; it stays in memory.
    pub(super) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO aim VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
            first = excluded.first, last = excluded.last, failures = excluded.failures, \
            sources = excluded.sources";
        let mut put = connection.prepare_cached(sql)?;
        let sql = "DELETE FROM aim WHERE name = ? AND campaign = ?";
        let mut delete = connection.prepare_cached(sql)?;
        // In the order of the table's key, so that each page is visited once.
        for name in std::mem::take(&mut self.changed) {
            let Some(at_name) = self.names.get_mut(&name) else { continue };
            for campaign in std::mem::take(&mut at_name.changed) {
                let Some(it) = find(&at_name.aims, campaign) else {
                    delete.execute(params![name, campaign])?;
                    continue;
                };
                let (failures, sources) = (it.failures.cast_signed(), it.sources.cast_signed());
                put.execute(params![name, campaign, it.first, it.last, failures, sources])?;
            }
        }
        Ok(())
    }
}

impl Casebook<'_> {
    /// What campaigns did to a name of late, in the order of the campaigns.
    pub fn aims(&mut self, name: &Untrusted) -> Result<Rc<Vec<Aim>>, StoreError> {
        if let Some(known) = self.aims.names.get(name) {
            return Ok(Rc::clone(&known.aims));
        }
        let read = read(self.connection, name, self.horizon);
        let aims = Rc::new(read.map_err(|e| self.error(e))?);
        self.aims.kept += aims.len();
        let at_name = AtName { aims: Rc::clone(&aims), changed: BTreeSet::new() };
        self.aims.names.insert(name.clone(), at_name);
        Ok(aims)
    }

    /// What a campaign did to a name, however long ago.
    pub fn aim(
        &mut self,
        name: &Untrusted,
        campaign: &Campaign,
    ) -> Result<Option<Aim>, StoreError> {
        let known = find(&self.aims(name)?, campaign.id).cloned();
        if known.is_some() || campaign.first >= self.horizon {
            return Ok(known);
        }
        let sql = "SELECT campaign, first, last, failures, sources FROM aim \
            WHERE name = ? AND campaign = ?";
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row(params![name, campaign.id], aim).optional()
        };
        read().map_err(|e| self.error(e))
    }

    /// Notes what a campaign did to a name.
    pub fn put_aim(&mut self, name: &Untrusted, aim: Aim) -> Result<(), StoreError> {
        drop(self.aims(name)?);
        let Some(known) = self.aims.names.get_mut(name) else { return Ok(()) };
        known.changed.insert(aim.campaign);
        self.aims.changed.insert(name.clone());
        let aims = Rc::make_mut(&mut known.aims);
        match aims.binary_search_by_key(&aim.campaign, |it| it.campaign) {
            Ok(at) => {
                if let Some(known) = aims.get_mut(at) {
                    *known = aim;
                }
            }
            Err(at) => {
                aims.insert(at, aim);
                self.aims.kept += 1;
            }
        }
        Ok(())
    }

    /// Notes that these campaigns have nothing to do with a name any more.
    pub fn remove_aims(&mut self, name: &Untrusted, campaigns: &[i64]) -> Result<(), StoreError> {
        drop(self.aims(name)?);
        let Some(known) = self.aims.names.get_mut(name) else { return Ok(()) };
        let before = known.aims.len();
        Rc::make_mut(&mut known.aims).retain(|aim| !campaigns.contains(&aim.campaign));
        known.changed.extend(campaigns);
        self.aims.changed.insert(name.clone());
        self.aims.kept -= before - known.aims.len();
        Ok(())
    }
}

/// The aim of a campaign among those at a name.
pub fn find(aims: &[Aim], campaign: i64) -> Option<&Aim> {
    let at = aims.binary_search_by_key(&campaign, |aim| aim.campaign);
    at.ok().and_then(|at| aims.get(at))
}

fn read(connection: &Connection, name: &Untrusted, since: i64) -> rusqlite::Result<Vec<Aim>> {
    // What is common was tried by thousands over the years.
    let sql = "SELECT campaign, first, last, failures, sources FROM aim INDEXED BY aim_last \
        WHERE name = ? AND last >= ? ORDER BY campaign";
    connection.prepare_cached(sql)?.query_map(params![name, since], aim)?.collect()
}

fn aim(row: &Row<'_>) -> rusqlite::Result<Aim> {
    Ok(Aim {
        campaign: row.get(0)?,
        first: row.get(1)?,
        last: row.get(2)?,
        failures: row.get::<_, i64>(3)?.unsigned_abs(),
        sources: row.get::<_, i64>(4)?.unsigned_abs(),
    })
}
