//! `ipinfo --update`: downloads the databases that changed.

use std::io::{IsTerminal, Write, stderr};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Args;
use super::progress::Bar;
use crate::config::{Config, Databases, KEYS};
use crate::enrich::geo::Kind;
use crate::enrich::geo::update::{
    DEFAULT_COUNTRY_URLS, DEFAULT_NETWORK_URLS, Job, Limits, Outcome, Proxies, UpdateError,
    Updater, came_from, plan,
};
use crate::exit::Status;
use crate::host::Host;
use crate::oplog::SUMMARY;

pub(super) fn run(host: &Host, config: &Config, args: &Args) -> Status {
    let mut status = Status::Done;
    let kinds = [
        (Kind::Countries, &config.countries, DEFAULT_COUNTRY_URLS, "country_db"),
        (Kind::Networks, &config.networks, DEFAULT_NETWORK_URLS, "asn_db"),
    ];
    let log_failed = super::extract::start_log(host, args, config, &Bar::new(false));
    let updater = Updater::new(Limits::default(), Proxies::from_variables(variable));
    for (kind, databases, default, key) in kinds {
        let jobs = match jobs(kind, databases, &default) {
            Ok(jobs) => jobs,
            Err(error) => {
                status = refuse(&format!("{key}_url: {}", error.text()), error.hint());
                continue;
            }
        };
        for job in jobs {
            if is_somebody_elses(&job, databases, key) {
                let what =
                    format!("{} was not downloaded by this program", super::shown(&job.path));
                let hint = format!("set `{key}_url` to where it comes from, or remove the file");
                status = refuse(&what, Some(hint));
            } else if !update(&updater, &job, host, args) {
                status = Status::Failed;
            }
        }
    }
    // Opened now, they are compiled, which the next run need not wait for.
    super::ipinfo::databases(config).describe();
    if log_failed.load(Ordering::Relaxed) { Status::Failed } else { status }
}

/// What is to be downloaded where.
pub(super) fn jobs(
    kind: Kind,
    databases: &Databases,
    default: &[&str],
) -> Result<Vec<Job>, UpdateError> {
    let mut urls = databases.urls.clone();
    if urls.is_empty() {
        urls = default.iter().map(|url| (*url).to_owned()).collect();
    }
    plan(kind, &databases.paths, &urls)
}

/// Whether the default download would replace a file that the administrator put where he chose.
fn is_somebody_elses(job: &Job, databases: &Databases, key: &str) -> bool {
    let name = format!("{key}_path");
    let usual = KEYS.iter().find(|it| it.name == name).map(|it| Path::new(it.default));
    databases.urls.is_empty()
        && usual != Some(&job.path)
        && job.path.exists()
        && !came_from(&job.path, &job.urls)
}

fn refuse(what: &str, hint: Option<String>) -> Status {
    let hint = hint.map_or(String::new(), |hint| format!("\n  hint: {hint}"));
    log::error!("{what}{hint}");
    Status::Failed
}

/// Refreshes one database and tells how that ended; whether it went well.
fn update(updater: &Updater, job: &Job, host: &Host, args: &Args) -> bool {
    let path = super::shown(&job.path);
    let bar = bar(!args.no_progress && args.quiet == 0, &path);
    let outcome = updater.update(job, &mut |done, total| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
        if host.stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    let told = match outcome {
        Outcome::Updated { ranges, bytes } => {
            format!(
                "{path}: updated, {ranges} ranges, {} downloaded",
                indicatif::BinaryBytes(bytes)
            )
        }
        Outcome::NotModified => format!("{path}: up to date"),
        Outcome::Failed(error) => {
            let kept = if job.path.exists() { "; the file in use stays" } else { "" };
            let text = error.text();
            let place = if text.contains(&path) { String::new() } else { format!("{path}: ") };
            refuse(&format!("{place}{text}{kept}"), error.hint());
            return false;
        }
    };
    log::info!(target: SUMMARY, "{told}");
    args.quiet > 0 || writeln!(anstream::stdout(), "{told}").is_ok()
}

fn bar(wanted: bool, path: &str) -> ProgressBar {
    let target = if wanted && stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let name = Path::new(path).file_name().unwrap_or_default();
    bar.set_message(name.display().to_string());
    bar
}

/// The proxy is the one thing that every program is told by the environment.
#[expect(clippy::disallowed_methods, reason = "proxies are set for all programs at once")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
