//! What people type, and what they read back: one file for each command.

mod alert;
mod anonymize;
pub mod args;
mod archive;
mod doctor;
mod explain;
mod extract;
mod follow;
mod ipinfo;
mod manual;
mod meaning;
mod progress;
mod report;
mod retention;
mod service_user;
mod setup;
mod sql;
mod update;
mod version;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::config::{self, Config, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::untrusted::for_terminal;

use args::{Args, Command};

/// Runs the command line `words`, the program's name first.
pub fn run(host: &Host, words: impl IntoIterator<Item = OsString>) -> Status {
    let words: Vec<_> = words.into_iter().collect();
    let args = match Args::try_parse_from(&words) {
        Ok(args) => Args { set: settings(&words), ..args },
        Err(error) => return mistyped(&error, &words),
    };
    args.color.write_global();
    if args.version {
        return version::run(args.verbose > 0);
    }
    if let Some(mistake) = args.misfit() {
        let _ = Args::command().error(ErrorKind::ArgumentConflict, mistake).print();
        return Status::Usage;
    }
    match &args.command {
        Some(Command::Explain(explain)) => explain::run(host, explain),
        Some(Command::Doctor(doctor)) => doctor::run(host, &args, doctor),
        Some(Command::Manual(manual)) => manual::run(&manual.folder),
        Some(Command::Anonymize(anonymize)) => anonymize::run(host, &args, anonymize),
        Some(Command::Ipinfo(ipinfo)) => {
            let loaded = config::load_or_default(args.config.as_deref(), &args.set);
            with_config(loaded, |config, odd| {
                if ipinfo.update
                    && let Err(status) = service_user::become_it(config)
                {
                    return status;
                }
                for note in odd {
                    say("warning", &note.to_string());
                }
                if ipinfo.update {
                    update::run(host, config, &args)
                } else {
                    ipinfo::run(host, config, ipinfo)
                }
            })
        }
        // All others tell what was judged.
        Some(command) => {
            let loaded = config::load(args.config.as_deref(), &args.set);
            let ask = |config: &Config| meaning::Dovecot::ask(command, config);
            asking_before(loaded, ask, |dovecot, config, odd| {
                meaning::run(host, &args, dovecot, (config, odd))
            })
        }
        _ if args.sql_export || args.sql_import => {
            let loaded = config::load(args.config.as_deref(), &args.set);
            as_service_user(loaded, |config, odd| sql::run(host, &args, (config, odd)))
        }
        _ if args.setup => setup::run(host, &args),
        _ if args.reset || args.purge => {
            let loaded = config::load(args.config.as_deref(), &args.set);
            with_config(loaded, |config, odd| archive::run(host, &args, (config, odd)))
        }
        _ if args.follow => {
            let loaded = config::load(args.config.as_deref(), &args.set);
            as_service_user(loaded, |config, odd| follow::run(host, &args, (config, odd)))
        }
        _ if args.report => {
            let loaded = config::load(args.config.as_deref(), &args.set);
            as_service_user(loaded, |config, odd| report::run(host, &args, (config, odd)))
        }
        _ => {
            let loaded = config::load(args.config.as_deref(), &args.set);
            as_service_user(loaded, |config, odd| extract::run(host, &args, (config, odd)))
        }
    }
}

/// Says what is wrong with the command line, or what was asked of it.
fn mistyped(error: &clap::Error, words: &[OsString]) -> Status {
    let _ = error.print();
    let command = Args::command();
    // A word that a subcommand does not know is no log.
    let is_known = |word: &OsString| command.find_subcommand(word).is_some();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Status::Done,
        ErrorKind::InvalidSubcommand if !words.iter().any(is_known) => say(
            "hint",
            "to look into a log: maillogsentinel explain FILE; to record it: maillogsentinel --set \
             paths.mail_log=FILE",
        ),
        _ => {}
    }
    Status::Usage
}

/// All values of `--set`. clap keeps those before a subcommand or those after it, not both.
fn settings(words: &[OsString]) -> Vec<String> {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    let mut settings = Vec::new();
    while let Some(word) = words.next().filter(|word| word != "--") {
        match word.strip_prefix("--set=") {
            Some(setting) => settings.push(setting.to_owned()),
            None if word == "--set" => settings.extend(words.next().map(Into::into)),
            None => {}
        }
    }
    settings
}

/// Goes on with the configuration and what is odd about it, if it is usable.
fn with_config(
    (loaded, warnings): config::Loaded,
    then: impl FnOnce(&Config, &[Note]) -> Status,
) -> Status {
    match loaded {
        Ok(config) => then(&config, &warnings),
        Err(mistakes) => {
            for warning in &warnings {
                say("warning", &warning.to_string());
            }
            for mistake in &mistakes {
                say("error", &mistake.to_string());
            }
            Status::BadConfig
        }
    }
}

/// The same as the user that the services run as, if root started it.
fn as_service_user(
    loaded: config::Loaded,
    then: impl FnOnce(&Config, &[Note]) -> Status,
) -> Status {
    asking_before(loaded, |_| (), |(), config, odd| then(config, odd))
}

/// The same after root has asked what others are not told.
fn asking_before<T>(
    loaded: config::Loaded,
    ask: impl FnOnce(&Config) -> T,
    then: impl FnOnce(T, &Config, &[Note]) -> Status,
) -> Status {
    with_config(loaded, |config, odd| {
        let asked = ask(config);
        match service_user::become_it(config) {
            Ok(()) => then(asked, config, odd),
            Err(status) => status,
        }
    })
}

/// Says that the command line makes no sense.
fn usage(what: &str) -> Status {
    say("error", &format!("{what}\n\nFor more information, try '--help'."));
    Status::Usage
}

/// Says why nothing was done.
fn fail(what: &str, hint: Option<&str>) -> Status {
    say("error", &hint.map_or(what.to_owned(), |hint| format!("{what}\n  hint: {hint}")));
    Status::Failed
}

/// A path for people; its name may hold anything.
fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    for_terminal(path.as_os_str().as_bytes()).into_owned()
}

/// Writes to stderr, in colour where it is a terminal.
fn say(kind: &str, text: &str) {
    use anstyle::{AnsiColor, Style};
    let color = if kind == "error" { AnsiColor::Red } else { AnsiColor::Yellow };
    let style = Style::new().bold().fg_color(Some(color.into()));
    let lines = text.split('\n').map(|line| for_terminal(line.as_bytes()));
    let text = lines.collect::<Vec<_>>().join("\n");
    let _ = writeln!(anstream::stderr(), "{style}{kind}:{style:#} {text}");
}
