//! The report of a day from a database that several mail servers share.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::compose::{Composed, MOST, rows_of_the_day};
use crate::cli::sql;
use crate::config::{AttachCsv, Config};
use crate::event::canonical;
use crate::figures::{Figures, Hour, Server, median_hundredths};
use crate::host::Host;
use crate::report::{Attachment, Report, Scope, summary};
use crate::sql::connect::{Connection, Trouble};
use crate::sql::day::{LastRow, Question};
use crate::store::csv::HEADER;
use crate::store::day_rows::{DayRow, DayRows};
use crate::untrusted::{Untrusted, for_csv};

/// Days that a report shows besides its own, and that it compares with.
const SHOWN_BEFORE: i64 = 29;
const COMPARED: i64 = 14;

/// Makes the report of `day`, of all servers or of one.
pub(super) fn report(
    host: &Host,
    config: &Config,
    day: Date,
    server: Option<&str>,
) -> anyhow::Result<Composed> {
    let database = &config.database;
    let layout = sql::layout(config)?;
    let target = database.target(host.credentials.as_deref());
    let target = target.map_err(|note| anyhow::anyhow!("{note}"))?;
    let question = Question { engine: database.engine, layout: &layout, day, server };
    let (asked, place) = sql::at_any_server(host, database.engine, &target, &mut |connection| {
        ask(&question, connection, config)
    })?;
    let mut asked = asked.map_err(|error| match error {
        AskError::Database(Trouble::Busy(_)) => anyhow::anyhow!(
            "another program is writing to {place}\n  hint: try again when that is done"
        ),
        AskError::Database(trouble) => anyhow::anyhow!(
            "cannot read the rows of {day} from {place}: {}\n  hint: does `table_name` in section \
             [database] name the table that --sql-import fills?",
            trouble.words()
        ),
        AskError::Local(error) => error.into(),
    })?;
    if let Some(server) = server {
        let is_it = |name: &Option<Vec<u8>>| name.as_deref() == Some(server.as_bytes());
        if !asked.servers.iter().any(|(name, _)| is_it(name)) {
            let names = asked.servers.iter().map(|(name, _)| name.as_deref().unwrap_or(NO_SERVER));
            let names: Vec<_> = names.map(for_csv).collect();
            log::warn!(
                "the database has no row of the server `{server}` in the {} days up to {day}; it has rows of: {}",
                SHOWN_BEFORE + 1,
                if names.is_empty() { "none".into() } else { names.join(", ") }
            );
        }
        asked.servers.retain(|(name, _)| is_it(name));
    }
    let made_at = (host.now)().to_zoned(host.zone.clone());
    let csv = config.paths.csv.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let wanted = config.report.attach_csv != AttachCsv::None;
    let (attachment, file) = if wanted {
        let rows = asked.csv.as_deref();
        rows_of_the_day(rows, (csv, false), config.report.attach_max_bytes)?
    } else {
        (Attachment::None { because: None }, None)
    };
    let shown = format!("the database {}", config.database.shown(&place));
    let report = Report {
        interval: super::interval::of(config, std::path::Path::new("/")),
        is_today: day == made_at.date(),
        address: host.address().map_or("no network".to_owned(), |address| address.to_string()),
        host: host.full_name(),
        scope: Scope::Database { shown, server: server.map(str::to_owned) },
        day,
        figures: asked.figures(day, host)?,
        made_at,
        csv_bytes: 0,
        csv_lines: 0,
        attachment,
        errors: Vec::new(),
        meaning: None,
    };
    let summary = summary::sentences(&report);
    Ok(Composed { report, summary, file })
}

/// What a database said.
struct Asked {
    rows: DayRows,
    hours: BTreeMap<String, u64>,
    servers: Vec<LastRow>,
    /// The day's rows as the CSV has them; `None` if they are too many.
    csv: Option<Vec<u8>>,
}

/// What rows are shown under that have no server.
const NO_SERVER: &[u8] = b"unknown";

/// Why there is no answer.
enum AskError {
    Database(Trouble),
    Local(rusqlite::Error),
}

impl sql::MayBeLost for AskError {
    fn lost(&self) -> Option<&str> {
        match self {
            Self::Database(Trouble::Lost(words)) => Some(words),
            _ => None,
        }
    }
}

impl From<Trouble> for AskError {
    fn from(trouble: Trouble) -> Self {
        Self::Database(trouble)
    }
}

impl From<rusqlite::Error> for AskError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Local(error)
    }
}

fn ask(
    question: &Question<'_>,
    connection: &mut dyn Connection,
    config: &Config,
) -> Result<Asked, AskError> {
    let hours = question.hours(connection, SHOWN_BEFORE)?.into_iter().collect();
    let servers = question.servers(connection, SHOWN_BEFORE)?;
    let mut rows = DayRows::new()?;
    let most = usize::try_from(config.report.attach_max_bytes.saturating_mul(20).min(MOST));
    let most = most.unwrap_or(usize::MAX);
    let mut csv = Some(csv::WriterBuilder::new().delimiter(b';').from_writer(HEADER.into()));
    let mut failed = None;
    question.rows(connection, &mut |fields| {
        if let Err(error) = rows.add(&row(fields)) {
            failed.get_or_insert(error);
        }
        if let Some(writer) = &mut csv
            && (write(writer, fields).is_err() || writer.get_ref().len() > most)
        {
            csv = None;
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let csv = csv.and_then(|writer| writer.into_inner().ok());
    Ok(Asked { rows, hours, servers, csv })
}

/// The nine fields of a row, as the figures count them.
fn row(fields: &[Option<&[u8]>]) -> DayRow {
    let field = |at: usize| fields.get(at).copied().flatten();
    let untrusted = |at| field(at).map(Untrusted::from);
    let text = |at| field(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    DayRow {
        server: untrusted(0).or(Some(Untrusted::from(NO_SERVER))),
        address: text(2).and_then(|address| address.parse().ok()).map(canonical),
        user: untrusted(3),
        hostname: untrusted(4),
        reverse_dns: text(5),
        country: text(6),
        asn: text(7).and_then(|number| number.parse().ok()),
        aso: untrusted(8),
    }
}

/// The same as a row of the CSV.
fn write(writer: &mut csv::Writer<Vec<u8>>, fields: &[Option<&[u8]>]) -> csv::Result<()> {
    let absent = ["", "", "", "null", "null", "", "N/A", "N/A", "N/A"];
    let fields = fields.iter().zip(absent);
    writer.write_record(fields.map(|(field, absent)| {
        field.map_or(absent.as_bytes().to_vec(), |field| for_csv(field).into_owned().into_bytes())
    }))
}

impl Asked {
    fn figures(self, day: Date, host: &Host) -> anyhow::Result<Figures> {
        let Self { rows, hours, servers, .. } = self;
        let (mut figures, counts) = rows.figures()?;
        let count_of = |name: &Untrusted| {
            counts.iter().find(|(other, _)| other == name).map_or(0, |(_, count)| *count)
        };
        figures.servers = servers
            .into_iter()
            .map(|(name, last)| (name.unwrap_or(NO_SERVER.to_vec()), last))
            .map(|(name, last)| (Untrusted::from(name.as_slice()), last))
            .map(|(name, last)| Server { count: count_of(&name), name, last })
            .collect();
        // Before the first row nothing is known; later days without rows had none.
        let first = hours.keys().next().and_then(|hour| hour.get(..10)).map(str::to_owned);
        let is_known = |day: &Date| first.as_ref().is_some_and(|first| day.to_string() >= *first);
        let days = (0..=SHOWN_BEFORE).rev().map(|back| day.saturating_sub(back.days()));
        figures.days = days
            .map(|day| {
                let of_day = hours.iter().filter(|(hour, _)| hour.starts_with(&day.to_string()));
                (day, is_known(&day).then(|| of_day.map(|(_, count)| count).sum()))
            })
            .collect();
        let of_hour =
            |day: Date, hour: i8| hours.get(&format!("{day} {hour:02}")).copied().unwrap_or(0);
        let before: Vec<_> =
            (1..=COMPARED).map(|back| day.saturating_sub(back.days())).filter(is_known).collect();
        figures.hours = (0..24)
            .filter_map(|hour| {
                let start = day.at(hour, 0, 0, 0).to_zoned(host.zone.clone()).ok()?.timestamp();
                let usual = before.iter().map(|day| of_hour(*day, hour)).collect();
                let by_then = |day: &Date| (0..=hour).map(|hour| of_hour(*day, hour)).sum();
                Some(Hour {
                    start,
                    of_day: hour,
                    count: of_hour(day, hour),
                    usual_hundredths: median_hundredths(usual),
                    usual_by_then_hundredths: median_hundredths(
                        before.iter().map(by_then).collect(),
                    ),
                })
            })
            .collect();
        Ok(figures)
    }
}
