//! What is known of attackers and of accounts: read as it is needed, changed in memory, written at the
//! end of a transaction.
//!
//! A first run judges millions of failures, an hourly one a thousand out of millions: so nothing is
//! loaded that is not asked for, and what is asked for again is kept.

mod ahead;
mod aims;
mod cache;
pub mod findings;
mod merge;
mod read;
pub(super) mod recent;
pub(super) mod rows;
pub mod thieves;
mod write;

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::civil::Date;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Store, StoreError};
use crate::campaign::{Been, Campaign, Own, Source};
use crate::event::Network;
use crate::origin::Country;
use crate::untrusted::Untrusted;

pub use ahead::{Ahead, ToJudge};
use aims::{Active, Aims};
use cache::Cache;
use recent::Tier;
use thieves::Thief;

/// How many entries of a kind are kept at a time, of some 200 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// For who stays for months, and would keep what a backlog took.
    Little = 2_000,
    /// For a run that ends.
    Much = 12_000,
}

/// So many networks of an account are looked at, the latest.
const MOST_BEEN: u32 = 1_000;

/// The campaign that was last seen near an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Which.
    pub campaign: i64,
    /// When.
    pub last: i64,
}

/// Logins of one kind, or what is new of them.
#[derive(Clone, Debug)]
pub struct News {
    /// Which row of those that are new.
    pub id: i64,
    /// The account.
    pub account: Untrusted,
    /// Where from.
    pub network: Network,
    /// The local day.
    pub day: String,
    /// By which service.
    pub service: Untrusted,
    /// How many.
    pub count: u64,
    /// The time of the first.
    pub first: i64,
    /// The time of the last.
    pub last: i64,
    /// The client of the first.
    pub address: IpAddr,
    /// The line of the first: file and place.
    pub place: (Option<i64>, Option<i64>),
}

/// A place of a campaign's sources: which campaign, the country, the network's number or 0.
type PlaceKey = (i64, Option<Country>, u32);

/// Transactions of judgements; what is dropped without [`Casebook::commit`] never was.
pub struct Casebook<'s> {
    connection: &'s Connection,
    transaction: Option<Transaction<'s>>,
    tier: Tier,
    path: &'s std::path::Path,
    campaigns: Cache<i64, Campaign>,
    sources: Cache<IpAddr, Source>,
    neighbours: Cache<IpAddr, Neighbour>,
    aims: Aims,
    own: Cache<Untrusted, Vec<Own>>,
    been: Cache<Untrusted, Vec<Been>>,
    thieves: Cache<Untrusted, Vec<Thief>>,
    /// What is to be added to rows that need not be read.
    days: HashMap<(Untrusted, Date), u64>,
    places: HashMap<PlaceKey, (Untrusted, i64)>,
    next_id: i64,
    next_number: i64,
    /// What campaigns did before that does not matter any more.
    horizon: i64,
    active: Active,
    room: Room,
    /// What comes of what is read ahead.
    ahead: Option<Ahead>,
    /// What was read ahead of logins, by the row of what is new of them.
    logins: HashMap<i64, Option<News>>,
    /// Neighbours of addresses that were read ahead, as they were before the transaction.
    near: HashMap<IpAddr, Option<Neighbour>>,
    /// Whether rows were put in their places, which were read before.
    has_moved: bool,
}

impl Store {
    /// What is known so far; see [`Casebook::begin`].
    pub fn open_casebook(&mut self, room: Room) -> Result<Casebook<'_>, StoreError> {
        let connection = &self.connection;
        if room == Room::Much {
            // An hour of a large server changes a thousand pages: each is to be written once.
            let set = connection.pragma_update(None, "cache_size", -12_000);
            set.map_err(|e| self.error("prepare", e))?;
        }
        let next_number = || {
            let sql = "SELECT last_number + 1 FROM judgement";
            connection.query_row(sql, [], |row| row.get::<_, i64>(0))
        };
        let read = next_id(connection).and_then(|id| Ok((id, next_number()?)));
        let (next_id, next_number) = read.map_err(|e| self.error("read", e))?;
        Ok(Casebook {
            next_id,
            next_number,
            horizon: i64::MIN,
            active: Active::default(),
            room,
            connection,
            transaction: None,
            tier: Tier::Recent,
            path: &self.path,
            campaigns: Cache::default(),
            sources: Cache::default(),
            neighbours: Cache::default(),
            aims: Aims::default(),
            own: Cache::default(),
            been: Cache::default(),
            thieves: Cache::default(),
            days: HashMap::default(),
            places: HashMap::default(),
            ahead: None,
            logins: HashMap::default(),
            near: HashMap::default(),
            has_moved: false,
        })
    }

    /// Whether there is nothing that was not judged.
    pub fn is_judged(&self) -> Result<bool, StoreError> {
        let sql = "SELECT (SELECT last_failure FROM judgement) >= (SELECT coalesce(max(id), 0) FROM \
            failure) AND NOT EXISTS (SELECT 1 FROM news)";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|e| self.error("read", e))
    }
}

impl Casebook<'_> {
    /// Starts a transaction.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        let begun = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate);
        self.transaction = Some(begun.map_err(|e| self.error(e))?);
        // Somebody may have acknowledged a finding meanwhile.
        self.thieves.clear();
        self.choose_tier().map_err(|e| self.error(e))
    }

    /// Writes all that changed, that failures and news up to these rows were judged, and the time of
    /// the first of all; what is in memory stays known.
    pub fn commit(
        &mut self,
        (last_failure, last_news): (i64, (i64, i64)),
        beginning: Option<i64>,
    ) -> Result<(), StoreError> {
        self.leave_ahead();
        let done = self.flush().and_then(|()| {
            let sql = "UPDATE judgement SET last_failure = ?, beginning = ?, last_number = ?";
            self.connection.execute(sql, (last_failure, beginning, self.next_number - 1))?;
            self.connection.execute("DELETE FROM news WHERE (first, id) <= (?, ?)", last_news)?;
            self.transaction.take().map_or(Ok(()), Transaction::commit)
        });
        done.map_err(|e| self.error(e))
    }

    /// The row after which failures are to be judged, and the time of the first that was.
    pub fn judged_so_far(&self) -> Result<(i64, Option<i64>), StoreError> {
        let sql = "SELECT last_failure, beginning FROM judgement";
        let read = self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        read.map_err(|e| self.error(e))
    }

    /// The row of the last failure that there is.
    pub fn latest_failure(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM failure";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|e| self.error(e))
    }

    /// The time of the last failure of any campaign.
    pub fn latest_campaign(&self) -> Result<i64, StoreError> {
        let sql = "SELECT max((SELECT coalesce(max(last), 0) FROM campaign WHERE joined IS NULL), \
            (SELECT coalesce(max(last), 0) FROM campaign_again WHERE joined IS NULL))";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|e| self.error(e))
    }

    /// A number for a new campaign.
    pub fn new_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// What people are to call a campaign that is worth showing from now on.
    pub fn new_number(&mut self) -> i64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// Takes what was read ahead, and keeps memory within bounds; call it after each failure and login.
    pub fn breathe(&mut self) -> Result<(), StoreError> {
        self.take_more();
        let added = self.days.len() + self.places.len();
        let all = [
            self.sources.len(),
            self.neighbours.len(),
            self.aims.len() / 4,
            self.own.len(),
            self.been.len() * 4 + self.thieves.len(),
            self.campaigns.len(),
            added,
        ];
        let most = self.room as usize;
        if all.iter().all(|kept| *kept < most) {
            return Ok(());
        }
        self.flush().map_err(|e| self.error(e))?;
        // What is forgotten here must not come back as it was.
        self.leave_ahead();
        // What is asked for most is kept, if others have grown.
        let [sources, neighbours, aims, own, been, campaigns, _] = all.map(|kept| kept >= most);
        if sources {
            self.sources.clear();
        }
        if neighbours {
            self.neighbours.clear();
        }
        if aims {
            self.aims.clear();
        }
        if own {
            self.own.clear();
        }
        if been {
            self.been.clear();
            self.thieves.clear();
        }
        if campaigns {
            self.campaigns.clear();
        }
        Ok(())
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { action: "write", path: self.path.to_owned(), source }
    }
}

/// The row of the next campaign.
fn next_id(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max((SELECT coalesce(max(id), 0) FROM campaign), \
        (SELECT coalesce(max(id), 0) FROM campaign_again)) + 1";
    connection.query_row(sql, [], |row| row.get(0))
}
