//! `accounts --attacked`: which accounts the attackers want, and whether they exist.

use std::fmt::Write;

use serde::Serialize;

use super::campaigns::for_people;
use super::existing::Existing;
use super::{DAY, Desk, print, print_json, table};
use crate::cli::args::Accounts;
use crate::exit::Status;
use crate::report::{counted, grouped};
use crate::store::StoreError;
use crate::store::judged::Attacked;

/// Attacks of so many days.
const RECENT_DAYS: i64 = 30;
/// So many names are looked at, and shown.
const LOOKED_AT: i64 = 5000;
const SHOWN: usize = 50;

#[derive(Serialize)]
struct Document {
    name: String,
    exists: Option<bool>,
    failures: u64,
    addresses: u64,
    last: String,
}

pub(super) fn run(desk: &Desk<'_>, args: &Accounts) -> Result<Status, StoreError> {
    let existing = Existing::find(desk);
    let attacked = desk.store.attacked(desk.now - RECENT_DAYS * DAY, LOOKED_AT)?;
    let known = attacked.into_iter().map(|it| {
        let exists = existing.has(&it.name, it.has_logged_in);
        (it, exists)
    });
    let wanted = |(_, exists): &(Attacked, Option<bool>)| !args.existing || *exists == Some(true);
    let (all, others): (Vec<_>, Vec<_>) = known.partition(wanted);
    // Nobody is to think that they do not exist.
    let unknown = others.iter().filter(|(_, exists)| exists.is_none()).count() as u64;
    if args.json {
        let all = all.iter().map(|(it, exists)| Document {
            name: for_people(&it.name),
            exists: *exists,
            failures: it.failures,
            addresses: it.sources,
            last: desk.stamp(it.last),
        });
        return Ok(print_json(&all.collect::<Vec<_>>(), Status::Done));
    }
    if all.is_empty() {
        let what = if args.existing { "account that is known to exist" } else { "account" };
        let told = format!("No {what} was attacked in the last 30 days.\n{}", left_out(unknown));
        return Ok(print(&told, Status::Done));
    }
    let heads = ["account", "exists", "failures", "addresses", "last"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(all.iter().take(SHOWN).map(|(it, exists)| {
        let exists = match exists {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        vec![
            for_people(&it.name),
            exists.to_owned(),
            grouped(it.failures),
            grouped(it.sources),
            desk.moment(it.last),
        ]
    }));
    let mut out = table::lines(&rows);
    if all.len() > SHOWN {
        let _ = writeln!(out, "and {} more (--json shows all)", all.len() - SHOWN);
    }
    out.push_str(&left_out(unknown));
    Ok(print(&out, Status::Done))
}

/// What is said of names that may exist.
fn left_out(unknown: u64) -> String {
    if unknown == 0 {
        return String::new();
    }
    let names = counted(unknown, "name", "names");
    format!("Of {names} more it is not known (key `lists` in section [accounts]).\n")
}
