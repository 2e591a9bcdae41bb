//! How often the log is read, for the banner: what the installed timer says, else the configuration.

use std::fs;
use std::path::Path;

use crate::config::Config;

/// Where systemd looks for units, systemd.unit(5); the first that has one counts.
const FOLDERS: [&str; 4] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "lib/systemd/system",
];
const TIMER: &str = "maillogsentinel.timer";

/// The interval of the timer under `root`, in systemd's words: `hourly`.
pub(super) fn of(config: &Config, root: &Path) -> String {
    timer(root)
        .or_else(|| config.schedules.extraction.clone())
        .unwrap_or_else(|| "not known (no timer is installed)".to_owned())
}

fn timer(root: &Path) -> Option<String> {
    let folder =
        FOLDERS.map(|folder| root.join(folder)).into_iter().find(|f| f.join(TIMER).exists());
    let unit = fs::read_to_string(folder?.join(TIMER)).ok()?;
    // What an administrator set by `systemctl edit` comes last, and an empty value forgets the rest.
    let edited = root.join("etc/systemd/system").join(format!("{TIMER}.d"));
    let mut parts: Vec<_> =
        fs::read_dir(edited).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    parts.sort();
    let parts = parts.iter().filter_map(|path| fs::read_to_string(path).ok());
    let whole: Vec<_> = std::iter::once(unit).chain(parts).collect();
    let mut times = Vec::new();
    for value in whole.iter().flat_map(|text| text.lines()).filter_map(|line| {
        line.trim().strip_prefix("OnCalendar").and_then(|rest| rest.trim_start().strip_prefix('='))
    }) {
        match value.trim() {
            "" => times.clear(),
            time => times.push(time.to_owned()),
        }
    }
    (!times.is_empty()).then(|| times.join(", "))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files for a test")]
mod tests {
    use super::*;

    #[test]
    fn the_timer_tells_and_what_was_edited_tells_better() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(timer(root.path()), None);
        let folder = root.path().join("lib/systemd/system");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(TIMER), "[Timer]\nOnCalendar=hourly\n").unwrap();
        assert_eq!(timer(root.path()).as_deref(), Some("hourly"));
        let edited = root.path().join("etc/systemd/system/maillogsentinel.timer.d");
        fs::create_dir_all(&edited).unwrap();
        fs::write(edited.join("override.conf"), "[Timer]\nOnCalendar=\nOnCalendar = *:0/15\n")
            .unwrap();
        assert_eq!(timer(root.path()).as_deref(), Some("*:0/15"));
    }
}
