//! What the new failures and logins will ask for, read by a thread before they are judged.
//!
//! In a large store each bot, name and account is in another page, and to find those of an hour takes
//! longer than to judge them. The thread begins while the CSV is written, which waits for the disk, with
//! what is judged first, and stays ahead of the one that judges; what it has not read yet when it is asked
//! for, that one reads itself.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

use super::aims::{Active, read_aim, read_aims, since};
use super::recent::{BACKLOG, Tier};
use super::rows::{
    read_been, read_campaign, read_login, read_neighbour, read_news, read_source, read_tried,
};
use super::{Casebook, Neighbour, News, next_id};
use crate::campaign::{Aim, Been, Campaign, LIST_ASKED, Source, Tried, source_of};
use crate::store::schema::parse_once;
use crate::store::{Store, StoreError};
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

/// For fewer failures, another connection saves next to nothing.
const WORTH: i64 = 600;
/// So many are read and handed over at a time.
const SHARE: usize = 16;
/// So many aims are read at most: a name that everybody tries has thousands.
const MOST_AIMS: usize = 20_000;

/// What is being read.
pub struct Ahead {
    read: Receiver<Read>,
    thread: Option<JoinHandle<()>>,
    progress: Arc<Progress>,
    /// SQLite's `data_version` of the connection that judges: what others commit changes it.
    version: i64,
    /// Two campaigns became one since: what was read of aims does not hold.
    has_merged: bool,
}

/// Failures and logins that nobody has judged yet.
pub type ToJudge = (Vec<Tried>, Vec<News>);

/// What the one that judges tells the thread.
#[derive(Default)]
struct Progress {
    /// How many failures and logins were judged.
    judged: AtomicUsize,
    is_over: AtomicBool,
}

/// What the thread tells.
enum Read {
    /// At first: what is to be judged, and what of campaigns matters for it.
    New(Box<New>),
    /// Then what it found.
    Found(Found),
}

struct New {
    tried: Vec<Tried>,
    news: Vec<News>,
    horizon: i64,
    active: Active,
}

/// What will be asked.
enum Wanted {
    /// About a failure, the first of its source.
    Failure(Tried),
    /// About a login.
    Login(News),
}

/// What was found.
#[derive(Default)]
struct Found {
    sources: Vec<(IpAddr, Option<Source>)>,
    neighbours: Vec<(IpAddr, Option<Neighbour>)>,
    been: Vec<(Untrusted, Vec<Been>)>,
    /// All at a name.
    aims: Vec<(Untrusted, Vec<Aim>)>,
    /// That of a campaign at a name.
    aim: Vec<(Untrusted, i64, Option<Aim>)>,
    /// What is in its place of logins of a kind, by the row of what is new of them.
    logins: Vec<(i64, Option<News>)>,
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
        let (path, progress) = (self.path.clone(), Arc::<Progress>::default());
        let (sender, read) = channel();
        let told = Arc::clone(&progress);
        let thread = std::thread::Builder::new().spawn(move || {
            // What it could not read is read when it is asked for.
            drop(work(&path, (most, back), &told, &sender));
        });
        let thread = thread.ok().map(Some);
        Ok(thread.map(|thread| Ahead { read, thread, progress, version, has_merged: false }))
    }
}

impl Casebook<'_> {
    /// Takes what is read ahead, now and when it comes; only at the start of the first transaction. Gives
    /// what is to be judged.
    pub fn take(&mut self, ahead: Ahead) -> Result<Option<ToJudge>, StoreError> {
        if self.has_moved {
            return Ok(None);
        }
        let version =
            self.connection.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0));
        if version.map_err(|e| self.error(e))? != ahead.version {
            return Ok(None);
        }
        let Ok(Read::New(new)) = ahead.read.recv() else { return Ok(None) };
        (self.horizon, self.active) = (new.horizon, new.active);
        self.ahead = Some(ahead);
        Ok(Some((new.tried, new.news)))
    }

    /// Takes what was read meanwhile; after each failure and login.
    pub(super) fn take_more(&mut self) {
        let Some(ahead) = &self.ahead else { return };
        ahead.progress.judged.fetch_add(1, Ordering::Relaxed);
        while let Some(Ok(Read::Found(found))) = self.ahead.as_ref().map(|it| it.read.try_recv()) {
            self.note_found(found);
        }
    }

    /// Asks for nothing more: what was or will be read does not hold.
    pub(super) fn leave_ahead(&mut self) {
        self.ahead = None;
        self.near.clear();
        self.logins.clear();
    }

    /// What is read of aims from now on does not hold: rows of two campaigns were put together.
    pub(super) fn take_no_aims(&mut self) {
        if let Some(ahead) = &mut self.ahead {
            ahead.has_merged = true;
        }
    }

    /// Notes what was read of rows of which nothing is known: of others, what is known holds.
    fn note_found(&mut self, found: Found) {
        for (address, source) in found.sources {
            self.sources.read(address, source);
        }
        self.near.extend(found.neighbours);
        self.logins.extend(found.logins);
        for (name, been) in found.been {
            self.been.read(name, Some(been));
        }
        if self.ahead.as_ref().is_some_and(|ahead| ahead.has_merged) {
            return;
        }
        for (name, aims) in found.aims {
            self.aims.read(name, aims);
        }
        for (name, campaign, aim) in found.aim {
            self.aims.read_one(name, campaign, aim);
        }
    }
}

impl Drop for Ahead {
    /// Who closes a store last puts all in its file, and that is not to be this one.
    fn drop(&mut self) {
        self.progress.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What the thread does, by a connection of its own.
fn work(
    path: &Path,
    (most, back): (usize, i64),
    progress: &Progress,
    sender: &Sender<Read>,
) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    parse_once(&connection)?;
    // One state of the store, whatever is committed meanwhile.
    let connection = connection.unchecked_transaction()?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let after = number("SELECT last_failure FROM judgement")?;
    let tried = read_tried(&connection, after, most)?;
    let news = read_news(&connection, (i64::MIN, 0), i64::MAX, most)?;
    let Some(first) = tried.first() else { return Ok(()) };
    let horizon = first.time - back;
    let active = Active::read(&connection, horizon, next_id(&connection)?)?;
    let wanted = wanted(&tried, &news);
    if sender.send(Read::New(Box::new(New { tried, news, horizon, active }))).is_err() {
        return Ok(());
    }
    let mut reader = Reader {
        connection: &connection,
        horizon,
        active,
        been: HashMap::new(),
        aims: HashSet::new(),
        aims_read: 0,
    };
    for share in wanted.chunks(SHARE) {
        let mut found = Found::default();
        for (place, wanted) in share {
            if progress.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            // The one that judges has come to this, and reads it itself.
            if *place <= progress.judged.load(Ordering::Relaxed) {
                continue;
            }
            match wanted {
                Wanted::Failure(tried) => reader.read_about(tried, &mut found)?,
                Wanted::Login(news) => reader.read_login(news, &mut found)?,
            }
        }
        if sender.send(Read::Found(found)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// What will be asked, in the order of judging, each with its place in that.
fn wanted(tried: &[Tried], news: &[News]) -> Vec<(usize, Wanted)> {
    let failures = tried.iter().map(|tried| (tried.time, Wanted::Failure(tried.clone())));
    let logins = news.iter().map(|news| (news.first, Wanted::Login(news.clone())));
    let mut all: Vec<_> = failures.chain(logins).collect();
    all.sort_by_key(|(time, _)| *time);
    let mut sources = HashSet::new();
    let mut is_first = |wanted: &Wanted| match wanted {
        Wanted::Failure(tried) => sources.insert(source_of(tried.address)),
        Wanted::Login(_) => true,
    };
    let all = all.into_iter().enumerate().map(|(place, (_, wanted))| (place, wanted));
    all.filter(|(_, wanted)| is_first(wanted)).collect()
}

/// Reads each thing once.
struct Reader<'c> {
    connection: &'c Connection,
    horizon: i64,
    active: Active,
    /// The names of which the logins were read, and whether there are any.
    been: HashMap<Untrusted, bool>,
    /// Those of which all aims were.
    aims: HashSet<Untrusted>,
    /// How many aims were read.
    aims_read: usize,
}

impl Reader<'_> {
    fn read_about(&mut self, tried: &Tried, found: &mut Found) -> rusqlite::Result<()> {
        let (name, address) = (&tried.name, source_of(tried.address));
        let source = read_source(self.connection, Tier::Recent, address)?;
        let may_be_own = source.as_ref().is_none_or(|source| !source.is_nobodys());
        let is_users = may_be_own && self.read_been(name, found)?;
        if let Some(source) = &source {
            let aim = read_aim(self.connection, Tier::Recent, (name, source.campaign))?;
            found.aim.push((name.clone(), source.campaign, aim));
            // Only who does more than others of its campaign is compared.
            let is_heavy = |campaign: &Campaign| !campaign.is_light() && !campaign.is_crowd;
            if source.completes_list(name)
                && read_campaign(self.connection, source.campaign)?.is_some_and(|it| is_heavy(&it))
            {
                for name in source.names.iter().take(LIST_ASKED) {
                    self.read_aims(name, found)?;
                }
            }
        }
        if source.is_none() && !is_users {
            let neighbour = read_neighbour(self.connection, Tier::Recent, tried.address)?;
            found.neighbours.push((tried.address, neighbour));
        }
        found.sources.push((address, source));
        Ok(())
    }

    fn read_login(&mut self, news: &News, found: &mut Found) -> rusqlite::Result<()> {
        found.logins.push((news.id, read_login(self.connection, Tier::Sorted, news)?));
        self.read_been(&name_of(news.account.as_bytes()), found).map(drop)
    }

    fn read_aims(&mut self, name: &Untrusted, found: &mut Found) -> rusqlite::Result<()> {
        if self.aims_read < MOST_AIMS && self.aims.insert(name.clone()) {
            let counts = (since(self.horizon), &self.active);
            let aims = read_aims(self.connection, name, counts, Tier::Recent)?;
            self.aims_read += aims.len();
            found.aims.push((name.clone(), aims));
        }
        Ok(())
    }

    /// Whether anybody of this name logged in.
    fn read_been(&mut self, name: &Untrusted, found: &mut Found) -> rusqlite::Result<bool> {
        if let Some(is_some) = self.been.get(name) {
            return Ok(*is_some);
        }
        let been = read_been(self.connection, name)?;
        let is_some = !been.is_empty();
        self.been.insert(name.clone(), is_some);
        found.been.push((name.clone(), been));
        Ok(is_some)
    }
}
