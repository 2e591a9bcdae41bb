//! Rows of what is known, read by whichever connection: that of a judgement, or of who reads ahead.

use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::recent::Tier;
use super::{MOST_BEEN, Neighbour, News};
use crate::campaign::{Because, Been, Campaign, Own, Source, Tried, neighbours_of, tool_of};
use crate::event::Network;
use crate::origin::{AutonomousSystem, Country};
use crate::pace::Pace;
use crate::store::batch::Address;
use crate::store::figures::text;
use crate::untrusted::Untrusted;
use crate::user_name::{Spelling, UNKNOWN, name_of};

/// The columns of campaigns.
pub(in crate::store) const CAMPAIGN: &str = "SELECT id, number, joined, tool, first, last, \
    failures, sources, heavy, names, is_crowd, gap, regular, gaps, asn, full, bare";
/// The columns of failures of own users.
pub(in crate::store) const OWN: &str =
    "SELECT user, network, tool, first, last, failures, gap, regular, gaps, asn, because FROM own";

/// Of the sources next to an address, the one seen last; the nearest few hundred on each side, for a /48
/// may have tens of thousands. IPv4 and IPv6 lie among each other.
macro_rules! neighbours {
    ($which:literal) => {
        concat!(
            "SELECT campaign, last FROM ( \
             SELECT * FROM (SELECT campaign, last, address",
            $which,
            " address BETWEEN ?1 AND ?2 AND length(address) = length(?2) \
             GROUP BY address ORDER BY address DESC LIMIT 300) UNION ALL \
             SELECT * FROM (SELECT campaign, last, address",
            $which,
            " address BETWEEN ?2 AND ?3 AND length(address) = length(?2) \
             GROUP BY address ORDER BY address LIMIT 300)) ORDER BY last DESC, campaign DESC LIMIT 1"
        )
    };
}
/// Those in their places.
const NEIGHBOURS: &str = neighbours!(", 0 FROM source WHERE");
/// Those that changed of late: of each the last row.
const NEIGHBOURS_AGAIN: &str = neighbours!(", max(id) FROM source_again WHERE");

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
    tier.find(|tier| {
        let sql = match tier {
            Tier::Sorted => {
                "SELECT campaign, first, last, failures, gap, regular, gaps, names FROM source \
                 WHERE address = ?"
            }
            Tier::Recent => {
                "SELECT campaign, first, last, failures, gap, regular, gaps, names FROM source_again \
                 WHERE address = ? ORDER BY id DESC LIMIT 1"
            }
        };
        connection.prepare_cached(sql)?.query_row([Address(address)], source).optional()
    })
}

pub(super) fn read_neighbour(
    connection: &Connection,
    tier: Tier,
    address: IpAddr,
) -> rusqlite::Result<Option<Neighbour>> {
    let (first, last) = neighbours_of(address);
    let [first, address, last] = [first, address, last].map(Address);
    let row = |row: &Row<'_>| Ok(Neighbour { campaign: row.get(0)?, last: row.get(1)? });
    let mut near: Option<Neighbour> = None;
    for tier in tier.all() {
        let sql = if *tier == Tier::Sorted { NEIGHBOURS } else { NEIGHBOURS_AGAIN };
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row([&first, &address, &last], row).optional()?;
        // What was put elsewhere since was seen again.
        let rank = |it: Neighbour| (it.last, it.campaign);
        near = found.filter(|it| near.is_none_or(|near| rank(near) < rank(*it))).or(near);
    }
    Ok(near)
}

/// What a tier knows of logins of the kind of `news`.
pub(super) fn read_login(
    connection: &Connection,
    tier: Tier,
    news: &News,
) -> rusqlite::Result<Option<News>> {
    let sql = match tier {
        Tier::Sorted => {
            "SELECT count, first, last, address, generation, position FROM login \
             WHERE name = ? AND account = ? AND network = ? AND day = ? AND service = ?"
        }
        Tier::Recent => {
            "SELECT count, first, last, address, generation, position FROM login_again \
             WHERE name = ? AND account = ? AND network = ? AND day = ? AND service = ? ORDER BY id"
        }
    };
    let News { account, network, day, service, .. } = news;
    let key = params![name_of(account.as_bytes()), account, network.cidr(), day, service];
    let mut statement = connection.prepare_cached(sql)?;
    let mut all = None;
    for known in statement.query_map(key, |row| known_login(row, news))? {
        let known = known?;
        all = Some(match all {
            None => known,
            Some(all) => News::and(all, &known),
        });
    }
    Ok(all)
}

pub(super) fn read_been(connection: &Connection, name: &Untrusted) -> rusqlite::Result<Vec<Been>> {
    let sql = "SELECT account, network, first, last, country, asn FROM been WHERE name = ? LIMIT ?";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![name, MOST_BEEN + 1], been)?;
    let mut all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let sql = "SELECT account, network, first, last, country, asn FROM been_again WHERE name = ?";
    let mut statement = connection.prepare_cached(sql)?;
    for late in statement.query_map([name], been)? {
        let late = late?;
        let is_it = |been: &&mut Been| been.account == late.account && been.network == late.network;
        match all.iter_mut().find(is_it) {
            Some(been) => *been = late,
            None => all.push(late),
        }
    }
    if all.len() > MOST_BEEN as usize {
        // To sort what few have too many of would cost more than to read it.
        let sql = "SELECT account, network, first, last, country, asn FROM whereabouts \
            WHERE name = ? ORDER BY last DESC, account, network LIMIT ?";
        let mut statement = connection.prepare_cached(sql)?;
        return statement.query_map(params![name, MOST_BEEN], been)?.collect();
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

/// Logins of the kind of `news` that are known; of some that an early version read, no time is.
fn known_login(row: &Row<'_>, news: &News) -> rusqlite::Result<News> {
    Ok(News {
        count: row.get::<_, i64>(0)?.unsigned_abs(),
        first: row.get::<_, Option<i64>>(1)?.unwrap_or(i64::MAX),
        last: row.get::<_, Option<i64>>(2)?.unwrap_or(i64::MIN),
        address: row.get::<_, Option<Address>>(3)?.map_or(news.address, |it| it.0),
        place: (row.get(4)?, row.get(5)?),
        ..news.clone()
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
        because: row.get::<_, Option<String>>(10)?.and_then(|key| Because::of(&key)),
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
