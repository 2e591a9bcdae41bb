//! `ipinfo --update`: downloads the databases that changed.

use std::io::{IsTerminal, Write, stderr};
use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Args;
use crate::config::{Config, Databases};
use crate::enrich::geo::Kind;
use crate::enrich::geo::update::{
    DEFAULT_COUNTRY_URLS, DEFAULT_NETWORK_URLS, Job, Limits, Outcome, Proxies, UpdateError,
    Updater, plan,
};
use crate::exit::Status;
use crate::host::Host;

pub(super) fn run(host: &Host, config: &Config, args: &Args) -> Status {
    let mut status = Status::Done;
    let kinds = [
        (Kind::Countries, &config.countries, DEFAULT_COUNTRY_URLS),
        (Kind::Networks, &config.networks, DEFAULT_NETWORK_URLS),
    ];
    let updater = Updater::new(Limits::default(), Proxies::from_variables(variable));
    for (kind, databases, default) in kinds {
        let jobs = match jobs(kind, databases, &default) {
            Ok(jobs) => jobs,
            Err(error) => {
                status = super::fail(&error.text(), error.hint().as_deref());
                continue;
            }
        };
        for job in jobs {
            if !update(&updater, &job, host, args) {
                status = Status::Failed;
            }
        }
    }
    // Opened now, they are compiled, which the next run need not wait for.
    super::ipinfo::databases(config).describe();
    status
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
            super::fail(&format!("{path}: {}{kept}", error.text()), error.hint().as_deref());
            return false;
        }
    };
    args.quiet > 0 || writeln!(anstream::stdout(), "{told}").is_ok()
}

fn bar(wanted: bool, path: &str) -> ProgressBar {
    let target = if wanted && stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "{msg} {bar:30} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(path.to_owned());
    bar
}

/// The proxy is the one thing that every program is told by the environment.
#[expect(clippy::disallowed_methods, reason = "proxies are set for all programs at once")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
