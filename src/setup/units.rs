//! The units of packages, and the drop-ins for what is different on this machine.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::{Place, Refusal};
use crate::account;
use crate::config::{Config, MailLog};
use crate::files::is_in_a_home;

macro_rules! units {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../../packaging/systemd/", $name)))),*] };
}

/// Names and texts.
pub(super) const UNITS: [(&str, &str); 9] = units![
    "maillogsentinel.service",
    "maillogsentinel.timer",
    "maillogsentinel-follow.service",
    "maillogsentinel-report.service",
    "maillogsentinel-report.timer",
    "maillogsentinel-ipdb.service",
    "maillogsentinel-ipdb.timer",
    "maillogsentinel-sql.service",
    "maillogsentinel-sql.timer"
];

/// Those that start the others.
pub(super) const TIMERS: [&str; 4] = [
    "maillogsentinel.timer",
    "maillogsentinel-report.timer",
    "maillogsentinel-ipdb.timer",
    "maillogsentinel-sql.timer",
];

/// The one that no timer starts: it runs on, if an administrator has enabled it.
pub(super) const FOLLOWS: &str = "maillogsentinel-follow.service";

/// Those of the Python program that have other names.
pub(super) const FORMER: [&str; 7] = [
    "maillogsentinel-extract.timer",
    "maillogsentinel-sql-export.timer",
    "maillogsentinel-sql-export.service",
    "maillogsentinel-sql-import.timer",
    "maillogsentinel-sql-import.service",
    "ipinfo-update.timer",
    "ipinfo-update.service",
];

/// Where the administrator's units are, and where those of packages are.
pub(super) const FOLDER: &str = "/etc/systemd/system";
pub(super) const PACKAGED: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];
/// Our drop-in; `systemctl edit` makes `override.conf`, which comes later and has the last word.
pub(super) const DROP_IN: &str = "maillogsentinel.conf";
const MADE_BY: &str =
    "# Written by maillogsentinel --setup from the configuration; `systemctl edit` overrides it.\n";
/// What services may write to in any case.
const OWN: [&str; 2] = ["/var/lib/maillogsentinel", "/var/log/maillogsentinel"];
const GROUPS: [&str; 2] = ["adm", "systemd-journal"];

/// Whether a package has brought the units.
pub(super) fn are_packaged(place: &Place) -> bool {
    PACKAGED.iter().any(|folder| place.at(folder).join("maillogsentinel.service").exists())
}

/// The drop-ins: the unit and the text.
pub(super) fn drop_ins(
    config: &Config,
    account: &str,
    groups: &[String],
) -> Result<Vec<(&'static str, String)>, Refusal> {
    let mut all = Vec::new();
    let service = service(config, account, groups)?;
    for (unit, _) in UNITS {
        let text = match (unit.strip_suffix(".timer"), time(config, unit)) {
            (None, _) => service.clone(),
            (Some(_), Some(time)) => format!("[Timer]\nOnCalendar=\nOnCalendar={time}\n"),
            (Some(_), None) => continue,
        };
        if !text.is_empty() {
            all.push((unit, format!("{MADE_BY}{text}")));
        }
    }
    Ok(all)
}

/// When a timer is to start its service, if the configuration says so.
pub(super) fn time<'c>(config: &'c Config, timer: &str) -> Option<&'c str> {
    let schedules = &config.schedules;
    match timer {
        "maillogsentinel.timer" => config.schedules.extraction.as_deref(),
        "maillogsentinel-report.timer" => schedules.report.as_deref(),
        "maillogsentinel-ipdb.timer" => schedules.databases.as_deref(),
        "maillogsentinel-sql.timer" => schedules.sql.as_deref(),
        _ => None,
    }
}

fn service(config: &Config, account: &str, groups: &[String]) -> Result<String, Refusal> {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key}={value}");
    };
    if account != account::USUAL {
        line("User", account);
    }
    if groups != GROUPS {
        line("SupplementaryGroups", "");
        line("SupplementaryGroups", &groups.join(" "));
    }
    let written = written(config);
    let read = config.paths.mail_logs.iter().filter_map(|log| log.file()?.parent());
    let read: Vec<_> = read.filter(|folder| is_in_a_home(folder)).map(Path::to_owned).collect();
    if written.iter().chain(&read).any(|path| is_in_a_home(path)) {
        line("ProtectHome", "tmpfs");
    }
    for (key, folders) in [("ReadWritePaths", &written), ("BindReadOnlyPaths", &read)] {
        for folder in folders {
            let key =
                if key == "ReadWritePaths" && is_in_a_home(folder) { "BindPaths" } else { key };
            line(key, &word(folder)?);
        }
    }
    Ok(if text.is_empty() { text } else { format!("[Service]\n{text}") })
}

/// The folders besides its own that the program writes to.
fn written(config: &Config) -> Vec<PathBuf> {
    let parent = |path: &Path| path.parent().map(Path::to_owned);
    let databases = config.countries.paths.iter().chain(&config.networks.paths);
    let mut folders = vec![
        config.paths.working_dir.clone(),
        config.paths.state_dir.clone(),
        config.database.export_dir.clone(),
    ];
    folders.extend(config.general.log_file.as_deref().and_then(parent));
    folders.extend(parent(&config.database.path));
    folders.extend(databases.filter_map(|path| parent(path)));
    folders.retain(|folder| !OWN.iter().any(|own| folder.starts_with(own)));
    folders.sort();
    folders.dedup();
    // One that is below another comes with it.
    let all = folders.clone();
    folders.retain(|folder| !all.iter().any(|other| folder != other && folder.starts_with(other)));
    folders
}

/// A path as systemd.syntax(7) wants it; one that is not there is passed over.
fn word(path: &Path) -> Result<String, Refusal> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    let Some(text) = text else {
        return Err(Refusal::new(
            format!("systemd cannot be told of the path {}", path.display()),
            "choose a path of plain text in the configuration",
        ));
    };
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    Ok(if escaped.contains([' ', '\'', '"', ':']) {
        format!("\"-{}\"", escaped.replace(':', "\\:"))
    } else {
        format!("-{escaped}")
    })
}

/// The groups that let the account read the journal and the logs.
pub(super) fn groups(config: &Config, place: &Place) -> Vec<String> {
    let exists = |name: &str| place.is_staging() || account::group_number(name).is_some();
    let mut groups: Vec<_> =
        GROUPS.into_iter().filter(|name| exists(name)).map(str::to_owned).collect();
    let logs = config.paths.mail_logs.iter().filter_map(MailLog::file);
    for path in logs.filter(|_| !place.is_staging()) {
        // To read as the group root would be to be too much.
        let group = account::reading_group(path).filter(|group| group != "root");
        if let Some(group) = group.filter(|group| !groups.contains(group)) {
            groups.push(group);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_words_of_systemd() {
        assert_eq!(word(Path::new("/srv/a")).unwrap(), "-/srv/a");
        assert_eq!(word(Path::new("/srv/a b%c\"d")).unwrap(), r#""-/srv/a b%%c\"d""#);
        assert!(word(Path::new("/srv/a\nExecStart=/bin/sh")).is_err());
    }
}
