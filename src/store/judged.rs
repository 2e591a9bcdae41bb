//! What was judged, for people: campaigns, accounts, users who cannot log in.

use jiff::ToSpan;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::casebook::findings::Which;
use super::casebook::recent::BEEN;
use super::casebook::rows::{CAMPAIGN, OWN, campaign, country, network, own, some_text};
use super::{Store, StoreError};
use crate::campaign::{Campaign, Own, Place};
use crate::event::Network;
use crate::finding::Finding;
use crate::origin::Country;
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

/// A name that is tried, by whom and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attack {
    /// What it is compared by.
    pub name: Untrusted,
    /// The campaign's number, and its kind in words; `None` if it is too small to have one.
    pub campaign: Option<(i64, &'static str)>,
    /// The first failure.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// How many.
    pub failures: u64,
    /// From how many sources.
    pub sources: u64,
}

/// Logins of an account from a network by a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The account.
    pub account: Untrusted,
    /// Where from.
    pub network: Network,
    /// By which service; empty if not known.
    pub service: Untrusted,
    /// How often.
    pub count: u64,
    /// The local day of the last.
    pub day: String,
    /// The time of the last, if known.
    pub last: Option<i64>,
    /// Where that is.
    pub country: Option<Country>,
    /// Who runs it.
    pub organisation: Option<Untrusted>,
}

/// An account that is attacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attacked {
    /// What it is compared by.
    pub name: Untrusted,
    /// How many failures.
    pub failures: u64,
    /// From how many sources.
    pub sources: u64,
    /// The last.
    pub last: i64,
    /// Whether somebody of this name ever logged in.
    pub has_logged_in: bool,
}

/// All that is known of an account's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// Failed logins of the days up to the last one, none for days of which nothing was read.
    pub days: Vec<(Date, Option<u64>)>,
    /// What campaigns did to it, the most first.
    pub attacks: Vec<Attack>,
    /// Its user's own failures, the latest first.
    pub own: Vec<Own>,
    /// Its last logins that went well, the latest first.
    pub logins: Vec<LoggedIn>,
    /// Findings about it.
    pub findings: Vec<Finding>,
}

impl Dossier {
    /// Whether nothing is known of that name.
    pub fn is_empty(&self) -> bool {
        let has_failed = self.days.iter().any(|(_, count)| count.is_some_and(|count| count > 0));
        !has_failed
            && self.attacks.is_empty()
            && self.own.is_empty()
            && self.logins.is_empty()
            && self.findings.is_empty()
    }
}

impl Store {
    /// Campaigns that are worth showing and whose last failure is not before `since`, the largest first.
    pub fn campaigns(&self, since: i64) -> Result<Vec<Campaign>, StoreError> {
        let sql = format!(
            "{CAMPAIGN} FROM campaigns WHERE joined IS NULL AND number IS NOT NULL AND last >= ? \
             ORDER BY failures DESC, number"
        );
        let read = || -> rusqlite::Result<Vec<_>> {
            self.connection.prepare(&sql)?.query_map([since], campaign)?.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// The campaign that people call `number`, or the one that it turned out to be part of.
    pub fn campaign(&self, number: i64) -> Result<Option<Campaign>, StoreError> {
        let sql = format!("{CAMPAIGN} FROM campaigns WHERE number = ?");
        let read = || -> rusqlite::Result<Option<Campaign>> {
            let mut found = self.connection.query_row(&sql, [number], campaign).optional()?;
            while let Some(id) = found.as_ref().and_then(|campaign| campaign.joined) {
                found = campaign_of(&self.connection, id)?;
            }
            Ok(found)
        };
        read().map_err(|e| self.error("read", e))
    }

    /// The names that a campaign tries, the most tried first, at most `most`.
    pub fn names_of(&self, id: i64, most: i64) -> Result<Vec<Attack>, StoreError> {
        let sql = "SELECT name, first, last, failures, sources FROM aims WHERE campaign = ? \
            ORDER BY failures DESC, name LIMIT ?";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([id, most], |row| {
                Ok(Attack {
                    name: some_text(row, 0)?,
                    campaign: None,
                    first: row.get(1)?,
                    last: row.get(2)?,
                    failures: row.get::<_, i64>(3)?.unsigned_abs(),
                    sources: row.get::<_, i64>(4)?.unsigned_abs(),
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// The networks that a campaign comes from, the most sources first.
    pub fn places_of(&self, id: i64) -> Result<Vec<Place>, StoreError> {
        let sql = "SELECT country, asn, max(aso), sum(sources) AS n FROM places WHERE campaign = ? \
            GROUP BY country, asn HAVING n > 0 ORDER BY n DESC, country, asn";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([id], |row| {
                Ok(Place {
                    country: country(row, 0)?,
                    number: row.get(1)?,
                    organisation: some_text(row, 2)?,
                    sources: row.get::<_, i64>(3)?.unsigned_abs(),
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// Failures of users from their own networks whose last is not before `since`: those that go on
    /// first.
    pub fn own_failures(&self, since: i64) -> Result<Vec<Own>, StoreError> {
        let sql = format!("{OWN} WHERE last >= ? ORDER BY failures DESC, user, network");
        let read = || -> rusqlite::Result<Vec<_>> {
            self.connection.prepare(&sql)?.query_map([since], own)?.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// Names that campaigns tried since then, the most tried first, at most `most`.
    pub fn attacked(&self, since: i64, most: i64) -> Result<Vec<Attacked>, StoreError> {
        let sql = "WITH running AS (SELECT id FROM campaigns WHERE last >= ?1 AND joined IS NULL), \
             held AS (SELECT name, failures, sources, last FROM running CROSS JOIN aim ON campaign = id \
                 WHERE NOT EXISTS (SELECT 1 FROM aim_again AS newer \
                 WHERE newer.name = aim.name AND newer.campaign = aim.campaign) \
             UNION ALL SELECT name, failures, sources, last FROM aim_again AS again \
                 WHERE campaign IN (SELECT id FROM running) AND NOT EXISTS (SELECT 1 FROM aim_again AS newer \
                 WHERE newer.name = again.name AND newer.campaign = again.campaign AND newer.id > again.id)) \
             SELECT name, sum(failures) AS n, sum(sources), max(last), \
             EXISTS (SELECT 1 FROM login WHERE login.name = held.name) OR \
             EXISTS (SELECT 1 FROM login_again AS login WHERE login.name = held.name) \
             FROM held WHERE last >= ?1 AND name <> x'00' GROUP BY name ORDER BY n DESC, name LIMIT ?2";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([since, most], |row| {
                Ok(Attacked {
                    name: some_text(row, 0)?,
                    failures: row.get::<_, i64>(1)?.unsigned_abs(),
                    sources: row.get::<_, i64>(2)?.unsigned_abs(),
                    last: row.get(3)?,
                    has_logged_in: row.get(4)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// All that is known of accounts called `user`, with `days` days up to `today`.
    pub fn dossier(&self, user: &[u8], (today, days): (Date, i64)) -> Result<Dossier, StoreError> {
        let name = name_of(user);
        let read = || -> rusqlite::Result<_> {
            let attacks = attacks(&self.connection, &name)?;
            let own = own_of(&self.connection, &name)?;
            let days = failures_by_day(&self.connection, &name, (today, days))?;
            Ok((days, attacks, own, logins(&self.connection, &name)?))
        };
        let (days, attacks, own, logins) = read().map_err(|e| self.error("read", e))?;
        let findings = self.findings(&Which::Of(name), usize::MAX)?;
        Ok(Dossier { days, attacks, own, logins, findings })
    }

    /// What is known of a source: its campaign, and how often it failed with which names.
    pub fn source(
        &self,
        address: std::net::IpAddr,
    ) -> Result<Option<(Campaign, crate::campaign::Source)>, StoreError> {
        let sql = "SELECT campaign, first, last, failures, gap, regular, gaps, names FROM sources \
            WHERE address = ?";
        let read = || -> rusqlite::Result<Option<_>> {
            let address = super::batch::Address(crate::campaign::source_of(address));
            let source = super::casebook::rows::source;
            let found = self.connection.query_row(sql, [address], source).optional()?;
            let Some(source) = found else { return Ok(None) };
            let mut found = campaign_of(&self.connection, source.campaign)?;
            while let Some(id) = found.as_ref().and_then(|campaign| campaign.joined) {
                found = campaign_of(&self.connection, id)?;
            }
            Ok(found.map(|campaign| (campaign, source)))
        };
        read().map_err(|e| self.error("read", e))
    }

    /// When somebody of a name first logged in from a network, if it is known that he did.
    pub fn first_login(&self, of: (&Untrusted, Network)) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT min(first) FROM whereabouts WHERE name = ? AND network = ?";
        let read = self.connection.query_row(sql, params![of.0, of.1.cidr()], |row| row.get(0));
        read.map_err(|e| self.error("read", e))
    }

    /// Logins that went well from a network, and users' own failures there.
    pub fn visitors(&self, of: Network) -> Result<(Vec<LoggedIn>, Vec<Own>), StoreError> {
        let read = || -> rusqlite::Result<_> {
            let sql = format!(
                "WITH who AS (SELECT name, account FROM whereabouts WHERE network = ?1 \
                 ORDER BY last DESC LIMIT 200), found AS (\
                 SELECT login.* FROM who CROSS JOIN login USING (name, account) WHERE network = ?1 \
                 UNION ALL SELECT {LOGIN} FROM who CROSS JOIN login_again USING (name, account) \
                 WHERE network = ?1) {LOGINS} found AS login {BEEN} {LATEST}"
            );
            let mut statement = self.connection.prepare(&sql)?;
            let logins = statement.query_map([of.cidr()], logged_in)?.collect::<Result<_, _>>()?;
            let sql = format!("{OWN} WHERE network = ? ORDER BY last DESC LIMIT 20");
            let mut statement = self.connection.prepare(&sql)?;
            let own = statement.query_map([of.cidr()], own)?.collect::<Result<_, _>>()?;
            Ok((logins, own))
        };
        read().map_err(|e| self.error("read", e))
    }
}

pub(super) fn campaign_of(connection: &Connection, id: i64) -> rusqlite::Result<Option<Campaign>> {
    connection
        .query_row(&format!("{CAMPAIGN} FROM campaigns WHERE id = ?"), [id], campaign)
        .optional()
}

fn attacks(connection: &Connection, name: &Untrusted) -> rusqlite::Result<Vec<Attack>> {
    let sql = "SELECT campaign, first, last, failures, sources FROM aims WHERE name = ? \
        ORDER BY failures DESC, campaign LIMIT 1000";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([name])?;
    let mut attacks = Vec::new();
    while let Some(row) = rows.next()? {
        let campaign = campaign_of(connection, row.get(0)?)?;
        let shown = campaign.and_then(|it| it.number.map(|number| (number, it.kind().text())));
        attacks.push(Attack {
            name: name.clone(),
            campaign: shown,
            first: row.get(1)?,
            last: row.get(2)?,
            failures: row.get::<_, i64>(3)?.unsigned_abs(),
            sources: row.get::<_, i64>(4)?.unsigned_abs(),
        });
    }
    Ok(attacks)
}

fn own_of(connection: &Connection, name: &Untrusted) -> rusqlite::Result<Vec<Own>> {
    let sql = format!("{OWN} WHERE name = ? ORDER BY last DESC");
    connection.prepare(&sql)?.query_map([name], own)?.collect()
}

const LOGINS: &str = "SELECT account, network, service, sum(count), max(day), max(login.last), \
    coalesce(been.country, again.country), coalesce(been.aso, again.aso) FROM";
/// The columns of the table `login`.
const LOGIN: &str =
    "name, account, network, day, service, count, first, last, address, generation, position";
const LATEST: &str =
    "GROUP BY account, network, service ORDER BY max(day) DESC, max(login.last) DESC LIMIT 20";

fn logins(connection: &Connection, name: &Untrusted) -> rusqlite::Result<Vec<LoggedIn>> {
    let sql = format!("{LOGINS} logins AS login {BEEN} WHERE name = ? {LATEST}");
    connection.prepare(&sql)?.query_map([name], logged_in)?.collect()
}

fn logged_in(row: &Row<'_>) -> rusqlite::Result<LoggedIn> {
    Ok(LoggedIn {
        account: some_text(row, 0)?,
        network: network(row, 1)?,
        service: some_text(row, 2)?,
        count: row.get::<_, i64>(3)?.unsigned_abs(),
        day: row.get(4)?,
        last: row.get(5)?,
        country: country(row, 6)?,
        organisation: super::figures::text(row, 7)?,
    })
}

/// Failures of a name on each of the days up to `today`.
fn failures_by_day(
    connection: &Connection,
    name: &Untrusted,
    (today, days): (Date, i64),
) -> rusqlite::Result<Vec<(Date, Option<u64>)>> {
    let sql = "SELECT (SELECT failures FROM name_day WHERE name = ?1 AND day = ?2), \
        (SELECT lines > 0 OR logins > 0 FROM coverage WHERE day = ?2)";
    let mut statement = connection.prepare(sql)?;
    let mut counts = Vec::new();
    for back in (0..days).rev() {
        let Ok(day) = today.checked_sub(back.days()) else { continue };
        let (failures, is_known) = statement.query_row(params![name, day.to_string()], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<bool>>(1)?))
        })?;
        let none = (is_known == Some(true)).then_some(0);
        counts.push((day, failures.map(i64::unsigned_abs).or(none)));
    }
    Ok(counts)
}
