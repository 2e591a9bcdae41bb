//! The main job: extract what is new.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use log::LevelFilter;

use super::alert::Sent;
use super::args::Args;
use super::progress::Bar;
use super::{alert, report, retention, service_user};
use crate::account;
use crate::config::{Config, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::oplog::{OperationalLog, SUMMARY};
use crate::pipeline::{self, RunError, Summary};
use crate::report::grouped;
use crate::store::StoreError;

pub(super) fn run(host: &Host, args: &Args, (config, odd): (&Config, &[Note])) -> Status {
    let started = std::time::Instant::now();
    let mut bar = Bar::new(!args.no_progress && args.quiet == 0);
    let log_failed = start_log(host, args, config, &bar);
    greet(odd);
    host.dies_at_once.store(false, Ordering::Relaxed);
    let done = pipeline::run(host, config, &mut bar);
    bar.clear();
    let status = match done {
        Ok(summary) => {
            let status = finish(&summary, args, started.elapsed());
            let is_over = || summary.interrupted || host.stopping();
            // What cannot wait comes first.
            let alerts = if is_over() { Sent::default() } else { alert::send_due(host, config) };
            let alerted = alerts.told();
            let mailed = mail(&summary, alerts.mail_waits, (host, config));
            let kept = is_over() || retention::enforce_daily(host, config);
            if kept && alerted && mailed && !host.stopping() { status } else { Status::Failed }
        }
        Err(error) => refuse(&error),
    };
    log::info!("=== End of MailLogSentinel execution ===");
    let log_failed = log_failed.load(Ordering::Relaxed);
    if log_failed && status == Status::Done { Status::Failed } else { status }
}

/// Says that a run starts, and what is odd about its configuration.
pub(super) fn greet(odd: &[Note]) {
    log::info!("=== Start of MailLogSentinel v{} ===", env!("CARGO_PKG_VERSION"));
    for note in odd {
        log::warn!("{note}");
    }
}

/// Mails what is to be mailed after a run, among which may be alerts; whether that went well.
fn mail(summary: &Summary, alerts_wait: bool, (host, config): (&Host, &Config)) -> bool {
    let done = if summary.interrupted || host.stopping() {
        Ok(())
    } else if config.after_extraction && summary.failures > 0 {
        report::after_extraction(host, config)
    } else if summary.reports_wait || alerts_wait {
        report::send_late(host, config).map(drop)
    } else {
        Ok(())
    };
    done.inspect_err(|error| log::error!("{}", report::in_one(error))).is_ok()
}

/// Opens the operational log; what it gives becomes true if the log cannot be written.
pub(super) fn start_log(host: &Host, args: &Args, config: &Config, bar: &Bar) -> Arc<AtomicBool> {
    let stderr = match (args.verbose, args.quiet) {
        (1.., _) => LevelFilter::Debug,
        (_, 1..) => LevelFilter::Warn,
        _ => config.general.log_level,
    };
    let bar = bar.clone();
    let around = Box::new(move |write: &mut dyn FnMut()| bar.aside(write));
    let clock = (host.now, host.zone.clone());
    let log = OperationalLog::open(&config.general, clock, stderr, around);
    let failed = log.failed();
    log.install();
    log::debug!("{}", service_user::told(config));
    failed
}

/// Says what was done, in one line.
fn finish(summary: &Summary, args: &Args, took: std::time::Duration) -> Status {
    let line = in_words(summary, took);
    if summary.interrupted {
        log::warn!("Interrupted: the next run goes on after the last file that was done with");
        return Status::Failed;
    }
    log::info!(target: SUMMARY, "{line}");
    let told = if args.quiet > 0 { Ok(()) } else { writeln!(anstream::stdout(), "{line}") };
    match told {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            log::error!("cannot write to standard output: {error}");
            Status::Failed
        }
        _ if summary.errors.is_empty() => Status::Done,
        _ => Status::Failed,
    }
}

fn in_words(summary: &Summary, took: std::time::Duration) -> String {
    let plural = |n: u64, one: &str, many: &str| {
        format!("{} {}", grouped(n), if n == 1 { one } else { many })
    };
    let seconds = took.as_secs_f64();
    let late = match summary.late_rows {
        0 => String::new(),
        rows => format!("{} of an earlier run added to the CSV; ", plural(rows, "row", "rows")),
    };
    if summary.lines == 0 {
        let failed = !summary.errors.is_empty();
        let what =
            if failed { "not all could be read: see the errors" } else { "nothing new to read" };
        return format!("{late}{what}; {seconds:.2} s");
    }
    let ignored = match summary.ignored {
        0 => String::new(),
        ignored => format!(", {} from ignored networks", grouped(ignored)),
    };
    format!(
        "{late}{} read: {} recorded, {}, {}{ignored}; {seconds:.2} s",
        plural(summary.lines, "line", "lines"),
        plural(summary.failures, "failed login", "failed logins"),
        plural(summary.logins, "message of a logged-in user", "messages of logged-in users"),
        plural(summary.puzzles, "line not understood", "lines not understood"),
    )
}

pub(super) fn refuse(error: &RunError) -> Status {
    log::error!("{}", in_full(error));
    match error {
        RunError::Store(StoreError::Locked { .. }) => Status::TryLater,
        _ => Status::Failed,
    }
}

/// Why a run could not be done, and what to do about it.
pub(super) fn in_full(error: &RunError) -> String {
    let hint = match error {
        RunError::Store(error) => error.hint(),
        RunError::Folder { source, .. } if source.kind() == ErrorKind::StorageFull => {
            Some("make room on that disk and run again".to_owned())
        }
        RunError::Folder { source, .. } if source.kind() == ErrorKind::AlreadyExists => Some(
            "there is a file of that name: set `working_dir` and `state_dir` in section [paths]"
                .to_owned(),
        ),
        RunError::Folder { path, .. } => Some(format!(
            "{}, or set `working_dir` and `state_dir` in section [paths]",
            account::folder_cure(path).as_deref().unwrap_or("create it for the user this runs as")
        )),
    };
    format!("{error}{}", hint.map_or(String::new(), |hint| format!("\n  hint: {hint}")))
}
