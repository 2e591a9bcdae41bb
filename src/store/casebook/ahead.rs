//! What the new failures and logins will ask for, read on two processors before they are judged.
//!
//! In a large store each bot, name and account is in another page, and to find those of an hour takes
//! longer than to judge them. A thread begins while the CSV is written, which waits for the disk; the one
//! that judges then takes its share of what is left.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

use super::Casebook;
use super::aims::{Active, read_aim, read_aims, since};
use super::read::{read_been, read_campaign, read_news, read_source, read_tried};
use super::recent::{BACKLOG, Tier};
use crate::campaign::{Aim, Been, Campaign, LIST_ASKED, Source, Tried, source_of};
use crate::store::{Store, StoreError};
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

/// For fewer failures, another connection saves next to nothing.
const WORTH: i64 = 600;
/// So many are taken at a time.
const SHARE: usize = 16;
/// So many aims are read at most: a name that everybody tries has thousands.
const MOST_AIMS: usize = 20_000;

/// What is being read.
pub struct Ahead {
    plan: Receiver<Arc<Plan>>,
    thread: Option<JoinHandle<Option<Found>>>,
    stop: Arc<AtomicBool>,
    /// SQLite's `data_version` of the connection that judges: what others commit changes it.
    version: i64,
}

/// What is to be read.
struct Plan {
    wanted: Vec<Wanted>,
    /// The first that nobody has taken.
    next: AtomicUsize,
    /// The names of which somebody reads the logins, and those of which somebody reads all aims.
    been: Mutex<BTreeSet<Untrusted>>,
    aims: Mutex<BTreeSet<Untrusted>>,
    /// How many aims were read.
    aims_read: AtomicUsize,
    horizon: i64,
    active: Active,
    stop: Arc<AtomicBool>,
}

enum Wanted {
    /// What is asked about a failure, the first of its source.
    Failure(Tried),
    /// Where the accounts of a name logged in.
    Been(Untrusted),
}

/// What was found.
#[derive(Default)]
struct Found {
    sources: Vec<(IpAddr, Option<Source>)>,
    been: Vec<(Untrusted, Vec<Been>)>,
    /// All at a name.
    aims: Vec<(Untrusted, Vec<Aim>)>,
    /// One at a name.
    aim: Vec<(Untrusted, Aim)>,
}

impl Store {
    /// Begins to read, if that is worth it, what judging at most `most` failures and logins will ask for:
    /// what campaigns did up to `back` seconds before the first of them matters.
    pub fn read_ahead(&self, most: usize, back: i64) -> Result<Option<Ahead>, StoreError> {
        let sql = "SELECT (SELECT coalesce(max(id), 0) FROM failure) - last_failure FROM judgement";
        let number = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let read = number(sql).and_then(|waiting| Ok((waiting, number("PRAGMA data_version")?)));
        let (waiting, version) = read.map_err(|e| self.error("read", e))?;
        if !(WORTH..BACKLOG).contains(&waiting) {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (path, stopped) = (self.path.clone(), Arc::clone(&stop));
        let (sender, plan) = channel();
        let thread = std::thread::Builder::new()
            .spawn(move || work(&path, (most, back), stopped, &sender).ok());
        Ok(thread.ok().map(|thread| Ahead { plan, thread: Some(thread), stop, version }))
    }
}

impl Casebook<'_> {
    /// Reads the rest, and takes all; only at the start of the first transaction.
    pub fn take(&mut self, mut ahead: Ahead) -> Result<(), StoreError> {
        let version =
            self.connection.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0));
        if version.map_err(|e| self.error(e))? != ahead.version {
            return Ok(());
        }
        // What the thread could not read is read when it is asked for.
        let Ok(plan) = ahead.plan.recv() else { return Ok(()) };
        let here = plan.read(self.connection, self.tier).map_err(|e| self.error(e))?;
        let there = ahead.thread.take().and_then(|thread| thread.join().ok()).flatten();
        (self.horizon, self.active) = (plan.horizon, plan.active);
        for found in [Some(here), there].into_iter().flatten() {
            for (address, source) in found.sources {
                self.sources.read(address, source);
            }
            for (name, been) in found.been {
                self.been.read(name, Some(been));
            }
            for (name, aims) in found.aims {
                self.aims.read(name, aims);
            }
            for (name, aim) in found.aim {
                self.aims.read_one(name, aim);
            }
        }
        Ok(())
    }
}

impl Drop for Ahead {
    /// Who closes a store last puts all in its file, and that is not to be this one.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What the thread does, by a connection of its own.
fn work(
    path: &Path,
    (most, back): (usize, i64),
    stop: Arc<AtomicBool>,
    plans: &Sender<Arc<Plan>>,
) -> rusqlite::Result<Found> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // One state of the store, whatever is committed meanwhile.
    let connection = connection.unchecked_transaction()?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let after = number("SELECT last_failure FROM judgement")?;
    let mut tried = read_tried(&connection, after, most)?;
    let news = read_news(&connection, (i64::MIN, 0), i64::MAX, most)?;
    let Some(first) = tried.first() else { return Ok(Found::default()) };
    let horizon = first.time - back;
    let next_id = number("SELECT coalesce(max(id), 0) + 1 FROM campaign")?;
    let active = Active::read(&connection, horizon, next_id)?;
    // In the order of the tables' keys: what is near one another is read in turn.
    tried.sort_by_key(|it| source_of(it.address));
    tried.dedup_by_key(|it| source_of(it.address));
    let names: BTreeSet<_> = news.iter().map(|news| name_of(news.account.as_bytes())).collect();
    let failures = tried.into_iter().map(Wanted::Failure);
    let wanted = failures.chain(names.into_iter().map(Wanted::Been)).collect();
    let plan = Arc::new(Plan {
        wanted,
        next: AtomicUsize::new(0),
        been: Mutex::default(),
        aims: Mutex::default(),
        aims_read: AtomicUsize::new(0),
        horizon,
        active,
        stop,
    });
    // Nobody waits for it if the run is over.
    drop(plans.send(Arc::clone(&plan)));
    plan.read(&connection, Tier::Recent)
}

impl Plan {
    /// Reads until all is taken.
    fn read(&self, connection: &Connection, tier: Tier) -> rusqlite::Result<Found> {
        let mut found = Found::default();
        while !self.stop.load(Ordering::Relaxed) {
            let start = self.next.fetch_add(SHARE, Ordering::Relaxed);
            let end = self.wanted.len().min(start + SHARE);
            let Some(share) = self.wanted.get(start..end) else { break };
            for wanted in share {
                match wanted {
                    Wanted::Failure(tried) => {
                        self.read_about(tried, (connection, tier), &mut found)?;
                    }
                    Wanted::Been(name) => self.read_been(name, connection, &mut found)?,
                }
            }
        }
        Ok(found)
    }

    fn read_about(
        &self,
        tried: &Tried,
        (connection, tier): (&Connection, Tier),
        found: &mut Found,
    ) -> rusqlite::Result<()> {
        let (name, address) = (&tried.name, source_of(tried.address));
        let source = read_source(connection, tier, address)?;
        if source.as_ref().is_none_or(|source| !source.is_nobodys()) {
            self.read_been(name, connection, found)?;
        }
        if let Some(source) = &source {
            let aim = read_aim(connection, tier, (name, source.campaign))?;
            found.aim.extend(aim.map(|aim| (name.clone(), aim)));
            // Only who does more than others of its campaign is compared.
            let is_heavy = |campaign: &Campaign| !campaign.is_light() && !campaign.is_crowd;
            if source.completes_list(name)
                && read_campaign(connection, source.campaign)?.is_some_and(|it| is_heavy(&it))
            {
                let counts = (since(self.horizon), &self.active);
                for name in source.names.iter().take(LIST_ASKED) {
                    let is_room = self.aims_read.load(Ordering::Relaxed) < MOST_AIMS;
                    if is_room && is_first(&self.aims, name) {
                        let aims = read_aims(connection, name, counts, tier)?;
                        self.aims_read.fetch_add(aims.len(), Ordering::Relaxed);
                        found.aims.push((name.clone(), aims));
                    }
                }
            }
        }
        found.sources.push((address, source));
        Ok(())
    }

    fn read_been(
        &self,
        name: &Untrusted,
        connection: &Connection,
        found: &mut Found,
    ) -> rusqlite::Result<()> {
        if is_first(&self.been, name) {
            found.been.push((name.clone(), read_been(connection, name)?));
        }
        Ok(())
    }
}

/// Whether nobody took a name before.
fn is_first(names: &Mutex<BTreeSet<Untrusted>>, name: &Untrusted) -> bool {
    names.lock().is_ok_and(|mut names| !names.contains(name) && names.insert(name.clone()))
}
