//! What campaigns did to each name. A name that everybody tries has thousands of them, of which one
//! changes at a time: so each is written by itself.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Casebook;
use super::recent::Tier;
use crate::campaign::{Aim, Campaign};
use crate::store::StoreError;
use crate::untrusted::Untrusted;

/// So many aims of a name are read through before it matters which may still count.
const FEW: usize = 40;
/// So many old campaigns are asked for one by one.
const OLD: usize = 12;
const DAY: i64 = 86_400;

/// Which campaigns may still count. What is common was tried by thousands over the years: they are read
/// from the newest back, but for the oldest that go on.
#[derive(Clone, Copy, Default)]
pub(super) struct Active {
    /// From this time on they were active.
    since: Option<i64>,
    /// The oldest; 0, which none has, where there are fewer.
    old: [i64; OLD],
    /// The first after those.
    recent: i64,
}

impl Active {
    /// Whether one that was not active turned out to be part of a campaign that goes on.
    pub(super) fn misses(&self, id: i64) -> bool {
        id < self.recent && !self.old.contains(&id)
    }

    /// Says that it is to be read anew.
    pub(super) fn forget(&mut self) {
        self.since = None;
    }

    /// Whether this still tells which were active since `horizon`.
    fn holds(&self, horizon: i64) -> bool {
        self.since.is_some_and(|since| (since..since + 2 * DAY).contains(&horizon))
    }

    /// Reads it; the next campaign will be `next_id`.
    pub(super) fn read(
        connection: &Connection,
        horizon: i64,
        next_id: i64,
    ) -> rusqlite::Result<Self> {
        let since = since(horizon);
        let mut ids = BTreeSet::new();
        // Of one that is part of another by now, an old row may count here: that does no harm.
        for table in ["campaign INDEXED BY campaign_last", "campaign_again"] {
            let sql = format!(
                "SELECT id FROM {table} WHERE joined IS NULL AND last >= ? ORDER BY id LIMIT {OLD} + 1"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            for id in statement.query_map([since], |row| row.get(0))? {
                ids.insert(id?);
            }
        }
        let mut ids = ids.into_iter();
        let old = std::array::from_fn(|_| ids.next().unwrap_or_default());
        let recent = ids.next().unwrap_or(next_id);
        Ok(Self { since: Some(since), old, recent })
    }
}

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
    /// Whether these are all that may count, and not only what was noted.
    is_whole: bool,
    /// Campaigns of which no row was found.
    without: Vec<i64>,
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
            self.kept -= gone.aims.len() + gone.without.len();
        }
    }

    /// Notes all that was read of a name; gives it with what was noted before, which holds.
    pub(super) fn read(&mut self, name: Untrusted, aims: Vec<Aim>) -> Rc<Vec<Aim>> {
        let known = self.names.entry(name).or_default();
        if known.is_whole {
            return Rc::clone(&known.aims);
        }
        let mut aims = aims;
        for noted in known.aims.iter() {
            put(&mut aims, noted.clone());
        }
        self.kept += aims.len() - known.aims.len();
        known.aims = Rc::new(aims);
        known.is_whole = true;
        Rc::clone(&known.aims)
    }

    /// Notes what was read of a campaign, if nothing is known of it.
    pub(super) fn read_one(&mut self, name: Untrusted, campaign: i64, aim: Option<Aim>) {
        let known = self.names.entry(name).or_default();
        if known.is_whole || find(&known.aims, campaign).is_some() {
            return;
        }
        match aim {
            Some(aim) => put(Rc::make_mut(&mut known.aims), aim),
            None => known.without.push(campaign),
        }
        self.kept += 1;
    }

    /// Writes what changed; it stays in memory.
    pub(super) fn flush(&mut self, connection: &Connection, tier: Tier) -> rusqlite::Result<()> {
        let [mut delete, mut delete_again] = [
            connection.prepare_cached("DELETE FROM aim WHERE name = ? AND campaign = ?")?,
            connection.prepare_cached("DELETE FROM aim_again WHERE name = ? AND campaign = ?")?,
        ];
        // In the order of the table's key, so that each page is visited once.
        for name in std::mem::take(&mut self.changed) {
            let Some(at_name) = self.names.get_mut(&name) else { continue };
            for campaign in std::mem::take(&mut at_name.changed) {
                let Some(it) = find(&at_name.aims, campaign) else {
                    delete.execute(params![name, campaign])?;
                    delete_again.execute(params![name, campaign])?;
                    continue;
                };
                write_aim(connection, tier, (&name, it))?;
            }
        }
        Ok(())
    }
}

impl Casebook<'_> {
    /// Says up to when back it matters what campaigns did.
    pub fn look_back_to(&mut self, horizon: i64) -> Result<(), StoreError> {
        let is_back = horizon < self.horizon.saturating_sub(DAY);
        if self.active.holds(horizon) && !is_back {
            self.horizon = self.horizon.max(horizon);
            return Ok(());
        }
        self.horizon = horizon;
        let flushed = self.flush();
        if is_back {
            self.leave_ahead();
            // What was left out as too old may count again.
            self.aims.clear();
        }
        let read = flushed.and_then(|()| Active::read(self.connection, horizon, self.next_id));
        self.active = read.map_err(|e| self.error(e))?;
        Ok(())
    }

    /// What campaigns did to a name of late, in the order of the campaigns; older ones may be among them.
    pub fn aims(&mut self, name: &Untrusted) -> Result<Rc<Vec<Aim>>, StoreError> {
        if let Some(known) = self.aims.names.get(name).filter(|known| known.is_whole) {
            return Ok(Rc::clone(&known.aims));
        }
        let counts = (since(self.horizon), &self.active);
        let read = read_aims(self.connection, name, counts, self.tier);
        let aims = read.map_err(|e| self.error(e))?;
        Ok(self.aims.read(name.clone(), aims))
    }

    /// What a campaign did to a name, however long ago.
    pub fn aim(
        &mut self,
        name: &Untrusted,
        campaign: &Campaign,
    ) -> Result<Option<Aim>, StoreError> {
        if let Some(at_name) = self.aims.names.get(name) {
            let known = find(&at_name.aims, campaign.id).cloned();
            let is_all = at_name.is_whole && campaign.first >= since(self.horizon);
            // What changed and is not here was removed.
            if known.is_some()
                || is_all
                || at_name.changed.contains(&campaign.id)
                || at_name.without.contains(&campaign.id)
            {
                return Ok(known);
            }
        }
        // To read all would take far longer, and most are asked for one only.
        let read = read_aim(self.connection, self.tier, (name, campaign.id));
        let aim = read.map_err(|e| self.error(e))?;
        if aim.is_none() {
            self.aims.read_one(name.clone(), campaign.id, None);
        }
        Ok(aim)
    }

    /// Notes what a campaign did to a name.
    pub fn put_aim(&mut self, name: &Untrusted, aim: Aim) {
        let known = self.aims.names.entry(name.clone()).or_default();
        known.changed.insert(aim.campaign);
        self.aims.changed.insert(name.clone());
        let before = known.aims.len();
        let aims = Rc::make_mut(&mut known.aims);
        put(aims, aim);
        self.aims.kept += aims.len() - before;
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

/// Aims whose last failure was before are not read where it matters what campaigns did since `horizon`.
pub(super) fn since(horizon: i64) -> i64 {
    horizon.saturating_sub(DAY)
}

/// The aim of a campaign among those at a name.
fn find(aims: &[Aim], campaign: i64) -> Option<&Aim> {
    let at = aims.binary_search_by_key(&campaign, |aim| aim.campaign);
    at.ok().and_then(|at| aims.get(at))
}

/// Puts an aim in its place among others.
fn put(aims: &mut Vec<Aim>, aim: Aim) {
    match aims.binary_search_by_key(&aim.campaign, |it| it.campaign) {
        Ok(at) => {
            if let Some(known) = aims.get_mut(at) {
                *known = aim;
            }
        }
        Err(at) => aims.insert(at, aim),
    }
}

/// Those at a name that may count.
pub(super) fn read_aims(
    connection: &Connection,
    name: &Untrusted,
    (since, active): (i64, &Active),
    tier: Tier,
) -> rusqlite::Result<Vec<Aim>> {
    let mut aims = Vec::new();
    if tier == Tier::Recent {
        let sql = "SELECT campaign, first, last, failures, sources FROM aim_again \
            WHERE name = ? ORDER BY campaign, id DESC";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            aims.push(aim(row)?);
        }
    }
    let recent = aims.len();
    let sql = "SELECT campaign, first, last, failures, sources FROM aim \
        WHERE name = ? ORDER BY campaign DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([name])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        seen += 1;
        let campaign: i64 = row.get(0)?;
        if campaign < active.recent && seen > FEW {
            aims.extend(read_old(connection, name, campaign, active)?);
            break;
        }
        if row.get::<_, i64>(2)? >= since {
            aims.push(aim(row)?);
        }
    }
    // Recent ones are first, of these the last one, and hold.
    aims.sort_by_key(|aim| aim.campaign);
    if recent > 0 {
        aims.dedup_by_key(|aim| aim.campaign);
    }
    aims.retain(|aim| aim.last >= since);
    Ok(aims)
}

/// What the old campaigns that go on did to a name, of those up to `last`.
fn read_old(
    connection: &Connection,
    name: &Untrusted,
    last: i64,
    active: &Active,
) -> rusqlite::Result<Vec<Aim>> {
    let sql = "SELECT campaign, first, last, failures, sources FROM aim \
        WHERE name = ?1 AND campaign <= ?2 \
        AND campaign IN (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.raw_bind_parameter(1, name)?;
    statement.raw_bind_parameter(2, last)?;
    for (at, id) in active.old.iter().enumerate() {
        statement.raw_bind_parameter(at + 3, id)?;
    }
    let mut rows = statement.raw_query();
    let mut aims = Vec::new();
    while let Some(row) = rows.next()? {
        aims.push(aim(row)?);
    }
    Ok(aims)
}

/// What one campaign did to a name.
pub(super) fn read_aim(
    connection: &Connection,
    tier: Tier,
    (name, campaign): (&Untrusted, i64),
) -> rusqlite::Result<Option<Aim>> {
    tier.find(|tier| {
        let sql = match tier {
            Tier::Sorted => {
                "SELECT campaign, first, last, failures, sources FROM aim \
                 WHERE name = ? AND campaign = ?"
            }
            Tier::Recent => {
                "SELECT campaign, first, last, failures, sources FROM aim_again \
                 WHERE name = ? AND campaign = ? ORDER BY id DESC LIMIT 1"
            }
        };
        connection.prepare_cached(sql)?.query_row(params![name, campaign], aim).optional()
    })
}

/// Writes what a campaign did to a name.
pub(super) fn write_aim(
    connection: &Connection,
    tier: Tier,
    (name, aim): (&Untrusted, &Aim),
) -> rusqlite::Result<()> {
    let sql = match tier {
        Tier::Recent => "INSERT INTO aim_again VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        Tier::Sorted => {
            "INSERT INTO aim VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
             first = excluded.first, last = excluded.last, failures = excluded.failures, \
             sources = excluded.sources"
        }
    };
    let (failures, sources) = (aim.failures.cast_signed(), aim.sources.cast_signed());
    let values = params![name, aim.campaign, aim.first, aim.last, failures, sources];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn aim(row: &Row<'_>) -> rusqlite::Result<Aim> {
    Ok(Aim {
        campaign: row.get(0)?,
        first: row.get(1)?,
        last: row.get(2)?,
        failures: row.get::<_, i64>(3)?.unsigned_abs(),
        sources: row.get::<_, i64>(4)?.unsigned_abs(),
    })
}
