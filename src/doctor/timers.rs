//! What starts runs, and how the last ones ended, by systemd.

use std::path::Path;

use super::systemd::{self, Unit};
use super::{Scene, Told};
use crate::programs;

/// The timers, and whether each is there by default; their services have the same names.
const NAMES: [(&str, bool); 4] = [
    ("maillogsentinel", true),
    ("maillogsentinel-report", true),
    ("maillogsentinel-ipdb", true),
    ("maillogsentinel-sql", false),
];
/// What does the first one's work all the time, if an administrator has enabled it.
const FOLLOWS: &str = "maillogsentinel-follow.service";
/// Where this program's documents put a crontab for machines without systemd.
const CRON: &str = "/etc/cron.d/maillogsentinel";

pub(super) fn check(scene: &Scene, told: &Told) {
    if !programs::has_systemd() {
        return told
            .unknown("without systemd it cannot be told when runs start, nor how they ended");
    }
    let units: Vec<_> = NAMES
        .iter()
        .flat_map(|(name, _)| [format!("{name}.timer"), format!("{name}.service")])
        .chain([FOLLOWS.to_owned()])
        .collect();
    let names: Vec<_> = units.iter().map(String::as_str).collect();
    let shown = match systemd::show(&names) {
        Ok(shown) => shown,
        Err(error) => return told.unknown(&format!("timers cannot be told: {error}")),
    };
    let is_there = |unit: &Unit| unit.get("LoadState") != "not-found";
    if !shown.iter().any(is_there) {
        if Path::new(CRON).exists() {
            return told.unknown(&format!("no timers are installed; {CRON} may start runs"));
        }
        return told.warning(
            "no timers are installed: nothing starts runs by itself",
            "sudo maillogsentinel --setup",
        );
    }
    let mut idle = Vec::new();
    let follows = shown.last().filter(|unit| is_there(unit));
    let is_followed = follows.is_some_and(|unit| unit.get("ActiveState") == "active");
    if let Some(unit) = follows {
        follower(scene, unit, told);
    }
    for ((name, by_default), pair) in NAMES.iter().zip(shown.chunks(2)) {
        let [timer_unit, service_unit] = pair else { continue };
        let is_replaced = *name == "maillogsentinel" && is_followed;
        if is_replaced && timer_unit.get("ActiveState") != "active" {
            told.ok(&format!("{name}.timer is not armed, and need not be: the log is followed"));
        } else if is_there(timer_unit) {
            timer(name, timer_unit, *by_default, told);
        } else if *by_default {
            told.warning(&format!("{name}.timer is not installed"), "sudo maillogsentinel --setup");
        }
        if is_there(service_unit) && !service(scene, name, service_unit, told) {
            idle.push(format!("{name}.service"));
        }
    }
    if !idle.is_empty() {
        told.unknown(&format!("not run since this machine was started: {}", idle.join(", ")));
    }
}

fn timer(name: &str, unit: &Unit, by_default: bool, told: &Told) {
    let enable = format!("sudo systemctl enable --now {name}.timer");
    if unit.get("LoadState") != "loaded" {
        let what = format!("{name}.timer cannot be used: it is {}", unit.get("LoadState"));
        return told.error(&what, &format!("systemctl status {name}.timer"));
    }
    if unit.get("ActiveState") == "active" {
        let next = unit.get("NextElapseUSecRealtime");
        let next = if next.is_empty() { String::new() } else { format!(", next at {next}") };
        if unit.get("UnitFileState") == "disabled" {
            let what = format!("{name}.timer is armed{next}, and will not be after the next boot");
            return told.warning(&what, &enable);
        }
        return told.ok(&format!("{name}.timer is armed{next}"));
    }
    match unit.get("UnitFileState") {
        "enabled" => {
            let what = format!("{name}.timer is enabled and not started");
            told.error(&what, &format!("sudo systemctl start {name}.timer"));
        }
        _ if by_default => told.warning(&format!("{name}.timer is not armed"), &enable),
        _ => told.ok(&format!("{name}.timer is not armed, as it is unless asked for")),
    }
}

/// The service that follows the log.
fn follower(scene: &Scene, unit: &Unit, told: &Told) {
    let enable = format!("sudo systemctl enable --now {FOLLOWS}");
    let enabled = unit.get("UnitFileState") == "enabled";
    match unit.get("ActiveState") {
        "active" if !enabled => told.warning(
            &format!("{FOLLOWS} is at work, and will not be after the next boot"),
            &enable,
        ),
        "active" => {
            let since = unit.time("ExecMainStartTimestamp").and_then(|time| scene.ago(time));
            let since = since.map_or(String::new(), |(_, ago)| format!(", for {ago}"));
            told.ok(&format!("{FOLLOWS} follows the log{since}"));
        }
        "inactive" if !enabled => {
            told.ok(&format!("{FOLLOWS} is not at work, as it is unless asked for"));
        }
        state => {
            let what = format!("{FOLLOWS} is enabled and not at work: it is {state}");
            told.error(&what, &format!("systemctl status {FOLLOWS}"));
        }
    }
}

/// Tells how it ended; false if it has not run.
fn service(scene: &Scene, name: &str, unit: &Unit, told: &Told) -> bool {
    let log = format!("sudo journalctl -u {name}.service -n 50");
    if unit.get("LoadState") != "loaded" {
        let what = format!("{name}.service cannot be used: it is {}", unit.get("LoadState"));
        told.error(&what, &format!("systemctl status {name}.service"));
        return true;
    }
    if unit.get("ActiveState") == "activating" {
        let since = unit.time("ExecMainStartTimestamp").and_then(|time| scene.ago(time));
        let since = since.map_or(String::new(), |(_, ago)| format!(" for {ago}"));
        told.ok(&format!("{name}.service is at work{since}"));
        return true;
    }
    let Some(ended) = unit.time("ExecMainExitTimestamp") else { return false };
    let ago = scene.ago(ended).map_or("just now".to_owned(), |(_, ago)| format!("{ago} ago"));
    match (unit.get("Result"), unit.get("ExecMainStatus")) {
        ("success", _) => told.ok(&format!("{name}.service ended well {ago}")),
        (_, "75") => told.warning(
            &format!("{name}.service gave up {ago}: another run was at work"),
            "nothing to do if it happens once; see `maillogsentinel doctor` about the lock else",
        ),
        (_, "78") => told.error(
            &format!("{name}.service failed {ago}: its configuration was wrong (status 78)"),
            &log,
        ),
        (result, status) => {
            told.error(&format!("{name}.service failed {ago}: {result}, status {status}"), &log);
        }
    }
    true
}
