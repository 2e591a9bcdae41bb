//! The rows of the CSV, as contract and RFC 4180 have them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::untrusted::for_csv;

/// How much is rendered before it is written.
const MOST_ROWS: u32 = 2000;
const MOST_BYTES: usize = 256 * 1024;
/// What [`Chunk::push`] reads of each failure, in this order.
pub(super) const COLUMNS: &str = "id, time, address, user, manner, origin";

/// Rows of the CSV, ready to be written.
pub(super) struct Chunk<'c> {
    rows: csv::Writer<Vec<u8>>,
    last: i64,
    /// How many there are.
    pub(super) count: u32,
    dates: Dates,
    servers: Shared<'c, 1>,
    origins: Shared<'c, 5>,
}

impl<'c> Chunk<'c> {
    pub(super) fn new(connection: &'c Connection, zone: TimeZone) -> Self {
        let server = "SELECT server FROM manner WHERE id = ?";
        let origin = "SELECT hostname, reverse_dns, country, asn, aso FROM origin WHERE id = ?";
        Self {
            rows: rows(),
            last: 0,
            count: 0,
            dates: Dates { zone, hour: None, text: String::new() },
            servers: Shared { connection, sql: server, absent: ["null"], known: HashMap::new() },
            origins: Shared {
                connection,
                sql: origin,
                absent: ["null", "N/A", "N/A", "N/A", "N/A"],
                known: HashMap::new(),
            },
        }
    }

    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<(), ChunkError> {
        self.last = row.get(0)?;
        self.count += 1;
        self.rows.write_field(&self.servers.fields(row.get(4)?)?[0])?;
        self.rows.write_field(self.dates.local_minute(row.get(1)?))?;
        let mut address = [0; 45];
        self.rows
            .write_field(written(row.get_ref(2)?.as_blob().unwrap_or_default(), &mut address))?;
        match row.get_ref(3)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                self.rows.write_field(for_csv(bytes).as_bytes())?;
            }
            _ => self.rows.write_field("null")?,
        }
        for field in self.origins.fields(row.get(5)?)? {
            self.rows.write_field(field)?;
        }
        self.rows.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Whether it is time to write them.
    pub(super) fn is_full(&self) -> bool {
        self.count >= MOST_ROWS || self.rows.get_ref().len() >= MOST_BYTES
    }

    /// The rows so far, the last id in them and their number.
    pub(super) fn take(&mut self) -> Result<(Vec<u8>, i64, u64), ChunkError> {
        let full = std::mem::replace(&mut self.rows, rows());
        let bytes = full.into_inner().map_err(csv::IntoInnerError::into_error)?;
        Ok((bytes, self.last, std::mem::take(&mut self.count).into()))
    }
}

/// Rows as RFC 4180 has them, with `;` for the comma and `\n` for the end.
fn rows() -> csv::Writer<Vec<u8>> {
    let bytes = Vec::with_capacity(256 * 1024);
    csv::WriterBuilder::new().delimiter(b';').from_writer(bytes)
}

/// Fields that many rows have in common, by the id of their row.
struct Shared<'c, const N: usize> {
    connection: &'c Connection,
    sql: &'static str,
    absent: [&'static str; N],
    known: HashMap<i64, [String; N]>,
}

/// How many of them are remembered.
const SHARED: usize = 1024;

impl<const N: usize> Shared<'_, N> {
    fn fields(&mut self, id: i64) -> rusqlite::Result<&[String; N]> {
        if self.known.len() >= SHARED {
            self.known.clear();
        }
        match self.known.entry(id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let mut statement = self.connection.prepare_cached(self.sql)?;
                let mut fields = self.absent.map(str::to_owned);
                statement.query_row([id], |row| {
                    for (column, field) in fields.iter_mut().enumerate() {
                        match row.get_ref(column)? {
                            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                                *field = for_csv(bytes).into_owned();
                            }
                            ValueRef::Integer(number) => *field = number.to_string(),
                            _ => {}
                        }
                    }
                    Ok(())
                })?;
                Ok(new.insert(fields))
            }
        }
    }
}

/// An address in words, written into `room`: the longest has 45 bytes.
pub(super) fn written<'r>(bytes: &[u8], room: &'r mut [u8; 45]) -> &'r [u8] {
    let mut cursor = io::Cursor::new(&mut room[..]);
    let _ = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(v4), _) => write!(cursor, "{}", Ipv4Addr::from(v4)),
        (_, Ok(v6)) => write!(cursor, "{}", Ipv6Addr::from(v6)),
        _ => Ok(()),
    };
    let length = usize::try_from(cursor.position()).unwrap_or_default();
    room.get(..length).unwrap_or_default()
}

/// Writes times as the CSV has them; the zone is asked once for each local hour.
struct Dates {
    zone: TimeZone,
    /// The first second of a local hour without a change of offset, and its text up to the minute.
    hour: Option<(i64, String)>,
    text: String,
}

impl Dates {
    fn local_minute(&mut self, second: i64) -> &str {
        let known = self.hour.as_ref().filter(|(start, _)| (0..3600).contains(&(second - start)));
        if let Some((start, hour)) = known {
            self.text.clone_from(hour);
            let minute = u8::try_from((second - start) / 60).unwrap_or_default();
            self.text.extend([minute / 10, minute % 10].map(|digit| char::from(b'0' + digit)));
            return &self.text;
        }
        let time = Timestamp::from_second(second).unwrap_or_default();
        let local = time.to_zoned(self.zone.clone());
        self.text = local.strftime("%Y-%m-%d %H:%M").to_string();
        let start = second - i64::from(local.minute()) * 60 - i64::from(local.second());
        let offset_at =
            |second| Timestamp::from_second(second).map(|time| self.zone.to_offset(time)).ok();
        let steady =
            [start, start + 3599].map(offset_at).iter().all(|o| *o == Some(local.offset()));
        let hour = self.text.get(..self.text.len() - 2).unwrap_or_default();
        self.hour = steady.then(|| (start, hour.to_owned()));
        &self.text
    }
}

/// Why a row could not be rendered.
pub(super) enum ChunkError {
    /// From the store.
    Read(rusqlite::Error),
    /// As CSV.
    Render(csv::Error),
}

impl From<rusqlite::Error> for ChunkError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error)
    }
}

impl From<csv::Error> for ChunkError {
    fn from(error: csv::Error) -> Self {
        Self::Render(error)
    }
}

impl From<io::Error> for ChunkError {
    fn from(error: io::Error) -> Self {
        Self::Render(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_zone_also_where_its_clock_is_set() {
        // Lord Howe Island moves its clock by half an hour, Kathmandu is 5:45 ahead.
        for (zone, around) in [
            ("Europe/Berlin", "2026-10-25T00:00:00Z"),
            ("Europe/Berlin", "2026-03-29T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T14:00:00Z"),
            ("Asia/Kathmandu", "2026-01-01T18:00:00Z"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let mut dates = Dates { zone: zone.clone(), hour: None, text: String::new() };
            let around: Timestamp = around.parse().unwrap();
            for second in (-7200..7200).step_by(37).chain((-7200..7200).rev().step_by(613)) {
                let time = Timestamp::from_second(around.as_second() + second).unwrap();
                let expected = time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
                assert_eq!(dates.local_minute(time.as_second()), expected);
            }
        }
    }
}
