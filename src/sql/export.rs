//! Writes rows of the CSV as a file of SQL: a table if there is none, and one transaction of rows.

use std::borrow::Cow;
use std::io::{self, Write};

use super::csv_rows::Row;
use super::engine::Engine;
use super::layout::{FIELDS, Layout};
use super::value::{self, Told};
use crate::untrusted::for_sql;

/// Rows of one statement at most; and bytes, but for a single row that is longer.
const MOST_ROWS: usize = 1000;
const MOST_BYTES: usize = 128 * 1024;
/// How a file starts, before the name of its engine.
pub const MADE_FOR: &str = "-- MailLogSentinel: failed logins, for ";
/// How many odd fields are kept to be shown.
const SAMPLES: usize = 5;

/// What was written.
#[derive(Debug, Default)]
pub struct Tally {
    /// Rows.
    pub rows: u64,
    /// Fields that their column cannot hold, or not whole, in words; the first few.
    pub odd: Vec<String>,
    /// How many of them there were.
    pub odd_count: u64,
}

/// A file of SQL that is being written.
pub struct Script<'l, W> {
    out: W,
    engine: Engine,
    layout: &'l Layout,
    insert: Vec<u8>,
    statement: Vec<u8>,
    rows_in_statement: usize,
    /// Where the rows come from, for what is odd about them.
    source: String,
    tally: Tally,
}

impl<'l, W: Write> Script<'l, W> {
    /// Starts a file with this title, a line.
    pub fn new(mut out: W, engine: Engine, layout: &'l Layout, title: &str) -> io::Result<Self> {
        writeln!(out, "{MADE_FOR}{}", engine.name())?;
        writeln!(out, "-- {title}")?;
        for statement in engine.session() {
            writeln!(out, "{statement};")?;
        }
        // In MySQL a table that is made ends the transaction before it.
        if engine == Engine::Mysql {
            writeln!(out, "{};\n{};", engine.create_table(layout), engine.begin())?;
        } else {
            writeln!(out, "{};\n{};", engine.begin(), engine.create_table(layout))?;
        }
        let columns: Vec<_> = layout.columns.iter().map(|c| engine.identifier(&c.name)).collect();
        let table = engine.table(&layout.table);
        let insert = format!("INSERT INTO {table} ({}) VALUES\n", columns.join(", ")).into_bytes();
        let statement = Vec::with_capacity(MOST_BYTES + 4096);
        let tally = Tally::default();
        let source = String::new();
        Ok(Self { out, engine, layout, insert, statement, rows_in_statement: 0, source, tally })
    }

    /// Adds a row.
    pub fn add(&mut self, row: &Row) -> io::Result<()> {
        if self.rows_in_statement > 0 {
            self.statement.extend_from_slice(b",\n(");
        } else {
            self.statement.extend_from_slice(&self.insert);
            self.statement.push(b'(');
        }
        // One look at the whole row tells that none of its fields has to be mended.
        let plain = std::str::from_utf8(row.bytes()).ok().filter(|text| !text.contains('\0'));
        for (at, column) in self.layout.columns.iter().enumerate() {
            if at > 0 {
                self.statement.extend_from_slice(b", ");
            }
            let place = column.field as usize;
            let field = match plain {
                Some(text) => row.range(place).and_then(|range| text.get(range)).map(Cow::Borrowed),
                None => row.field(place).map(for_sql),
            };
            let told = value::push(&mut self.statement, self.engine, column, field.as_deref());
            if told != Told::Whole {
                let (_, field) = FIELDS.get(place).copied().unwrap_or(FIELDS[0]);
                let what = match told {
                    Told::Cut => "is longer than its column, and is cut",
                    _ => "is not what its column holds, and is left out",
                };
                self.note(row.line, || format!("the field `{field}` {what}"));
            }
        }
        if row.field(1).is_none() {
            self.note(row.line, || "the line has one field only".to_owned());
        } else if row.field(FIELDS.len()).is_some() {
            let what = "the line has more fields than the CSV, and they are left out; a `;` in a field without \
                        quotes moves all after it";
            self.note(row.line, || what.to_owned());
        }
        self.statement.push(b')');
        self.rows_in_statement += 1;
        self.tally.rows += 1;
        if self.rows_in_statement >= MOST_ROWS || self.statement.len() >= MOST_BYTES {
            self.end_statement()?;
        }
        Ok(())
    }

    /// Ends the file; gives back what it was written to.
    pub fn finish(mut self) -> io::Result<(W, Tally)> {
        self.end_statement()?;
        self.out.write_all(b"COMMIT;\n")?;
        self.out.flush()?;
        Ok((self.out, self.tally))
    }

    /// The rows that follow are of this file.
    pub fn reads_from(&mut self, source: String) {
        self.source = source;
    }

    /// Notes what is odd about a line.
    pub fn note(&mut self, line: u64, what: impl FnOnce() -> String) {
        self.tally.odd_count += 1;
        if self.tally.odd.len() < SAMPLES {
            self.tally.odd.push(format!("{}:{line}: {}", self.source, what()));
        }
    }

    /// How many rows there are so far.
    pub fn rows(&self) -> u64 {
        self.tally.rows
    }

    fn end_statement(&mut self) -> io::Result<()> {
        if self.rows_in_statement > 0 {
            self.statement.extend_from_slice(b";\n");
            self.out.write_all(&self.statement)?;
            self.statement.clear();
            self.rows_in_statement = 0;
        }
        Ok(())
    }
}
