//! Puts a report together: the store's figures, this server, and what is attached.

use std::path::Path;

use anyhow::Context;
use jiff::civil::Date;

use super::meaning;
use crate::config::{AttachCsv, Config};
use crate::host::Host;
use crate::report::attachment::{disarmed, gzipped};
use crate::report::{Attachment, Report, Scope, summary};
use crate::store::Store;

/// A report, its sentences, and the file that goes with it by mail.
pub(super) struct Composed {
    pub(super) report: Report,
    pub(super) summary: Vec<String>,
    pub(super) file: Option<Vec<u8>>,
}

/// Makes the report of `day`; `errors` are of the run just before.
pub(super) fn report(
    host: &Host,
    config: &Config,
    (day, errors): (Date, Vec<String>),
) -> anyhow::Result<Composed> {
    let mut store = Store::open(&config.paths.state_dir)?;
    let made_at = (host.now)().to_zoned(host.zone.clone());
    let (csv_bytes, csv_lines) = store.csv_size(&config.paths.csv)?;
    let (attachment, file) = attach(&store, host, config, (day, csv_bytes))?;
    let figures = store.figures(day, &host.zone)?;
    let is_today = day == made_at.date();
    let known = meaning::Known {
        day,
        is_over: !is_today,
        figures: &figures,
        has_errors: !errors.is_empty(),
    };
    let meaning = meaning::of(&mut store, (host, config), &known)?;
    let report = Report {
        interval: super::interval::of(config, Path::new("/")),
        is_today,
        made_at,
        address: host.address().map_or("no network".to_owned(), |address| address.to_string()),
        host: host.full_name(),
        scope: Scope::Machine,
        day,
        figures,
        csv_bytes,
        csv_lines,
        attachment,
        errors,
        meaning: Some(meaning),
    };
    let summary = summary::sentences(&report);
    Ok(Composed { report, summary, file })
}

/// What is attached, and its bytes.
fn attach(
    store: &Store,
    host: &Host,
    config: &Config,
    (day, csv_bytes): (Date, u64),
) -> anyhow::Result<(Attachment, Option<Vec<u8>>)> {
    let most = config.report.attach_max_bytes;
    let csv = &config.paths.csv;
    let name = csv.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let wants_all = match config.report.attach_csv {
        AttachCsv::None => return Ok((Attachment::None { because: None }, None)),
        AttachCsv::Full => true,
        AttachCsv::Today => false,
    };
    if wants_all && csv_bytes <= most {
        let bytes = match std::fs::read(csv) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((
                    Attachment::None { because: Some("there is no CSV yet".to_owned()) },
                    None,
                ));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", csv.display()));
            }
        };
        return Ok((Attachment::Full(name), Some(disarmed(&bytes)?)));
    }
    // More than this does not shrink to what may be attached.
    let rows = store.rows_of(day, &host.zone, most.saturating_mul(20).min(MOST))?;
    rows_of_the_day(rows.as_deref(), (name, wants_all), most)
}

/// The rows of the day as they go with a mail; `rows` are none if they are too many to be held.
pub(super) fn rows_of_the_day(
    rows: Option<&[u8]>,
    (name, wants_all): (String, bool),
    most: u64,
) -> anyhow::Result<(Attachment, Option<Vec<u8>>)> {
    if let Some(rows) = rows {
        let rows = disarmed(rows)?;
        if rows.len() as u64 <= most {
            return Ok((Attachment::Day { name, too_large: wants_all }, Some(rows)));
        }
        let packed = gzipped(&rows)?;
        if packed.len() as u64 <= most {
            let name = format!("{name}.gz");
            return Ok((Attachment::Day { name, too_large: wants_all }, Some(packed)));
        }
    }
    let because =
        format!("even the rows of the day are more than `attach_max_bytes` ({most} bytes)");
    Ok((Attachment::None { because: Some(because) }, None))
}

/// So many bytes of rows are held at most; a mail server takes less.
pub(super) const MOST: u64 = 20 * 1024 * 1024;
