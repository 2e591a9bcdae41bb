//! Counts by time, kept beside the rows so that a report over weeks need not visit them.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::event::Findings;

/// The length in seconds of the stretches that failures are counted by. The clocks of all zones
/// differ from UTC by a multiple of it.
pub(super) const QUARTER: i64 = 900;

/// Counts failures at these seconds.
pub(super) fn count_failures(
    connection: &Connection,
    seconds: impl Iterator<Item = i64>,
) -> rusqlite::Result<()> {
    let mut quarters = BTreeMap::<i64, i64>::new();
    for second in seconds {
        *quarters.entry(second - second.rem_euclid(QUARTER)).or_default() += 1;
    }
    let sql = "INSERT INTO tally VALUES (?, ?) \
        ON CONFLICT DO UPDATE SET failures = failures + excluded.failures";
    let mut add = connection.prepare_cached(sql)?;
    for (start, failures) in quarters {
        add.execute([start, failures])?;
    }
    Ok(())
}

/// Counts what was read of each day.
pub(super) fn count_days(connection: &Connection, findings: &Findings) -> rusqlite::Result<()> {
    let mut days: BTreeMap<_, _> =
        findings.days.iter().map(|(day, read)| (*day, (*read, 0))).collect();
    for kind in findings.logins.iter() {
        days.entry(kind.day).or_default().1 += kind.known.count;
    }
    let sql = "INSERT INTO coverage VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
        lines = lines + excluded.lines, puzzles = puzzles + excluded.puzzles, \
        logins = logins + excluded.logins, \
        last_line = max(coalesce(last_line, excluded.last_line), \
                        coalesce(excluded.last_line, last_line))";
    let mut add = connection.prepare_cached(sql)?;
    for (day, (read, logins)) in days {
        add.execute(params![
            day.to_string(),
            read.lines.cast_signed(),
            read.puzzles.cast_signed(),
            logins.cast_signed(),
            read.last_line.map(jiff::Timestamp::as_second),
        ])?;
    }
    Ok(())
}
