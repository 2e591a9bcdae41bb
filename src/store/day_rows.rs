//! The rows of a day from elsewhere, counted by the same statements as those of the store.

use std::net::IpAddr;

use rusqlite::{Connection, params};

use super::figures::tally_day;
use crate::figures::Figures;
use crate::untrusted::Untrusted;

/// Rows of one day; they are kept on disk if they are many.
pub struct DayRows(Connection);

/// A row, as a database has it.
#[derive(Clone, Debug, Default)]
pub struct DayRow {
    /// The mail server.
    pub server: Option<Untrusted>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The account that was tried.
    pub user: Option<Untrusted>,
    /// The name of the address.
    pub hostname: Option<Untrusted>,
    /// `OK` or `Errno N`.
    pub reverse_dns: Option<String>,
    /// Two letters.
    pub country: Option<String>,
    /// The number of the network.
    pub asn: Option<u32>,
    /// Who runs it.
    pub aso: Option<Untrusted>,
}

impl DayRows {
    /// No rows yet.
    pub fn new() -> rusqlite::Result<Self> {
        // A database without a name is a file that nobody else sees, and goes with the connection.
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA synchronous = off; PRAGMA journal_mode = off; BEGIN; CREATE TEMP TABLE day ( \
             address, user, generation, hostname, reverse_dns, country, asn, aso, server)",
        )?;
        Ok(Self(connection))
    }

    /// Adds a row.
    pub fn add(&mut self, row: &DayRow) -> rusqlite::Result<()> {
        // 0 is a generation: these rows are not of a CSV that mixes failures with successes.
        let sql = "INSERT INTO temp.day VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?)";
        let address = row.address.map(super::batch::Address);
        self.0
            .prepare_cached(sql)?
            .execute(params![
                address,
                row.user,
                row.hostname,
                row.reverse_dns,
                row.country,
                row.asn,
                row.aso,
                row.server,
            ])
            .map(drop)
    }

    /// The lists and totals of the day, without its hours, and without the days before; and the rows of
    /// each server.
    pub fn figures(self) -> rusqlite::Result<(Figures, Vec<(Untrusted, u64)>)> {
        let sql = "SELECT server, count(*) FROM temp.day WHERE server IS NOT NULL GROUP BY 1";
        let servers = super::figures::list_all(&self.0, sql)?;
        let mut figures = Figures::default();
        tally_day(&self.0, &mut figures)?;
        Ok((figures, servers))
    }
}
