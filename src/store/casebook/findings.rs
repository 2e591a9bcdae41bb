//! Accounts that may be stolen, as the store keeps them.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Casebook;
use super::recent::BEEN;
use super::rows::{country, network, some_text};
use crate::event::Network;
use crate::finding::{Evidence, Finding, Severity, Sign, TOGETHER, severity};
use crate::origin::Country;
use crate::store::batch::Address;
use crate::store::figures::text;
use crate::store::{Store, StoreError};
use crate::untrusted::Untrusted;
use crate::user_name::{is_same, name_of};

/// Findings of signs that are older than so many seconds get no new ones.
const LONG_AGO: i64 = 30 * 86_400;
/// Low findings are open for so many seconds: nobody is to be asked about each journey.
const NOTED: i64 = 14 * 86_400;

/// So many times what was settled is more than somebody said.
const MUCH_MORE: u64 = 3;
/// More signs than that prove nothing more.
const MOST_SIGNS: usize = 300;
/// So many accounts before and after one in the alphabet tell what is usual here.
const ASKED: u32 = 50;

/// A day's logins of an account from one network by one service.
#[derive(Clone, Debug)]
pub struct Visit {
    /// By which service.
    pub service: Untrusted,
    /// The first of them,
    pub first: i64,
    /// and the last.
    pub last: i64,
    /// Where it was said to be.
    pub country: Option<Country>,
    /// The number of its provider; 0 if not known.
    pub number: u32,
}

impl Casebook<'_> {
    /// Logins of an account up to a time from other networks than this.
    pub fn visits(
        &self,
        account: &Untrusted,
        (but, until): (Network, i64),
    ) -> Result<Vec<Visit>, StoreError> {
        let sql = format!(
            "SELECT service, login.first, login.last, coalesce(been.country, again.country), \
             coalesce(been.asn, again.asn) FROM logins AS login {BEEN} \
             WHERE name = ? AND account = ? AND network <> ? \
             AND login.first <= ?"
        );
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let visit = |row: &Row<'_>| {
                let first = row.get(1)?;
                let last = row.get::<_, Option<i64>>(2)?;
                Ok(Visit {
                    service: some_text(row, 0)?,
                    first,
                    // Where some came later, which was the last before is not known.
                    last: last.filter(|last| *last <= until).unwrap_or(first),
                    country: country(row, 3)?,
                    number: row.get::<_, Option<u32>>(4)?.unwrap_or(0),
                })
            };
            let name = name_of(account.as_bytes());
            statement.query_map(params![name, account, but.cidr(), until], visit)?.collect()
        };
        read().map_err(|e| self.error(e))
    }

    /// Whether fewer than a tenth of the accounts log in from a country: of those around this name in
    /// the alphabet, which say as much as all, and are found at once.
    pub fn is_rare(&self, country: &Country, name: &Untrusted) -> Result<bool, StoreError> {
        let ask = |next: &str, side: &str| -> rusqlite::Result<(i64, i64)> {
            let sql = format!(
                "WITH RECURSIVE other (name) AS (SELECT ?1 UNION ALL \
                 SELECT (SELECT {next}(name) FROM \
                 (SELECT {next}(name) AS name FROM been WHERE been.name {side} other.name UNION ALL \
                 SELECT {next}(name) FROM been_again AS been WHERE been.name {side} other.name)) \
                 FROM other WHERE other.name IS NOT NULL LIMIT {}) \
                 SELECT count(*), count(*) FILTER (WHERE \
                 EXISTS (SELECT 1 FROM been WHERE been.name = other.name AND country = ?2) OR EXISTS \
                 (SELECT 1 FROM been_again AS been WHERE been.name = other.name AND country = ?2)) \
                 FROM other WHERE name IS NOT NULL AND name <> ?1",
                ASKED + 1
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            statement.query_row(params![name, country.code()], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        let both = ask("min", ">").and_then(|after| Ok((after, ask("max", "<")?)));
        let ((after, some_after), (before, some_before)) = both.map_err(|e| self.error(e))?;
        Ok((some_after + some_before) * 10 < after + before)
    }

    /// How many sources of a campaign are at a provider in a country.
    pub fn bots_at(
        &mut self,
        campaign: i64,
        (country, number): (&Country, u32),
    ) -> Result<u64, StoreError> {
        self.flush_places().map_err(|e| self.error(e))?;
        let sql = "SELECT sum(sources) FROM places WHERE campaign = ? AND country = ? AND asn = ?";
        let find = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row(params![campaign, country.code(), number], |row| row.get(0))
        };
        let sources: Option<i64> = find().map_err(|e| self.error(e))?;
        Ok(sources.map_or(0, i64::unsigned_abs))
    }

    /// Adds signs to the open finding about `account`, or makes one if they amount to something.
    pub fn add_signs(&mut self, account: &Untrusted, signs: Vec<Sign>) -> Result<(), StoreError> {
        let Some(time) = signs.first().map(|sign| sign.time) else { return Ok(()) };
        self.thieves.remove(&name_of(account.as_bytes()));
        self.write_signs(account, time, signs).map_err(|e| self.error(e))
    }

    fn write_signs(
        &self,
        account: &Untrusted,
        time: i64,
        mut signs: Vec<Sign>,
    ) -> rusqlite::Result<()> {
        let name = name_of(account.as_bytes());
        let is_it = |row: &Row<'_>, column: usize| -> rusqlite::Result<bool> {
            Ok(is_same(some_text(row, column)?.as_bytes(), account.as_bytes()))
        };
        let sql = "SELECT id, account FROM finding WHERE name = ? AND acknowledged IS NULL \
            AND time > ? ORDER BY id DESC";
        let mut find = self.connection.prepare_cached(sql)?;
        let mut rows = find.query(params![name, time - LONG_AGO])?;
        let mut known: Option<i64> = None;
        while let Some(row) = rows.next()? {
            if is_it(row, 1)? {
                known = Some(row.get(0)?);
                break;
            }
        }
        // What was its user, as somebody said, is not told again, unless it is far more.
        let sql = "SELECT account, number FROM sign JOIN finding ON finding.id = finding \
            WHERE name = ? AND acknowledged IS NOT NULL AND was_user IS NOT 0 AND network = ? \
            AND kind = ?";
        let mut settled = self.connection.prepare_cached(sql)?;
        let mut fresh = Vec::new();
        for sign in signs.drain(..) {
            let values = params![name, sign.network.cidr(), sign.evidence.key()];
            let same = settled.query_map(values, |row| {
                let settled = row.get::<_, i64>(1)?.unsigned_abs();
                Ok(is_it(row, 0)? && sign.number <= settled.saturating_mul(MUCH_MORE))
            })?;
            if !same.collect::<rusqlite::Result<Vec<bool>>>()?.contains(&true) {
                fresh.push(sign);
            }
        }
        let mut all: Vec<Sign> =
            known.map_or(Ok(Vec::new()), |id| signs_of(self.connection, id))?;
        if all.len() >= MOST_SIGNS {
            // But for what is new in kind these days: nobody is to hide the worst behind many others.
            let is_late = |it: &Sign, sign: &Sign| sign.time - it.time <= TOGETHER;
            fresh.retain(|sign| {
                !all.iter().any(|it| it.evidence == sign.evidence && is_late(it, sign))
            });
        }
        all.extend(fresh.iter().cloned());
        let Some(severity) = severity(&all).filter(|_| !fresh.is_empty()) else { return Ok(()) };
        let id = if let Some(id) = known {
            let sql = "UPDATE finding SET severity = max(severity, ?) WHERE id = ?";
            self.connection.execute(sql, params![severity as i64, id])?;
            id
        } else {
            let sql = "INSERT INTO finding VALUES (NULL, ?, ?, ?, ?, NULL, NULL, NULL)";
            self.connection.execute(sql, params![name, account, severity as i64, time])?;
            self.connection.last_insert_rowid()
        };
        for sign in fresh {
            write_sign(self.connection, id, &sign)?;
        }
        Ok(())
    }

    /// Messages that an account sent, by day and network.
    pub fn messages(&self, account: &Untrusted) -> Result<Vec<(String, Network, u64)>, StoreError> {
        let sql = "SELECT day, network, sum(count) FROM logins \
            WHERE name = ? AND account = ? \
            AND service >= 'postfix' AND service < 'postfiy' GROUP BY day, network";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let row = |row: &Row<'_>| {
                Ok((row.get(0)?, network(row, 1)?, row.get::<_, i64>(2)?.unsigned_abs()))
            };
            let name = name_of(account.as_bytes());
            statement.query_map(params![name, account], row)?.collect()
        };
        read().map_err(|e| self.error(e))
    }
}

/// A name as a value that is bound.
fn sql_value(name: &Untrusted) -> Value {
    let bytes = name.as_bytes();
    String::from_utf8(bytes.to_vec()).map_or_else(|_| Value::Blob(bytes.to_vec()), Value::Text)
}

fn write_sign(connection: &Connection, finding: i64, sign: &Sign) -> rusqlite::Result<()> {
    // More messages on the same day are the same sign.
    let sql = "INSERT INTO sign VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
        ON CONFLICT DO UPDATE SET number = excluded.number";
    let values = params![
        finding,
        sign.evidence.key(),
        sign.time,
        sign.network.cidr(),
        Address(sign.address),
        sign.place.0,
        sign.place.1,
        sign.campaign,
        sign.number.cast_signed(),
        sign.usual.map(u64::cast_signed),
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn signs_of(connection: &Connection, finding: i64) -> rusqlite::Result<Vec<Sign>> {
    let sql = "SELECT kind, time, network, address, generation, position, campaign, number, usual \
        FROM sign WHERE finding = ? ORDER BY time, kind, network";
    let mut statement = connection.prepare_cached(sql)?;
    let signs = statement.query_map([finding], |row| {
        let kind: String = row.get(0)?;
        let evidence = Evidence::ALL.into_iter().find(|evidence| evidence.key() == kind);
        let network = network(row, 2)?;
        let address = row.get::<_, Option<Address>>(3)?;
        Ok(evidence.map(|evidence| Sign {
            evidence,
            time: row.get(1).unwrap_or_default(),
            network,
            address: address.map_or(network.address(), |address| address.0),
            place: (row.get(4).unwrap_or_default(), row.get(5).unwrap_or_default()),
            campaign: row.get(6).unwrap_or_default(),
            number: row.get::<_, i64>(7).unwrap_or_default().unsigned_abs(),
            usual: row.get::<_, Option<i64>>(8).unwrap_or_default().map(i64::unsigned_abs),
        }))
    })?;
    signs.filter_map(Result::transpose).collect()
}

/// Which findings are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that somebody has to look at: not acknowledged, and low ones of the last two weeks before
    /// this time.
    Open(i64),
    /// The high ones that nobody acknowledged.
    Severe,
    /// All.
    All,
    /// Those about accounts of this name.
    Of(Untrusted),
    /// Those with a sign of a login from this network.
    At(Network),
    /// Those with a sign from this time on, and before that.
    Between(i64, i64),
}

impl Store {
    /// Findings, the most severe first, then the latest; at most `most`.
    pub fn findings(&self, which: &Which, most: usize) -> Result<Vec<Finding>, StoreError> {
        let ids = self.finding_ids(which, most)?.into_iter();
        ids.filter_map(|id| self.finding(id).transpose()).collect()
    }

    /// The numbers of the same.
    pub fn finding_ids(&self, which: &Which, most: usize) -> Result<Vec<i64>, StoreError> {
        finding_ids(&self.connection, which, most).map_err(|e| self.error("read", e))
    }

    /// A finding by its number.
    pub fn finding(&self, id: i64) -> Result<Option<Finding>, StoreError> {
        read_finding(&self.connection, id).map_err(|e| self.error("read", e))
    }

    /// The line that a sign is about, as `/var/log/mail.log, byte 1234`: where it was last seen.
    pub fn place_of(&self, sign: &Sign) -> Result<Option<String>, StoreError> {
        let (Some(generation), Some(position)) = sign.place else { return Ok(None) };
        let sql = "SELECT path FROM generation WHERE id = ? AND id NOT IN \
            (SELECT generation FROM journal)";
        let path = self.connection.query_row(sql, [generation], |row| row.get::<_, Vec<u8>>(0));
        let path = path.optional().map_err(|e| self.error("read", e))?;
        Ok(path.map(|path| {
            let path = crate::untrusted::for_terminal(&path).into_owned();
            format!("{path}, byte {position}")
        }))
    }

    /// Notes that somebody knows what finding `id` was: its user, or a thief; who does not say it means a
    /// thief if it is high, or what was said before. Gives which; `None` if there is no such finding, or it was
    /// acknowledged and he says nothing new.
    pub fn acknowledge(
        &mut self,
        id: i64,
        was_user: Option<bool>,
        (now, comment): (i64, Option<&str>),
    ) -> Result<Option<bool>, StoreError> {
        let sql = "UPDATE finding SET acknowledged = ifnull(acknowledged, ?2), was_user = coalesce(?3, was_user, severity < 3), \
            comment = ifnull(?4, comment) \
            WHERE id = ?1 AND (acknowledged IS NULL OR ?3 IS NOT NULL OR ?4 IS NOT NULL) RETURNING was_user";
        let values = params![id, now, was_user, comment];
        let done = self.connection.query_row(sql, values, |row| row.get(0)).optional();
        done.map_err(|e| self.error("write", e))
    }
}

pub(super) fn read_finding(connection: &Connection, id: i64) -> rusqlite::Result<Option<Finding>> {
    let sql = "SELECT id, account, severity, time, acknowledged, was_user, comment \
        FROM finding WHERE id = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([id], |row| {
        Ok(Finding {
            id: row.get(0)?,
            account: some_text(row, 1)?,
            severity: Severity::of(row.get(2)?),
            time: row.get(3)?,
            acknowledged: row.get(4)?,
            was_user: row.get(5)?,
            comment: text(row, 6)?,
            signs: signs_of(connection, id)?,
        })
    });
    found.optional()
}

fn finding_ids(connection: &Connection, which: &Which, most: usize) -> rusqlite::Result<Vec<i64>> {
    let (filter, values): (&str, Vec<Value>) = match which {
        Which::Open(now) => {
            ("acknowledged IS NULL AND (severity > 1 OR time > ?)", vec![(now - NOTED).into()])
        }
        Which::Severe => ("acknowledged IS NULL AND severity = 3", Vec::new()),
        Which::All => ("true", Vec::new()),
        Which::Of(name) => ("name = ?", vec![sql_value(name)]),
        Which::At(network) => {
            ("id IN (SELECT finding FROM sign WHERE network = ?)", vec![network.cidr().into()])
        }
        Which::Between(from, to) => (
            "id IN (SELECT finding FROM sign WHERE time >= ? AND time < ?)",
            vec![(*from).into(), (*to).into()],
        ),
    };
    let sql = format!(
        "SELECT id FROM finding WHERE {filter} ORDER BY severity DESC, time DESC, id DESC LIMIT {}",
        i64::try_from(most).unwrap_or(i64::MAX)
    );
    let mut statement = connection.prepare(&sql)?;
    statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?.collect()
}
