//! The numbers of a report, asked of the store.

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::batch::Address;
use super::days::QUARTER;
use super::rows::written;
use super::{Store, StoreError};
use crate::figures::{Attempts, Coverage, Figures, Hour, median_hundredths};
use crate::untrusted::Untrusted;

/// How many entries a list has at most.
const TOP: i64 = 10;
/// Days that a report shows, its own included.
const SHOWN_DAYS: i64 = 30;
/// Days before it that it is compared with.
const COMPARED_DAYS: i64 = 14;

/// A stretch of time in seconds since 1970: from, and up to.
type Span = (i64, i64);

impl Store {
    /// The local day of the latest failure.
    pub fn latest_day(&self, zone: &TimeZone) -> Result<Option<Date>, StoreError> {
        let sql = "SELECT max(time) FROM failure";
        let read = self.connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let second = read.map_err(|e| self.error("read", e))?;
        let time = second.and_then(|second| Timestamp::from_second(second).ok());
        Ok(time.map(|time| time.to_zoned(zone.clone()).date()))
    }

    /// The figures of the local `day`.
    pub fn figures(&self, day: Date, zone: &TimeZone) -> Result<Figures, StoreError> {
        self.read_figures(day, zone).map_err(|e| self.error("read", e))
    }

    fn read_figures(&self, day: Date, zone: &TimeZone) -> rusqlite::Result<Figures> {
        let connection = &self.connection;
        let mut figures = Figures::default();
        let Some(span) = span(day, zone) else { return Ok(figures) };
        gather(connection, span)?;
        tally_day(connection, &mut figures)?;
        figures.hours = self.hours(day, zone)?;
        figures.days = self.days(day, zone)?;
        figures.coverage = self.coverage(day)?;
        Ok(figures)
    }

    /// The hours of `day`, beside the median of each in the days before.
    fn hours(&self, day: Date, zone: &TimeZone) -> rusqlite::Result<Vec<Hour>> {
        let mut hours = self.hours_of(day, zone)?;
        let mut before = Vec::new();
        for back in 1..=COMPARED_DAYS {
            let Ok(earlier) = day.checked_sub(back.days()) else { continue };
            if self.is_known(earlier, zone)? {
                before.push(self.hours_of(earlier, zone)?);
            }
        }
        for hour in &mut hours {
            let same = |day: &Vec<Hour>| {
                let of_day = day.iter().filter(|other| other.of_day == hour.of_day);
                of_day.map(|other| other.count).max()
            };
            hour.usual_hundredths = median_hundredths(before.iter().filter_map(same).collect());
            let by_then = |day: &Vec<Hour>| {
                let until = day.iter().filter(|other| other.of_day <= hour.of_day);
                until.map(|other| other.count).sum()
            };
            hour.usual_by_then_hundredths = median_hundredths(before.iter().map(by_then).collect());
        }
        Ok(hours)
    }

    fn hours_of(&self, day: Date, zone: &TimeZone) -> rusqlite::Result<Vec<Hour>> {
        let Some((from, to)) = span(day, zone) else { return Ok(Vec::new()) };
        let mut hours = Vec::new();
        let mut start = from;
        while start < to {
            let next = (start + 3600).min(to);
            let time = Timestamp::from_second(start).unwrap_or_default();
            let of_day = time.to_zoned(zone.clone()).hour();
            let count = self.failures((start, next))?;
            let (usual_hundredths, usual_by_then_hundredths) = (None, None);
            hours.push(Hour {
                start: time,
                of_day,
                count,
                usual_hundredths,
                usual_by_then_hundredths,
            });
            start = next;
        }
        Ok(hours)
    }

    fn days(&self, day: Date, zone: &TimeZone) -> rusqlite::Result<Vec<(Date, Option<u64>)>> {
        let mut days = Vec::new();
        for back in (0..SHOWN_DAYS).rev() {
            let Ok(date) = day.checked_sub(back.days()) else { continue };
            let known = self.is_known(date, zone)?;
            let failures = span(date, zone).map(|span| self.failures(span)).transpose()?;
            days.push((date, failures.filter(|_| known)));
        }
        Ok(days)
    }

    /// Whether anything was read of `day`.
    fn is_known(&self, day: Date, zone: &TimeZone) -> rusqlite::Result<bool> {
        let read = self.coverage(day)?;
        let failures = span(day, zone).map(|span| self.failures(span)).transpose()?;
        Ok(read.lines > 0 || read.logins > 0 || failures.is_some_and(|n| n > 0))
    }

    /// Failures in `span`, whose ends are quarters of an hour.
    fn failures(&self, (from, to): Span) -> rusqlite::Result<u64> {
        debug_assert!(from % QUARTER == 0 && to % QUARTER == 0, "a zone of odd minutes");
        let sql = "SELECT coalesce(sum(failures), 0) FROM tally WHERE start >= ? AND start < ?";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_row([from, to], |row| number(row, 0))
    }

    fn coverage(&self, day: Date) -> rusqlite::Result<Coverage> {
        let sql = "SELECT lines, puzzles, logins, last_line FROM coverage WHERE day = ?";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = statement.query_row([day.to_string()], |row| {
            let last: Option<i64> = row.get(3)?;
            Ok(Coverage {
                lines: number(row, 0)?,
                puzzles: number(row, 1)?,
                logins: number(row, 2)?,
                last_line: last.and_then(|second| Timestamp::from_second(second).ok()),
            })
        });
        Ok(read.optional()?.unwrap_or_default())
    }
}

/// The seconds of a local day; 23 or 25 hours of them when the clock is set.
pub(super) fn span(day: Date, zone: &TimeZone) -> Option<Span> {
    let start = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp().as_second());
    Some((start(day)?, start(day.tomorrow().ok()?)?))
}

/// Puts the day's rows, each with who was behind it, where the lists are made from.
fn gather(connection: &Connection, (from, to): Span) -> rusqlite::Result<()> {
    connection.execute_batch("DROP TABLE IF EXISTS temp.day")?;
    let sql = "CREATE TEMP TABLE day AS SELECT failure.address, user, generation, hostname, \
        reverse_dns, country, asn, aso FROM failure JOIN origin ON origin.id = failure.origin \
        WHERE time >= ? AND time < ?";
    connection.execute(sql, [from, to]).map(drop)
}

/// Counts the rows in `temp.day`, which is gone then.
pub(super) fn tally_day(connection: &Connection, figures: &mut Figures) -> rusqlite::Result<()> {
    count(connection, figures)?;
    figures.attempts = list(
        connection,
        "SELECT user, address, hostname, country, count(*) AS n FROM temp.day \
         GROUP BY user, address ORDER BY n DESC, user, address LIMIT ?",
        attempts,
    )?;
    let top = |column: &str| {
        format!(
            "SELECT {column}, count(*) AS n FROM temp.day GROUP BY 1 ORDER BY n DESC, 1 LIMIT ?"
        )
    };
    figures.users = list(connection, &top("user"), |row| Ok((text(row, 0)?, number(row, 1)?)))?;
    figures.countries = list(connection, &top("coalesce(country, 'N/A')"), |row| {
        Ok((row.get(0)?, number(row, 1)?))
    })?;
    figures.organisations =
        list(connection, &top("aso"), |row| Ok((text(row, 0)?, number(row, 1)?)))?;
    figures.numbers = list(connection, &top("asn"), |row| Ok((row.get(0)?, number(row, 1)?)))?;
    connection.execute_batch("DROP TABLE temp.day")
}

/// All pairs of a text and a number that `sql` gives.
pub(super) fn list_all(
    connection: &Connection,
    sql: &str,
) -> rusqlite::Result<Vec<(Untrusted, u64)>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((text(row, 0)?, number(row, 1)?)))?;
    let named = |(name, count): (Option<Untrusted>, u64)| name.map(|name| (name, count));
    rows.filter_map(|row| row.map(named).transpose()).collect()
}

fn count(connection: &Connection, figures: &mut Figures) -> rusqlite::Result<()> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE generation IS NULL), \
        count(DISTINCT address), count(DISTINCT user), count(DISTINCT asn) FROM temp.day";
    connection.query_row(sql, [], |row| {
        figures.total = number(row, 0)?;
        figures.imported = number(row, 1)?;
        figures.addresses = number(row, 2)?;
        figures.accounts = number(row, 3)?;
        figures.networks = number(row, 4)?;
        Ok(())
    })?;
    figures.busiest_address = busiest_address(connection, "temp.day")?;
    let sql = "SELECT reverse_dns, count(*) FROM temp.day GROUP BY 1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let status: Option<String> = row.get(0)?;
        let number_of = |status: &str| status.strip_prefix("Errno ")?.parse::<usize>().ok();
        let index = status.as_deref().and_then(number_of).unwrap_or(0);
        if let Some(sum) = figures.reverse_dns.get_mut(index) {
            *sum += number(row, 1)?;
        }
    }
    Ok(())
}

/// The address that most of the failures in `from` came from, and how many.
pub(super) fn busiest_address(
    connection: &Connection,
    from: &str,
) -> rusqlite::Result<Option<(IpAddr, u64)>> {
    let sql =
        format!("SELECT address, count(*) AS n FROM {from} GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1");
    let row = |row: &Row<'_>| Ok((row.get::<_, Option<Address>>(0)?, number(row, 1)?));
    let busiest = connection.query_row(&sql, [], row).optional()?;
    // A row of a database that several share may lack the address.
    Ok(busiest.and_then(|(address, count)| Some((address?.0, count))))
}

fn list<T>(
    connection: &Connection,
    sql: &str,
    entry: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    statement.query_map(params![TOP], entry)?.collect()
}

fn attempts(row: &Row<'_>) -> rusqlite::Result<Attempts> {
    let mut room = [0; 45];
    let address = written(row.get_ref(1)?.as_blob().unwrap_or_default(), &mut room);
    Ok(Attempts {
        user: text(row, 0)?,
        address: String::from_utf8_lossy(address).into_owned(),
        hostname: text(row, 2)?,
        country: row.get::<_, Option<String>>(3)?.unwrap_or_else(|| "N/A".to_owned()),
        count: number(row, 4)?,
    })
}

pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Untrusted>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.into()),
        _ => None,
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    super::unsigned(row, column)
}
