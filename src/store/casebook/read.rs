//! What a judgement asks for, row by row.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::recent::{BEEN, CAMPAIGN_HOLDS, LAST_BEEN, Tier};
use super::{Casebook, MOST_BEEN, Neighbour, News};
use crate::campaign::{
    Been, Campaign, Own, Source, Tried, neighbourhood_of, neighbours_of, tool_of,
};
use crate::event::Network;
use crate::origin::{AutonomousSystem, Country};
use crate::pace::Pace;
use crate::store::StoreError;
use crate::store::batch::Address;
use crate::store::figures::text;
use crate::untrusted::Untrusted;
use crate::user_name::{Spelling, UNKNOWN, name_of};

/// The columns of campaigns.
pub(in crate::store) const CAMPAIGN: &str = "SELECT id, number, joined, tool, first, last, \
    failures, sources, heavy, names, is_crowd, gap, regular, gaps, asn, full, bare";
/// The columns of failures of own users.
pub(in crate::store) const OWN: &str =
    "SELECT user, network, tool, first, last, failures, gap, regular, gaps, asn FROM own";

/// Of the sources of a tier next to an address, the one seen last; the nearest few hundred on each
/// side, for a /48 may have tens of thousands. IPv4 and IPv6 lie among each other.
const NEIGHBOURS: &str = "SELECT campaign, last FROM ( \
    SELECT * FROM (SELECT campaign, last, address FROM source \
        WHERE recent = ?4 AND address BETWEEN ?1 AND ?2 AND length(address) = length(?2) \
        ORDER BY address DESC LIMIT 300) UNION ALL \
    SELECT * FROM (SELECT campaign, last, address FROM source \
        WHERE recent = ?4 AND address BETWEEN ?2 AND ?3 AND length(address) = length(?2) \
        ORDER BY address LIMIT 300)) ORDER BY last DESC LIMIT 1";

impl Casebook<'_> {
    /// Failures after row `after` in their order, at most `most`; those of a CSV that mixes them with
    /// successes are left out.
    pub fn tried(&self, after: i64, most: usize) -> Result<Vec<Tried>, StoreError> {
        read_tried(self.connection, after, most).map_err(|e| self.error(e))
    }

    /// What is new of logins, in the order of the first of each; from what comes after a row, which
    /// time and id tell, to what began at `until`; at most `most`.
    pub fn news(
        &self,
        after: (i64, i64),
        until: i64,
        most: usize,
    ) -> Result<Vec<News>, StoreError> {
        read_news(self.connection, after, until, most).map_err(|e| self.error(e))
    }

    /// A source, if it is known.
    pub fn source(&mut self, address: IpAddr) -> Result<Option<Rc<Source>>, StoreError> {
        let (connection, tier) = (self.connection, self.tier);
        let load = || read_source(connection, tier, address);
        self.sources.get(&address, load).map_err(|source| self.error(source))
    }

    /// The campaign that was last seen next to an address.
    pub fn neighbour(&mut self, address: IpAddr) -> Result<Option<Rc<Neighbour>>, StoreError> {
        let (connection, tier) = (self.connection, self.tier);
        let load = || {
            let mut statement = connection.prepare_cached(NEIGHBOURS)?;
            let (first, last) = neighbours_of(address);
            let [first, address, last] = [first, address, last].map(Address);
            let row = |row: &Row<'_>| Ok(Neighbour { campaign: row.get(0)?, last: row.get(1)? });
            let mut near: Option<Neighbour> = None;
            for tier in tier.all() {
                let values = params![first, address, last, *tier as i64];
                let found = statement.query_row(values, row).optional()?;
                // What was put elsewhere since was seen again.
                near = found.filter(|it| near.is_none_or(|near| near.last < it.last)).or(near);
            }
            Ok(near)
        };
        let near = self.neighbours.get(&neighbourhood_of(address), load);
        near.map_err(|source| self.error(source))
    }

    /// A campaign, or the one that it turned out to be part of.
    pub fn campaign(&mut self, id: i64) -> Result<Option<Rc<Campaign>>, StoreError> {
        let mut id = id;
        // Campaigns join older ones, so this ends; a store that was tampered with ends it too.
        for _ in 0..1000 {
            let connection = self.connection;
            let found = self
                .campaigns
                .get(&id, || read_campaign(connection, id))
                .map_err(|source| self.error(source))?;
            match found.as_ref().and_then(|campaign| campaign.joined) {
                Some(other) => id = other,
                None => return Ok(found),
            }
        }
        Ok(None)
    }

    /// Crowds and groups of bots of which something was seen since, sources by themselves that began
    /// after `recently`, and attackers at one provider that were just seen.
    pub fn active_campaigns(
        &self,
        (since, recently, just): (i64, i64, i64),
    ) -> Result<Vec<Campaign>, StoreError> {
        let group = "(joined IS NULL AND (is_crowd OR sources > 2) AND last >= ?1 \
            AND (is_crowd OR heavy * 2 < sources))";
        let other = "(joined IS NULL AND last >= min(?2, ?3) \
            AND ((sources = 1 AND heavy = 0 AND first >= ?2) \
            OR (heavy > 0 AND names >= 4 AND asn > 0 AND last >= ?3)))";
        let sql = format!(
            "{CAMPAIGN} FROM campaign_again WHERE {group} OR {other} UNION \
             {CAMPAIGN} FROM campaign INDEXED BY campaign_group WHERE {group} \
             AND {CAMPAIGN_HOLDS} UNION \
             {CAMPAIGN} FROM campaign INDEXED BY campaign_last WHERE {other} \
             AND {CAMPAIGN_HOLDS} ORDER BY id"
        );
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            statement.query_map([since, recently, just], campaign)?.collect()
        };
        read().map_err(|e| self.error(e))
    }

    /// Failures of a user from his own networks.
    pub fn own(&mut self, user: &Untrusted) -> Result<Rc<Vec<Own>>, StoreError> {
        let connection = self.connection;
        let load = || {
            let sql = format!("{OWN} WHERE name = ? AND user = ?");
            let mut statement = connection.prepare_cached(&sql)?;
            let values = params![name_of(user.as_bytes()), user];
            let own = statement.query_map(values, own)?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(Some(own))
        };
        let own = self.own.get(user, load).map_err(|source| self.error(source))?;
        Ok(own.unwrap_or_default())
    }

    /// How many devices were taken for somebody's after one time, and up to another, where their
    /// accounts never logged in.
    pub fn strangers(&self, (after, until): (i64, i64)) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM stranger WHERE time > ? AND time <= ?";
        let count = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([after, until], |row| row.get::<_, i64>(0))
        };
        count().map(i64::unsigned_abs).map_err(|e| self.error(e))
    }

    /// Where accounts of this name have logged in, by what was judged so far.
    pub fn been(&mut self, name: &Untrusted) -> Result<Rc<Vec<Been>>, StoreError> {
        let connection = self.connection;
        let been = self
            .been
            .get(name, || read_been(connection, name).map(Some))
            .map_err(|source| self.error(source))?;
        Ok(been.unwrap_or_default())
    }

    /// Whether at least `least` accounts logged in from a network from one time to another.
    pub fn is_shared(
        &self,
        network: Network,
        (since, until): (i64, i64),
        least: usize,
    ) -> Result<bool, StoreError> {
        let sql =
            format!("SELECT 1 FROM {BEEN} WHERE network = ? AND {LAST_BEEN} >= ? AND first < ?");
        let look = || -> rusqlite::Result<bool> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![network.cidr(), since, until])?;
            for _ in 0..least {
                if rows.next()?.is_none() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        look().map_err(|e| self.error(e))
    }
}

pub(super) fn read_tried(
    connection: &Connection,
    after: i64,
    most: usize,
) -> rusqlite::Result<Vec<Tried>> {
    let sql = "SELECT failure.id, time, failure.address, user, service, mechanism, country, asn, aso \
        FROM failure JOIN manner ON manner.id = manner JOIN origin ON origin.id = origin \
        WHERE failure.id > ? AND generation IS NOT NULL ORDER BY failure.id LIMIT ?";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    connection.prepare_cached(sql)?.query_map([after, most], tried)?.collect()
}

pub(super) fn read_news(
    connection: &Connection,
    (after, id): (i64, i64),
    until: i64,
    most: usize,
) -> rusqlite::Result<Vec<News>> {
    let sql = "SELECT account, network, day, service, count, first, last, address, generation, \
        position, id FROM news WHERE (first, id) > (?, ?) AND first <= ? ORDER BY first, id LIMIT ?";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    connection.prepare_cached(sql)?.query_map([after, id, until, most], news)?.collect()
}

pub(super) fn read_campaign(
    connection: &Connection,
    id: i64,
) -> rusqlite::Result<Option<Campaign>> {
    let sql = format!("{CAMPAIGN} FROM campaigns WHERE id = ?");
    connection.prepare_cached(&sql)?.query_row([id], campaign).optional()
}

pub(super) fn read_source(
    connection: &Connection,
    tier: Tier,
    address: IpAddr,
) -> rusqlite::Result<Option<Source>> {
    let sql = "SELECT campaign, first, last, failures, gap, regular, gaps, names FROM source \
        WHERE recent = ? AND address = ?";
    let mut statement = connection.prepare_cached(sql)?;
    tier.find(|tier| statement.query_row(params![tier, Address(address)], source).optional())
}

pub(super) fn read_been(connection: &Connection, name: &Untrusted) -> rusqlite::Result<Vec<Been>> {
    let sql = "SELECT account, network, first, last, country, asn FROM been WHERE name = ? LIMIT ?";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![name, MOST_BEEN + 1], been)?;
    let mut all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    if all.len() > MOST_BEEN as usize {
        // To sort what few have too many of would cost more than to read it.
        let sql = format!(
            "SELECT account, network, first, {LAST_BEEN} AS latest, country, asn FROM {BEEN} \
             WHERE name = ? ORDER BY latest DESC LIMIT ?"
        );
        return connection
            .prepare_cached(&sql)?
            .query_map(params![name, MOST_BEEN], been)?
            .collect();
    }
    let sql = "SELECT account, network, last FROM been_again WHERE name = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let (account, network) = (some_text(row, 0)?, network(row, 1)?);
        let is_it = |been: &&mut Been| been.account == account && been.network == network;
        if let Some(been) = all.iter_mut().find(is_it) {
            been.last = been.last.max(row.get(2)?);
        }
    }
    Ok(all)
}

fn tried(row: &Row<'_>) -> rusqlite::Result<Tried> {
    let number: Option<u32> = row.get(7)?;
    let user = text(row, 3)?;
    let organisation = text(row, 8)?.unwrap_or_else(|| Untrusted::from(""));
    Ok(Tried {
        id: row.get(0)?,
        time: row.get(1)?,
        address: row.get::<_, Address>(2)?.0,
        name: user.as_ref().map_or(Untrusted::from(UNKNOWN), |user| name_of(user.as_bytes())),
        user,
        tool: tool_of(bytes(row, 4)?, bytes(row, 5)?),
        country: country(row, 6)?,
        network: number.map(|number| AutonomousSystem { number, organisation }),
    })
}

fn news(row: &Row<'_>) -> rusqlite::Result<News> {
    Ok(News {
        account: some_text(row, 0)?,
        network: network(row, 1)?,
        day: row.get(2)?,
        service: some_text(row, 3)?,
        count: row.get::<_, i64>(4)?.unsigned_abs(),
        first: row.get(5)?,
        last: row.get(6)?,
        address: row.get::<_, Address>(7)?.0,
        place: (row.get(8)?, row.get(9)?),
        id: row.get(10)?,
    })
}

pub(in crate::store) fn source(row: &Row<'_>) -> rusqlite::Result<Source> {
    let mut names = Vec::new();
    let mut rest = row.get_ref(7)?.as_blob()?;
    while let Some((length, more)) = rest.split_first() {
        let Some((name, more)) = more.split_at_checked(usize::from(*length)) else { break };
        names.push(name.into());
        rest = more;
    }
    Ok(Source {
        campaign: row.get(0)?,
        first: row.get(1)?,
        last: row.get(2)?,
        failures: row.get::<_, i64>(3)?.unsigned_abs(),
        pace: pace(row, 4)?,
        names: Arc::new(names),
    })
}

pub(in crate::store) fn campaign(row: &Row<'_>) -> rusqlite::Result<Campaign> {
    Ok(Campaign {
        id: row.get(0)?,
        number: row.get(1)?,
        joined: row.get(2)?,
        tool: row.get(3)?,
        first: row.get(4)?,
        last: row.get(5)?,
        failures: row.get::<_, i64>(6)?.unsigned_abs(),
        sources: row.get::<_, i64>(7)?.unsigned_abs(),
        heavy: row.get::<_, i64>(8)?.unsigned_abs(),
        names: row.get::<_, i64>(9)?.unsigned_abs(),
        is_crowd: row.get(10)?,
        pace: pace(row, 11)?,
        network: row.get(14)?,
        spelling: Spelling {
            full: row.get::<_, i64>(15)?.unsigned_abs(),
            bare: row.get::<_, i64>(16)?.unsigned_abs(),
        },
    })
}

pub(in crate::store) fn own(row: &Row<'_>) -> rusqlite::Result<Own> {
    Ok(Own {
        user: some_text(row, 0)?,
        network: network(row, 1)?,
        tool: row.get(2)?,
        first: row.get(3)?,
        last: row.get(4)?,
        failures: row.get::<_, i64>(5)?.unsigned_abs(),
        pace: pace(row, 6)?,
        number: row.get(9)?,
    })
}

/// Three columns from `first` on.
fn pace(row: &Row<'_>, first: usize) -> rusqlite::Result<Pace> {
    Ok(Pace {
        gap: row.get(first)?,
        regular: row.get::<_, i64>(first + 1)?.unsigned_abs(),
        gaps: row.get::<_, i64>(first + 2)?.unsigned_abs(),
    })
}

fn been(row: &Row<'_>) -> rusqlite::Result<Been> {
    Ok(Been {
        account: some_text(row, 0)?,
        network: network(row, 1)?,
        first: row.get(2)?,
        last: row.get(3)?,
        country: country(row, 4)?,
        number: row.get(5)?,
    })
}

pub(in crate::store) fn some_text(row: &Row<'_>, column: usize) -> rusqlite::Result<Untrusted> {
    Ok(text(row, column)?.unwrap_or_else(|| Untrusted::from("")))
}

pub(in crate::store) fn network(row: &Row<'_>, column: usize) -> rusqlite::Result<Network> {
    let cidr: String = row.get(column)?;
    let unknown = || Network::of(IpAddr::from([0, 0, 0, 0]));
    Ok(Network::parse(&cidr).unwrap_or_else(unknown))
}

pub(in crate::store) fn country(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Country>> {
    let code: Option<String> = row.get(column)?;
    Ok(code.and_then(|code| Country::parse(code.as_bytes())))
}

fn bytes<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => b"",
    })
}
