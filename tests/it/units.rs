//! The units are what systemd takes, run commands that the program knows, and leave little to do harm with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sentinel::{Ran, Sentinel};

/// The files of `packaging/systemd` that end so: each timer has a service, and one has no timer.
fn units(end: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut units: Vec<_> = files.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
    units.sort();
    assert_eq!(units.len(), if end == ".timer" { 4 } else { 5 });
    units
}

/// The values of a key.
fn values(unit: &Path, key: &str) -> Vec<String> {
    let text = fs::read_to_string(unit).unwrap();
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

#[test]
fn each_service_is_unprivileged_and_its_exposure_is_at_most_one_and_a_half() {
    for unit in units(".service") {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--offline=true", "--no-pager", "--threshold=15"]).arg(&unit);
        Ran::of(&mut analyze).exits(0).prints("Overall exposure level");
        assert_eq!(values(&unit, "User"), ["maillogsentinel"]);
        assert_eq!(values(&unit, "CapabilityBoundingSet"), [""]);
    }
}

#[test]
fn each_service_that_sends_has_the_secrets_for_it() {
    for unit in ["maillogsentinel", "maillogsentinel-follow", "maillogsentinel-report"] {
        let unit =
            units(".service").into_iter().find(|it| it.file_stem().unwrap() == unit).unwrap();
        let secrets = values(&unit, "LoadCredential");
        for secret in ["smtp_password", "webhook"] {
            let expected = format!("{secret}:maillogsentinel.{secret}");
            assert!(secrets.contains(&expected), "{}: {secrets:?}", unit.display());
        }
    }
}

#[test]
fn each_service_runs_what_the_command_line_knows() {
    let sentinel = Sentinel::default();
    for unit in units(".service") {
        for command in values(&unit, "ExecStart") {
            let words: Vec<_> = command.split(' ').collect();
            let (program, arguments) = words.split_first().unwrap();
            assert_eq!(*program, "maillogsentinel");
            Ran::of(&mut sentinel.command(&[arguments, &["--help"]].concat())).exits(0);
        }
    }
}

#[test]
fn each_timer_has_its_service_a_time_that_systemd_knows_and_catches_up() {
    for timer in units(".timer") {
        assert!(timer.with_extension("service").exists());
        for time in values(&timer, "OnCalendar") {
            Ran::of(Command::new("systemd-analyze").args(["calendar", &time])).exits(0);
        }
        assert_eq!(values(&timer, "Persistent"), ["yes"]);
        assert_eq!(values(&timer, "RandomizedDelaySec").len(), 1);
    }
}
