//! Units, drop-ins, and which timers run.

use std::fs;
use std::path::Path;

use super::change::is_enabled;
use super::plan::file;
use super::units::{DROP_IN, FOLDER, FORMER, TIMERS, UNITS, are_packaged};
use super::{Change, Place, Wanted};

/// The changes of units, with `drop_ins` as unit and text.
pub(super) fn services(
    wanted: &Wanted<'_>,
    drop_ins: &[(&'static str, String)],
    place: &Place,
) -> Vec<Change> {
    let mut changes = former(place);
    let hidden = hidden(place);
    changes.extend(hidden.iter().map(|unit| Change::Aside {
        path: Path::new(FOLDER).join(unit),
        why: "it hides the unit of the package",
    }));
    if !are_packaged(place) {
        let units = UNITS.into_iter().filter(|(unit, _)| !is_masked(place, unit));
        changes.extend(units.map(|(unit, text)| {
            file(&Path::new(FOLDER).join(unit), text.into(), 0o644, "the units for systemd")
        }));
    }
    for (unit, _) in UNITS {
        let path = Path::new(FOLDER).join(format!("{unit}.d")).join(DROP_IN);
        changes.push(match drop_ins.iter().find(|(name, _)| *name == unit) {
            Some((_, text)) => {
                file(&path, text.clone().into(), 0o644, "what differs here from the units")
            }
            None => Change::Deleted { path },
        });
    }
    changes.retain(|change| !change.is_done(place));
    let timers = timers(wanted, &hidden, &changes, place);
    if !changes.is_empty() && place.has_systemd() {
        changes.push(Change::Reloaded);
    }
    changes.extend(timers);
    changes
}

/// Takes the units of the Python program out of the way.
fn former(place: &Place) -> Vec<Change> {
    let mut changes = Vec::new();
    for unit in FORMER.iter().filter(|unit| is_former(place, unit)) {
        if unit.contains(".timer") {
            changes.push(Change::Disabled((*unit).to_owned()));
        }
        changes.push(Change::Aside {
            path: Path::new(FOLDER).join(unit),
            why: "it is of the Python program, whose work others do now",
        });
    }
    changes
}

/// Whether there is a unit of the Python program: a name as common as `ipinfo-update` may be another's.
fn is_former(place: &Place, unit: &str) -> bool {
    let text = fs::read(place.at(FOLDER).join(unit)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).to_lowercase();
    let words = ["maillogsentinel", "ipinfo.py", "ipinfo-update.service"];
    words.iter().any(|word| text.contains(word))
}

/// The files that hide units of the package.
fn hidden(place: &Place) -> Vec<&'static str> {
    let names = UNITS.iter().map(|(unit, _)| *unit).filter(|_| are_packaged(place));
    names.filter(|unit| place.at(FOLDER).join(unit).is_file()).collect()
}

/// Which timers are to run, or to stop, or to take their new times from `changes`.
fn timers(wanted: &Wanted<'_>, hidden: &[&str], changes: &[Change], place: &Place) -> Vec<Change> {
    let sql_before = FORMER.iter().any(|unit| unit.contains("-sql-") && is_enabled(place, unit));
    let mut timers = Vec::new();
    for timer in TIMERS.into_iter().filter(|timer| !is_masked(place, timer)) {
        let (enabled, disabled) =
            (Change::Enabled(timer.to_owned()), Change::Disabled(timer.to_owned()));
        let is_wanted = match timer {
            "maillogsentinel-report.timer" => !wanted.config.report.email.is_empty(),
            "maillogsentinel-sql.timer" => {
                wanted.sql.unwrap_or(sql_before || is_enabled(place, timer))
            }
            _ => true,
        };
        // A link to a unit that is renamed leads nowhere then.
        if is_wanted && (hidden.contains(&timer) || !enabled.is_done(place)) {
            timers.push(enabled);
        } else if is_wanted && place.has_systemd() && is_changed(timer, changes) {
            timers.push(Change::Restarted(timer.to_owned()));
        } else if !is_wanted && !disabled.is_done(place) {
            timers.push(disabled);
        }
    }
    timers
}

/// Whether the administrator does not want a unit to be started by anything, `systemctl mask`.
fn is_masked(place: &Place, unit: &str) -> bool {
    let target = fs::read_link(place.at(FOLDER).join(unit));
    target.is_ok_and(|target| target == Path::new("/dev/null"))
}

/// Whether a unit or its drop-in is among the files that change.
fn is_changed(unit: &str, changes: &[Change]) -> bool {
    let (own, drop_in) = (Path::new(FOLDER).join(unit), format!("{unit}.d"));
    changes.iter().any(|change| match change {
        Change::File { path, .. } | Change::Deleted { path } | Change::Aside { path, .. } => {
            *path == own || path.starts_with(Path::new(FOLDER).join(&drop_in))
        }
        _ => false,
    })
}
