//! `--report`: reads what is new, and tells of a day.

mod compose;
mod database;
mod deliver;
mod interval;
mod meaning;
mod output;

use jiff::civil::Date;
use std::sync::atomic::Ordering;

use super::args::{Args, Source};
use super::progress::Bar;
use super::{alert, extract, retention};
use crate::config::{Config, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::pipeline;
use crate::store::Store;

/// Until this hour of the day, a report without `--date` is about the day before: a timer of
/// midnight means that one.
const FIRST_HOUR: i8 = 1;

pub(super) fn run(host: &Host, args: &Args, (config, odd): (&Config, &[Note])) -> Status {
    let today = (host.now)().to_zoned(host.zone.clone());
    let day = match args.date.as_deref() {
        None if today.hour() < FIRST_HOUR => today.date().yesterday(),
        None | Some("today") => Ok(today.date()),
        Some("yesterday") => today.date().yesterday(),
        Some(day) => Date::strptime("%Y-%m-%d", day),
    };
    let Some(day) = day.ok().filter(|day| *day <= today.date()) else {
        let what = "--date takes a day that has begun, as YYYY-MM-DD, or today, or yesterday";
        return super::usage(what);
    };
    if let Some(Err(what)) = args.output.as_deref().map(output::Form::of) {
        return super::usage(&what);
    }
    let mut bar = Bar::new(!args.no_progress && args.quiet == 0);
    let log_failed = extract::start_log(host, args, config, &bar);
    log::info!("=== Report Generation Started ===");
    for note in odd {
        log::warn!("{note}");
    }
    host.dies_at_once.store(false, Ordering::Relaxed);
    let status = if args.source == Some(Source::Database) {
        let server = args.server.as_deref();
        deliver_or_write(host, args, config, database::report(host, config, day, server))
    } else {
        from_the_log(host, args, config, (day, &mut bar))
    };
    log::info!("=== Report Generation Finished ===");
    let log_failed = log_failed.load(Ordering::Relaxed);
    if log_failed && status == Status::Done { Status::Failed } else { status }
}

/// Reads what is new in the log, then reports.
fn from_the_log(host: &Host, args: &Args, config: &Config, (day, bar): (Date, &mut Bar)) -> Status {
    let done = pipeline::run(host, config, bar);
    bar.clear();
    match done {
        Ok(summary) if summary.interrupted => {
            log::warn!("Interrupted: no report was made");
            Status::Failed
        }
        Ok(summary) => {
            let alerts = alert::send_due(host, config);
            let alerted = alerts.told();
            let status = tell(host, args, config, (day, summary.errors), alerts.mail_waits);
            let kept = host.stopping() || retention::enforce(host, config);
            if kept && alerted && !host.stopping() { status } else { Status::Failed }
        }
        Err(error) => {
            let status = extract::refuse(&error);
            log::error!("No report was made");
            status
        }
    }
}

pub(super) use deliver::{send_alerts_late, send_late};

/// Mails what a plain run found, if that is wanted.
pub(super) fn after_extraction(host: &Host, config: &Config) -> anyhow::Result<()> {
    // What was found may be of days before: a log that was read late, a run just after midnight.
    let latest = Store::open(&config.paths.state_dir)?.latest_day(&host.zone)?;
    let today = (host.now)().to_zoned(host.zone.clone()).date();
    let day = latest.map_or(today, |day| day.min(today));
    match compose::report(host, config, (day, Vec::new())) {
        Ok(composed) => deliver::mail(host, config, &composed),
        Err(error) => {
            // Alerts that wait have nothing to do with it.
            told(send_late(host, config).map(drop));
            Err(error)
        }
    }
}

/// An error with its causes; hints last.
pub(super) fn in_one(error: &anyhow::Error) -> String {
    let mut causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    // An error may stand behind its own words with a hint.
    causes.dedup_by(|cause, words| {
        words.split("\n  hint: ").next().is_some_and(|words| words.ends_with(&**cause))
    });
    let texts = causes.iter().map(|text| text.split("\n  hint: ").next().unwrap_or_default());
    let hints =
        causes.iter().filter_map(|text| text.split_once("\n  hint: ")).map(|(_, hint)| hint);
    let texts: Vec<_> = texts.collect();
    // `cannot read x: why`, but `why; and what that means`.
    let text = match texts.first() {
        Some(first) if first.starts_with("cannot") => texts.join(": "),
        _ => texts.into_iter().rev().collect::<Vec<_>>().join("; "),
    };
    hints.fold(text, |text, hint| format!("{text}\n  hint: {hint}"))
}

/// Makes the report and takes it where it was asked for.
fn tell(
    host: &Host,
    args: &Args,
    config: &Config,
    (day, errors): (Date, Vec<String>),
    alerts_wait: bool,
) -> Status {
    if host.stopping() {
        log::warn!("Interrupted: no report was made");
        return Status::Failed;
    }
    let could_not_read = !errors.is_empty();
    let composed = compose::report(host, config, (day, errors));
    // A report that is mailed takes them along.
    let is_mailed = composed.is_ok() && args.output.is_none();
    let alerted = !alerts_wait || is_mailed || told(send_late(host, config).map(drop));
    match deliver_or_write(host, args, config, composed) {
        Status::Done if could_not_read || !alerted => Status::Failed,
        status => status,
    }
}

fn deliver_or_write(
    host: &Host,
    args: &Args,
    config: &Config,
    composed: anyhow::Result<compose::Composed>,
) -> Status {
    let done = composed.and_then(|composed| match &args.output {
        Some(output) => {
            output::write(&composed, output, || deliver::letter(host, config, &composed).to_bytes())
        }
        None => deliver::mail(host, config, &composed),
    });
    if told(done) { Status::Done } else { Status::Failed }
}

fn told(done: anyhow::Result<()>) -> bool {
    done.inspect_err(|error| log::error!("{}", in_one(error))).is_ok()
}
