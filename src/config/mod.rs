//! What administrators write: reads it, checks all of it, and tells every mistake in one go.

mod alert;
mod database;
mod ini;
mod keys;
mod load;
mod report;
mod sample;
mod schedules;
mod secret;
mod sections;
mod value;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use database::Database;
pub use ini::read as read_ini;
pub use keys::{KEYS, Key};
pub use load::{DEFAULT_PATHS, load, load_or_default, load_text, path, read, setting};
pub use report::{AttachCsv, Report, Smtp};
pub use sample::sample;
pub use schedules::Schedules;
pub use secret::{EXPOSED, Secret};
pub use sections::{Config, Databases, Detect, Dns, General, MailLog, NameCache, Paths, RunAs};
pub use value::{Kind, Value};

use crate::event::Services;
use crate::judge::Thresholds;
use ini::Entry;

/// A mistake in the configuration, or something odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file and the line, if it is in a file.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

/// What reading gave: the configuration or all mistakes, and what is odd but harmless.
pub type Loaded = (Result<Config, Vec<Note>>, Vec<Note>);

/// Collects values and mistakes.
#[derive(Default)]
struct Reader {
    values: HashMap<(&'static str, &'static str), Value>,
    /// Where each key was set last.
    places: HashMap<&'static str, String>,
    mistakes: Vec<Note>,
    warnings: Vec<Note>,
    /// Where the file is: some paths in it are relative to that.
    folder: PathBuf,
}

impl Reader {
    fn read_text(&mut self, text: &str, path: &Path) {
        path.parent().unwrap_or(Path::new("")).clone_into(&mut self.folder);
        let (entries, syntax) = read_ini(text);
        let place = |line: usize| format!("{}:{line}", path.display());
        self.mistakes.extend(syntax.into_iter().map(|mistake| Note {
            place: place(mistake.line),
            what: mistake.what,
            hint: None,
        }));
        let holds_secret = entries.iter().any(|e| !e.value.is_empty() && is_password(e));
        if holds_secret && is_readable_by_others(path) {
            self.warnings.push(secret::exposed(path));
        }
        // Names of today win over older ones, wherever they stand.
        let (older, current): (Vec<_>, Vec<_>) = entries
            .iter()
            .partition(|e| find(&e.section, &e.key).is_some_and(|key| key.name != e.key));
        for entry in older.into_iter().chain(current) {
            self.read_entry(entry, &place(entry.line));
        }
    }

    /// One file cannot be two things.
    fn refuse_shared_files(&mut self, config: &Config) {
        let paths = &config.paths;
        let logs = paths.mail_logs.iter().filter_map(|log| match log {
            MailLog::File(path) => Some(("mail_log", path.clone())),
            _ => None,
        });
        let mut files: Vec<_> = logs.collect();
        files.push(("csv_filename", paths.csv.clone()));
        files.push(("state_dir", paths.state_dir.join(crate::store::FILE_NAME)));
        files.push(("db_path", config.database.path.clone()));
        files.extend(config.general.log_file.iter().map(|path| ("log_file", path.clone())));
        for (at, (key, path)) in files.iter().enumerate() {
            let twin = files.iter().take(at).find(|(other, same)| other != key && same == path);
            if let Some((other, _)) = twin {
                let place = self.places.get(key).or_else(|| self.places.get(other));
                let path = path.display();
                self.mistakes.push(Note {
                    place: place.cloned().unwrap_or_else(|| path.to_string()),
                    what: format!("`{other}` and `{key}` lead to the same file, {path}"),
                    hint: Some("give one of them another name".to_owned()),
                });
            }
        }
    }

    fn read_setting(&mut self, setting: &str) {
        let place = format!("--set {setting}");
        let before = self.warnings.len();
        match load::setting(setting) {
            Some(entry) => self.read_entry(&entry, &place),
            None => self.mistakes.push(Note {
                place,
                what: "not SECTION.KEY=VALUE".to_owned(),
                hint: Some("for example --set paths.mail_log=/var/log/mail.log".to_owned()),
            }),
        }
        // On a command line an unknown name is no leftover of another version: it is a mistake.
        self.mistakes.extend(self.warnings.drain(before..));
    }

    fn read_entry(&mut self, entry: &Entry, place: &str) {
        let Some(key) = find(&entry.section, &entry.key) else {
            // A key of [DEFAULT] is for those sections that know it.
            if !entry.inherited {
                self.warnings.push(unknown(entry, place));
            }
            return;
        };
        // Python fell back on the default for an empty value; log_file means something by it.
        // Without the files that the program works on, it would work on others.
        let needed = ["mail_log", "working_dir", "csv_filename", "log_file"].contains(&key.name);
        let empty_means_default = entry.value.is_empty() && !needed;
        let text = if empty_means_default { key.default } else { &entry.value };
        match key.kind.check(text) {
            Ok(value) => {
                self.values.insert((key.section, key.name), value);
                self.places.insert(key.name, place.to_owned());
            }
            Err(allowed) => {
                let shown = if matches!(key.kind, Kind::Secret(_)) { "(hidden)" } else { text };
                self.mistakes.push(Note {
                    place: place.to_owned(),
                    what: format!(
                        "`{}` in section [{}] cannot be `{shown}`",
                        entry.key, entry.section
                    ),
                    hint: Some(format!("allowed: {allowed}")),
                });
            }
        }
    }

    fn value(&self, section: &'static str, name: &'static str) -> Value {
        self.values.get(&(section, name)).cloned().unwrap_or_else(|| {
            let key = KEYS.iter().find(|key| (key.section, key.name) == (section, name));
            let default = key.and_then(|key| key.kind.check(key.default).ok());
            default.unwrap_or(Value::Text(String::new()))
        })
    }

    fn text(&self, section: &'static str, name: &'static str) -> String {
        if let Value::Text(text) = self.value(section, name) { text } else { String::new() }
    }

    fn texts(&self, section: &'static str, name: &'static str) -> Vec<String> {
        if let Value::Texts(texts) = self.value(section, name) { texts } else { Vec::new() }
    }

    fn path(&self, section: &'static str, name: &'static str) -> Option<PathBuf> {
        if let Value::Path(path) = self.value(section, name) { path } else { None }
    }

    fn number(&self, section: &'static str, name: &'static str) -> u64 {
        if let Value::Number(number) = self.value(section, name) { number.unwrap_or(0) } else { 0 }
    }

    fn flag(&self, section: &'static str, name: &'static str) -> bool {
        self.value(section, name) == Value::Bool(true)
    }

    fn config(&self) -> Config {
        let networks = match self.value("detect", "ignore_networks") {
            Value::Networks(networks) => networks,
            _ => Vec::new(),
        };
        Config {
            paths: self.paths(),
            run_as: self.run_as(),
            after_extraction: self.flag("report", "after_extraction"),
            report: self.report(),
            database: self.database(&self.paths().working_dir),
            schedules: self.schedules(),
            general: General {
                log_level: match self.text("general", "log_level").as_str() {
                    "DEBUG" => log::LevelFilter::Debug,
                    "WARNING" => log::LevelFilter::Warn,
                    "ERROR" | "CRITICAL" => log::LevelFilter::Error,
                    _ => log::LevelFilter::Info,
                },
                log_file: self.path("general", "log_file"),
                log_file_max_bytes: self.number("general", "log_file_max_bytes"),
                log_file_backup_count: self.number("general", "log_file_backup_count"),
            },
            detect: Detect {
                services: Services {
                    postfix: self.texts("detect", "services").iter().any(|s| s == "postfix"),
                    dovecot: self.texts("detect", "services").iter().any(|s| s == "dovecot"),
                },
                ignore_networks: networks,
            },
            alert: self.alert(),
            keep_events: self.days("keep_events"),
            pseudonymise_after: self.days("pseudonymise_after"),
            thresholds: self.thresholds(),
            accounts: self.texts("accounts", "lists").into_iter().map(PathBuf::from).collect(),
            dns: self.flag("dns", "enabled").then(|| self.dns()),
            name_cache: NameCache {
                enabled: self.flag("dns_cache", "enabled"),
                size: self.number("dns_cache", "size"),
                ttl: Duration::from_secs(self.number("dns_cache", "ttl_seconds")),
            },
            countries: self.databases("geolocation", ("country_db_path", "country_db_url")),
            networks: self.databases("ASN_ASO", ("asn_db_path", "asn_db_url")),
        }
    }

    /// A number of days in section `[retention]`; 0 means never.
    fn days(&self, name: &'static str) -> Option<i64> {
        Some(self.number("retention", name).cast_signed()).filter(|days| *days > 0)
    }

    fn thresholds(&self) -> Thresholds {
        let number = |name| self.number("judge", name);
        let kept = [self.days("keep_events"), self.days("pseudonymise_after")];
        let shortest = kept.into_iter().flatten().fold(number("own_days").cast_signed(), i64::min);
        Thresholds {
            campaign_sources: number("campaign_sources"),
            campaign_failures: number("campaign_failures"),
            own_days: number("own_days").cast_signed(),
            slack: (shortest * 86_400 / 10).clamp(43_200, 7 * 86_400),
            many_messages: number("many_messages"),
            many_networks: number("many_networks"),
        }
    }

    fn run_as(&self) -> Option<RunAs> {
        let name = Some(self.text("User", "run_as_user")).filter(|name| !name.is_empty())?;
        let place = self.places.get("run_as_user").cloned().unwrap_or_default();
        Some(RunAs { name, place })
    }

    fn dns(&self) -> Dns {
        let nameservers = match self.value("dns", "nameservers") {
            Value::NameServers(servers) => Some(servers).filter(|servers| !servers.is_empty()),
            _ => None,
        };
        Dns {
            nameservers,
            timeout: Duration::from_millis(self.number("dns", "timeout_ms")),
            concurrency: usize::try_from(self.number("dns", "concurrency")).unwrap_or(1),
            budget: Duration::from_secs(self.number("dns", "budget_seconds")),
        }
    }

    fn databases(
        &self,
        section: &'static str,
        (paths, urls): (&'static str, &'static str),
    ) -> Databases {
        let paths = self.texts(section, paths).into_iter().map(PathBuf::from).collect();
        Databases { paths, urls: self.texts(section, urls) }
    }

    fn paths(&self) -> Paths {
        let working_dir = self.path("paths", "working_dir").unwrap_or_default();
        // `join` leaves an absolute path alone.
        let state_dir = working_dir.join(self.path("paths", "state_dir").unwrap_or_default());
        let mail_logs =
            self.texts("paths", "mail_log").into_iter().map(|text| match text.as_str() {
                "-" => MailLog::Stdin,
                "journal" => MailLog::Journal(self.path("journal", "directory")),
                path => MailLog::File(PathBuf::from(path)),
            });
        let csv = working_dir.join(self.text("paths", "csv_filename"));
        let python_state_dirs = vec![state_dir.clone(), working_dir.join("state")];
        Paths { working_dir, state_dir, mail_logs: mail_logs.collect(), csv, python_state_dirs }
    }
}

fn find(section: &str, name: &str) -> Option<&'static Key> {
    let is = |key: &&Key| key.section == section && key.name == name;
    let was = |key: &&Key| key.older.contains(&(section, name));
    KEYS.iter().find(is).or_else(|| KEYS.iter().find(was))
}

/// The warning for a name that we do not know, with the nearest one that we do.
fn unknown(entry: &Entry, place: &str) -> Note {
    let likeness = |key: &&Key| {
        let name = strsim::jaro_winkler(&entry.key, key.name);
        // Its own section first, if that exists.
        if key.section == entry.section { name + 0.1 } else { name }
    };
    let best = KEYS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let best = best.filter(|key| likeness(key) > 0.75);
    let known_section = KEYS.iter().any(|key| key.section == entry.section);
    let what = if known_section {
        format!("unknown key `{}` in section [{}]", entry.key, entry.section)
    } else {
        format!("unknown section [{}] of key `{}`", entry.section, entry.key)
    };
    let section = KEYS.iter().map(|key| (strsim::jaro_winkler(&entry.section, key.section), key));
    let section =
        section.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.8);
    let section = section.filter(|_| !known_section);
    let hint = match (best, section) {
        (Some(key), _) => {
            Some(format!("did you mean `{}` in section [{}]?", key.name, key.section))
        }
        (None, Some((_, key))) => Some(format!("did you mean section [{}]?", key.section)),
        (None, None) => None,
    };
    Note { place: place.to_owned(), what: format!("{what}: not used"), hint }
}

fn is_password(entry: &Entry) -> bool {
    find(&entry.section, &entry.key).is_some_and(|key| matches!(key.kind, Kind::Secret(_)))
}

fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.metadata().is_ok_and(|meta| meta.mode() & 0o004 != 0)
}
