//! Forgets what is older than the configuration allows: with each report, else by the first run of a day.

use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::config::Config;
use crate::host::Host;
use crate::store::lock::Lock;
use crate::store::retention::{forget, pseudonymise};
use crate::store::{FILE_NAME, Store, StoreError};

const DAY: i64 = 86_400;

/// From one step to the next: what waits for the lock tries more often.
const GAP: Duration = Duration::from_millis(50);

/// Whether anything is ever too old.
pub(super) fn is_wanted(config: &Config) -> bool {
    config.keep_events.is_some() || config.pseudonymise_after.is_some()
}

/// Does it, or leaves it to the next run if another holds the lock; false if it failed, which the operational log
/// says.
pub(super) fn enforce(host: &Host, config: &Config) -> bool {
    told(&see_to_it(host, config, false))
}

/// The same, unless it was done today.
pub(super) fn enforce_daily(host: &Host, config: &Config) -> bool {
    told(&see_to_it(host, config, true))
}

fn told(done: &Result<bool, StoreError>) -> bool {
    if let Err(StoreError::Locked { .. }) = done {
        log::info!(
            "What is older than [retention] allows is left to the next run: another is at work"
        );
        return true;
    }
    if let Err(error) = done {
        let hint = error.hint().map_or(String::new(), |hint| format!("\n  hint: {hint}"));
        log::error!("What is older than [retention] allows is still there: {error}{hint}");
    }
    matches!(done, Ok(true))
}

/// Whether all of it is done; not if this is to end.
fn see_to_it(host: &Host, config: &Config, unless_done: bool) -> Result<bool, StoreError> {
    if !is_wanted(config) {
        return Ok(true);
    }
    let state_dir = &config.paths.state_dir;
    let now = (host.now)();
    let (keep, hide) = (config.keep_events, config.pseudonymise_after);
    // Limits that were changed are others.
    let what = format!("{} {keep:?} {hide:?}", now.to_zoned(TimeZone::UTC).date());
    if unless_done && Store::open(state_dir)?.has_forgotten(&what)? {
        return Ok(true);
    }
    let now = now.as_second();
    let stop = || host.stopping();
    // Others record what is logged between the steps, or reset the store.
    let path = state_dir.join(FILE_NAME);
    let which = || path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let this = which();
    let turn = || {
        thread::sleep(GAP);
        let lock = Lock::wait(state_dir, &stop)?;
        if which() != this {
            let holder = "a reset".to_owned();
            return Err(StoreError::Locked { doing: "at work", path: path.clone(), holder });
        }
        Ok((lock, Store::open(state_dir)?))
    };
    if let Some(days) = keep {
        let gone = forget(&turn, now - days * DAY, &stop)?;
        if gone > 0 {
            log::info!("{gone} failed logins older than {days} days are forgotten");
        }
    }
    if let Some(days) = hide {
        let done = pseudonymise(&turn, now - days * DAY, &stop)?;
        if done > 0 {
            log::info!("{done} failed logins older than {days} days name nobody any more");
        }
    }
    if stop() {
        log::warn!("Interrupted: what is older than [retention] allows is left to the next run");
        return Ok(false);
    }
    let (_lock, mut store) = turn()?;
    store.note_forgotten(&what).map(|()| true)
}
