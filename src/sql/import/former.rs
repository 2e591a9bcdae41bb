//! Takes over the SQLite database of the Python program of the same name.
//!
//! Its table refuses rows without a country or a network, and the words that this program has for reverse
//! DNS; its dates are `DD/MM/YYYY HH:MM` as text. The rows go into a table as the contract has it, and
//! the former one is kept under another name.

use crate::sql::connect::{Connection, Trouble};
use crate::sql::{Engine, Layout};

/// What the name of the former table ends in.
const KEPT: &str = "_python";
/// What only a table of that program has.
const MARK: &str = "CHECK (reverse_dns_status IN (";

/// Takes the table over if it is one of that program; gives the name under which it is kept.
pub(super) fn take_over(
    connection: &mut dyn Connection,
    layout: &Layout,
) -> Result<Option<String>, Trouble> {
    let engine = Engine::Sqlite;
    if *layout != Layout::standard(&layout.table) || layout.table.contains('.') {
        return Ok(None);
    }
    let name = engine.literal(&layout.table);
    let probe = format!("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = {name}");
    let mut is_former = false;
    connection.query(&probe, &mut |row| {
        let sql = row.first().copied().flatten().unwrap_or_default();
        is_former = memchr::memmem::find(sql, MARK.as_bytes()).is_some();
    })?;
    if !is_former {
        return Ok(None);
    }
    let kept = format!("{}{KEPT}", layout.table);
    let (table, former) = (engine.identifier(&layout.table), engine.identifier(&kept));
    let columns = "id, server, event_time, ip, username, hostname, reverse_dns_status, country_code, \
        asn_int, asn_varchar";
    let date = "CASE WHEN event_time LIKE '__/__/____ __:__%' THEN substr(event_time, 7, 4) || '-' || \
        substr(event_time, 4, 2) || '-' || substr(event_time, 1, 2) || ' ' || substr(event_time, 12, 5) \
        || ':00' ELSE event_time END";
    for sql in [
        engine.begin().to_owned(),
        format!("ALTER TABLE {table} RENAME TO {former}"),
        engine.create_table(layout),
        format!(
            "INSERT INTO {table} ({columns}) SELECT id, server, {date}, ip, nullif(username, 'null'), \
             nullif(hostname, 'null'), replace(reverse_dns_status, 'ERRNO', 'Errno'), \
             nullif(country_code, 'N/A'), asn_int, nullif(asn_varchar, 'N/A') FROM {former}"
        ),
        "COMMIT".to_owned(),
    ] {
        if let Err(trouble) = connection.execute(&sql) {
            let _ = connection.execute("ROLLBACK");
            return Err(trouble);
        }
    }
    Ok(Some(kept))
}
