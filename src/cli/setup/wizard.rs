//! The questions, each with a default that is good, and each answer checked.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use super::Stop;
use crate::config::{Config, KEYS, MailLog};
use crate::setup::find::{Finds, find};
use crate::setup::plan::{journal_is_there, log_is_there};
use crate::setup::{Place, calendar, folders, text};
use crate::untrusted::for_terminal;

/// What was answered.
#[derive(Default)]
pub(super) struct Answers {
    /// The text of the configuration with it.
    pub(super) text: String,
    /// Whether SQL is exported and imported.
    pub(super) sql: Option<bool>,
    /// Whether databases are downloaded now.
    pub(super) download: Option<bool>,
    /// Whether a test message is sent.
    pub(super) test_message: bool,
}

const JOURNAL: &str = "journal";
/// How much of a sample line is shown.
const SAMPLE: usize = 64;

/// Shows what is there, and asks for what is wanted; `config` has what is set already.
pub(super) fn ask(config: &Config, text: String, place: &Place) -> Result<Answers, Stop> {
    let finds = find(&config.paths.mail_logs);
    tell(&finds);
    let mut answers = Answers { text, ..Answers::default() };
    answers.log(config, finds, place)?;
    let email = config.report.email.join(", ");
    let new = question(
        "Who gets the daily report? (address, several with commas, - for nobody)",
        or_dash(&email),
        &|answer| {
            let is_odd = |one: &str| one.trim().starts_with(['-', '/']);
            match answer {
                "-" => Ok(()),
                _ if answer.split(',').any(is_odd) => Err("this is no address".to_owned()),
                _ => checked(("report", "email"), answer),
            }
        },
    )?;
    let new = if new == "-" { String::new() } else { new };
    answers.set(("report", "email"), &new, &email);
    if !new.is_empty() {
        answers.schedule(
            "When is it mailed?",
            "report_schedule",
            config.schedules.report.as_deref(),
            "*-*-* 00:05:00",
        )?;
        answers.test_message =
            !place.is_staging() && yes("Send a test message once all is set up?")?;
    }
    answers.schedule(
        "How often is the log read?",
        "extraction_schedule",
        config.schedules.extraction.as_deref(),
        "hourly",
    )?;
    let folder = config.paths.working_dir.display().to_string();
    let new = question("Where are failed logins recorded?", &folder, &|answer| {
        let path = absolute(answer)?;
        if place.is_staging() {
            return Ok(());
        }
        folders::check(&path, config.account())
            .map_err(|refusal| format!("{refusal}: {}", refusal.hint))
    })?;
    answers.set(("paths", "working_dir"), &new, &folder);
    answers.sql =
        Some(yes("Export and import SQL each hour? (section [database] of the configuration)")?);
    if !place.is_staging() {
        answers.download = Some(confirmed(
            "Download the databases of countries and networks? (about 20 MB)",
            true,
        )?);
    }
    Ok(answers)
}

impl Answers {
    fn set(&mut self, key: (&str, &str), new: &str, former: &str) {
        if new != former {
            self.text = text::set(&self.text, key, new);
        }
    }

    fn log(&mut self, config: &Config, finds: Finds, place: &Place) -> Result<(), Stop> {
        let set: Vec<_> = config.paths.mail_logs.iter().map(name).collect();
        let former = set.join(", ");
        let log = match finds.log {
            Some((found, _)) if !set.contains(&found) => found,
            _ => former.clone(),
        };
        let directory = config.paths.mail_logs.iter().find_map(|log| match log {
            MailLog::Journal(directory) => directory.as_deref(),
            _ => None,
        });
        let is_there = |log: &str| match log {
            _ if place.is_staging() => Ok(()),
            JOURNAL => journal_is_there(directory),
            path => log_is_there(Path::new(path)),
        };
        let what = "Which log does Postfix write? (files, or journal)";
        let log = question(what, &log, &|answer| {
            let mut logs = answer.split(',').map(str::trim);
            logs.try_for_each(|log| {
                if answer != JOURNAL {
                    absolute(log).map_err(|why| format!("{why}, or the word journal"))?;
                }
                is_there(log).map_err(|refusal| format!("{refusal}: {}", refusal.hint))
            })
        })?;
        self.set(("paths", "mail_log"), &log, &former);
        Ok(())
    }

    fn schedule(
        &mut self,
        what: &str,
        key: &str,
        set: Option<&str>,
        usual: &str,
    ) -> Result<(), Stop> {
        let what = format!("{what} (hourly, daily, 07:00, Mon 07:00: man systemd.time)");
        let former = set.unwrap_or(usual);
        let new = question(&what, former, &calendar::check)?;
        self.set(("systemd", key), &new, former);
        Ok(())
    }
}

fn tell(finds: &Finds) {
    let mut out = anstream::stdout();
    let mut line = |what: &str, found: &str| {
        let _ = writeln!(out, "  {what:12} {}", for_terminal(found.as_bytes()));
    };
    line("Postfix", finds.postfix.as_deref().unwrap_or("not found"));
    line(
        "Dovecot",
        if finds.dovecot {
            "found (its own logins, IMAP and POP3, count with `services = postfix, dovecot` in section [detect])"
        } else {
            "not found"
        },
    );
    match &finds.log {
        None => {
            line("mail log", "not found, and no line of Postfix in the journal");
        }
        Some((log, sample)) => {
            line("mail log", log);
            let sample = sample.as_deref().map(String::from_utf8_lossy);
            let sample = sample.as_deref().unwrap_or("no line of Postfix at its end");
            let cut: String = sample.chars().take(SAMPLE).collect();
            line("", &format!("{cut}{}", if cut.len() < sample.len() { "…" } else { "" }));
        }
    }
    line("syslog", finds.syslog.unwrap_or("not found"));
    line("time zone", finds.zone.as_deref().unwrap_or("not known"));
    for unit in &finds.python {
        line("Python", &format!("{}: its work is taken over", unit.display()));
    }
    let _ = writeln!(out);
}

/// A log as `mail_log` names it.
fn name(log: &MailLog) -> String {
    match log {
        MailLog::File(path) => path.display().to_string(),
        MailLog::Stdin => "-".to_owned(),
        MailLog::Journal(_) => JOURNAL.to_owned(),
    }
}

/// Asks until the answer is right; nothing means `default`.
fn question(
    what: &str,
    default: &str,
    check: &dyn Fn(&str) -> Result<(), String>,
) -> Result<String, Stop> {
    loop {
        let answer = line(&format!("{what}\n  [{}] ", for_terminal(default.as_bytes())))?;
        let answer = if answer.is_empty() { default.to_owned() } else { answer };
        match check(&answer) {
            Ok(()) => return Ok(answer),
            Err(why) => {
                let _ = writeln!(anstream::stdout(), "  {}", for_terminal(why.as_bytes()));
            }
        }
    }
}

/// Whether the answer is yes; nothing means no.
pub(super) fn yes(what: &str) -> Result<bool, Stop> {
    confirmed(what, false)
}

/// The same with another default.
pub(super) fn confirmed(what: &str, default: bool) -> Result<bool, Stop> {
    loop {
        match line(&format!("{what} [{}] ", if default { "Y/n" } else { "y/N" }))?
            .to_lowercase()
            .as_str()
        {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => {
                let _ = writeln!(anstream::stdout(), "  y or n, please");
            }
        }
    }
}

/// A line that was typed; its end (Ctrl-D) ends all.
fn line(prompt: &str) -> Result<String, Stop> {
    let mut out = anstream::stdout();
    write!(out, "{prompt}")?;
    out.flush()?;
    let mut typed = Vec::new();
    if io::stdin().lock().read_until(b'\n', &mut typed)? == 0 {
        return Err(Stop::NoAnswer);
    }
    Ok(String::from_utf8_lossy(&typed).trim().to_owned())
}

/// Whether a key takes the answer.
fn checked((section, name): (&str, &str), answer: &str) -> Result<(), String> {
    let key = KEYS.iter().find(|key| key.section == section && key.name == name);
    key.map_or(Ok(()), |key| key.kind.check(answer).map(drop))
}

fn absolute(answer: &str) -> Result<PathBuf, String> {
    let path = Path::new(answer);
    let is_right =
        path.is_absolute() && !answer.contains(char::is_control) && !answer.contains(',');
    is_right
        .then(|| path.to_owned())
        .ok_or_else(|| "a path that starts with / is needed".to_owned())
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
