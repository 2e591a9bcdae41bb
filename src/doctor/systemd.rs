//! Asks systemd, where it runs.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::programs;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The properties of a unit.
pub(super) struct Unit(HashMap<String, String>);

impl Unit {
    /// A property; empty if it has none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A property that is a time.
    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        time(self.get(name))
    }
}

/// The properties of `units`, in their order.
pub(super) fn show(units: &[&str]) -> Result<Vec<Unit>, String> {
    let mut words = vec!["systemctl", "--no-pager", "show"];
    words.push(
        "--property=LoadState,UnitFileState,ActiveState,NextElapseUSecRealtime,Result,\
         ExecMainStatus,ExecMainStartTimestamp,ExecMainExitTimestamp",
    );
    words.extend(units);
    let answer = programs::ask(&words, PATIENCE).map_err(|error| format!("systemctl: {error}"))?;
    if answer.status != Some(0) {
        return Err("systemctl failed: it may not reach systemd from here".to_owned());
    }
    let blocks = answer.output.split("\n\n").filter(|block| !block.trim().is_empty());
    let found: Vec<_> = blocks.map(unit).collect();
    if found.len() == units.len() { Ok(found) } else { Err("systemctl left units out".to_owned()) }
}

fn unit(block: &str) -> Unit {
    let pairs = block.lines().filter_map(|line| line.split_once('='));
    Unit(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// What `timedatectl show` says of `property`.
pub(super) fn clock(property: &str) -> Result<String, String> {
    let words = ["timedatectl", "show", "--value", "--property", property];
    match programs::ask(&words, PATIENCE) {
        Ok(answer) if answer.status == Some(0) => Ok(answer.output.trim().to_owned()),
        Ok(_) => Err("timedatectl failed".to_owned()),
        Err(error) => Err(format!("timedatectl: {error}")),
    }
}

/// `Wed 2026-11-25 16:58:40 UTC`; programs are asked with that zone.
fn time(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.strip_suffix(" UTC")?.split_once(' ')?;
    let local = DateTime::strptime("%Y-%m-%d %H:%M:%S", rest).ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_shown() {
        let expected = "2026-11-25T16:58:40Z".parse().ok();
        assert_eq!(time("Wed 2026-11-25 16:58:40 UTC"), expected);
        assert_eq!(time(""), None);
        assert_eq!(time("n/a"), None);
    }

    #[test]
    fn values_may_hold_anything() {
        let unit =
            unit("Result=exit-code\nA=b=c\nExecMainExitTimestamp=Wed 2026-11-25 16:58:40 UTC");
        assert_eq!((unit.get("A"), unit.get("B")), ("b=c", ""));
        assert!(unit.time("ExecMainExitTimestamp").is_some());
    }
}
