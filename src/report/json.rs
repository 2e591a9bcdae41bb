//! The report as JSON, for other programs.

use serde::Serialize;

use super::{Report, Scope};
use crate::meaning::Meaning;
use crate::untrusted::Untrusted;

/// The document. Times are RFC 3339, days `YYYY-MM-DD`, hostile text as `for_terminal` shows it.
#[derive(Serialize)]
struct Document<'r> {
    /// The version of this shape.
    schema: u32,
    version: &'static str,
    made_at: String,
    server: &'r str,
    address: &'r str,
    day: String,
    /// Whether the day is over, so that the numbers stay as they are.
    finished: bool,
    /// False if nothing was read of the day: then no number means anything.
    known: bool,
    /// Null: not known.
    meaning: Option<&'r Meaning>,
    summary: &'r [String],
    total: u64,
    imported: u64,
    addresses: u64,
    accounts: u64,
    networks: u64,
    attempts: Vec<Attempt<'r>>,
    users: Vec<Counted<Option<String>>>,
    countries: Vec<Counted<&'r str>>,
    organisations: Vec<Counted<Option<String>>>,
    asns: Vec<Counted<Option<u32>>>,
    /// Failures by outcome: `OK`, `Errno 1` to `Errno 4`.
    reverse_dns: [u64; 5],
    hours: Vec<Hour>,
    days: Vec<Day>,
    /// Of a database: the servers whose rows are in it; else none.
    servers: Vec<Server>,
    /// Null if the figures are from a database, which does not know.
    coverage: Option<Coverage>,
    csv_bytes: Option<u64>,
    csv_lines: Option<u64>,
}

#[derive(Serialize)]
struct Server {
    name: String,
    count: u64,
    /// In the server's local time, `YYYY-MM-DD HH:MM`.
    last: String,
}

#[derive(Serialize)]
struct Attempt<'r> {
    user: Option<String>,
    address: &'r str,
    hostname: Option<String>,
    country: &'r str,
    count: u64,
}

#[derive(Serialize)]
struct Counted<T> {
    name: T,
    count: u64,
}

#[derive(Serialize)]
struct Hour {
    start: String,
    count: u64,
    /// The median of the same hour of the 14 days before.
    usual: Option<f64>,
}

#[derive(Serialize)]
struct Day {
    day: String,
    /// Null: nothing was read of that day.
    count: Option<u64>,
}

#[derive(Serialize)]
struct Coverage {
    lines: u64,
    puzzles: u64,
    logins: u64,
    last_line: Option<String>,
}

fn server(server: &crate::figures::Server) -> Server {
    let crate::figures::Server { name, count, last } = server;
    Server { name: name.for_terminal().into_owned(), count: *count, last: last.clone() }
}

/// Writes the report.
pub fn render(report: &Report, summary: &[String]) -> String {
    let figures = &report.figures;
    let text = |it: &Option<Untrusted>| it.as_ref().map(|it| it.for_terminal().into_owned());
    let moment = |at: jiff::Timestamp| {
        at.to_zoned(report.made_at.time_zone().clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    let attempts = figures.attempts.iter().map(|it| Attempt {
        user: text(&it.user),
        address: &it.address,
        hostname: text(&it.hostname),
        country: &it.country,
        count: it.count,
    });
    let named = |list: &[(Option<Untrusted>, u64)]| -> Vec<_> {
        list.iter().map(|(name, count)| Counted { name: text(name), count: *count }).collect()
    };
    #[expect(clippy::cast_precision_loss, reason = "a count for people, to two digits")]
    let hundredths = |number: u64| number as f64 / 100.0;
    let hours = figures.hours.iter().map(|it| Hour {
        start: moment(it.start),
        count: it.count,
        usual: it.usual_hundredths.map(hundredths),
    });
    let of_machine = report.scope == Scope::Machine;
    let document = Document {
        schema: 1,
        version: env!("CARGO_PKG_VERSION"),
        made_at: moment(report.made_at.timestamp()),
        server: &report.host,
        address: &report.address,
        day: report.day.to_string(),
        finished: !report.is_today,
        known: !report.knows_nothing(),
        meaning: report.meaning.as_ref(),
        summary,
        total: figures.total,
        imported: figures.imported,
        addresses: figures.addresses,
        accounts: figures.accounts,
        networks: figures.networks,
        attempts: attempts.collect(),
        users: named(&figures.users),
        countries: figures
            .countries
            .iter()
            .map(|(name, count)| Counted { name: name.as_str(), count: *count })
            .collect(),
        organisations: named(&figures.organisations),
        asns: figures
            .numbers
            .iter()
            .map(|(name, count)| Counted { name: *name, count: *count })
            .collect(),
        reverse_dns: figures.reverse_dns,
        hours: hours.collect(),
        days: figures
            .days
            .iter()
            .map(|(day, count)| Day { day: day.to_string(), count: *count })
            .collect(),
        servers: figures.servers.iter().map(server).collect(),
        coverage: of_machine.then(|| Coverage {
            lines: figures.coverage.lines,
            puzzles: figures.coverage.puzzles,
            logins: figures.coverage.logins,
            last_line: figures.coverage.last_line.map(moment),
        }),
        csv_bytes: of_machine.then_some(report.csv_bytes),
        csv_lines: of_machine.then_some(report.csv_lines),
    };
    // Nothing in it can fail: no map has keys that are no text.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}
