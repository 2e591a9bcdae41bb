//! Forgets what is older than the configuration allows; the daily run does it.

use crate::config::Config;
use crate::host::Host;
use crate::store::lock::Lock;
use crate::store::{Store, StoreError};

/// Whether all that is too old is gone, or names nobody any more.
pub(super) fn enforce(host: &Host, config: &Config) -> bool {
    let done = forget(host, config);
    if let Err(error) = &done {
        let hint = error.hint().map_or(String::new(), |hint| format!("\n  hint: {hint}"));
        log::error!("What is older than [retention] allows is still there: {error}{hint}");
    }
    done.is_ok()
}

fn forget(host: &Host, config: &Config) -> Result<(), StoreError> {
    if config.keep_events.is_none() && config.pseudonymise_after.is_none() {
        return Ok(());
    }
    let _lock = Lock::wait(&config.paths.state_dir)?;
    let mut store = Store::open(&config.paths.state_dir)?;
    let now = (host.now)().as_second();
    let stop = || host.stopping();
    if let Some(days) = config.keep_events {
        let gone = store.forget(now, days, &stop)?;
        if gone > 0 {
            log::info!("{gone} failed logins older than {days} days are forgotten");
        }
    }
    if let Some(days) = config.pseudonymise_after {
        let done = store.pseudonymise(now, days, &stop)?;
        if done > 0 {
            log::info!("{done} failed logins older than {days} days name nobody any more");
        }
    }
    Ok(())
}
