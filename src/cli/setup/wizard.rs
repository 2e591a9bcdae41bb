//! The questions, each with a default that is good, and each answer checked.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use super::Stop;
use crate::config::{Config, KEYS, MailLog};
use crate::setup::find::{Finds, find};
use crate::setup::plan::log_is_there;
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

/// How much of a sample line is shown.
const SAMPLE: usize = 64;

/// Shows what is there, and asks for what is wanted; `config` has what is set already.
pub(super) fn ask(config: &Config, text: String, place: &Place) -> Result<Answers, Stop> {
    let set: Vec<_> = config.paths.mail_logs.iter().filter_map(MailLog::file).collect();
    let finds = find(&set);
    tell(&finds);
    let mut answers = Answers { text, ..Answers::default() };
    let former = set.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let log = match &finds.log {
        Some((path, _)) if !set.contains(&path.as_path()) => path.display().to_string(),
        _ => former.clone(),
    };
    let log = question("Which log does Postfix write?", &log, &|answer| {
        let paths: Vec<_> =
            answer.split(',').map(|it| absolute(it.trim())).collect::<Result<_, _>>()?;
        let mut paths = paths.iter().filter(|_| !place.is_staging());
        paths.try_for_each(|path| {
            log_is_there(path).map_err(|refusal| format!("{refusal}: {}", refusal.hint))
        })
    })?;
    answers.set(("paths", "mail_log"), &log, &former);
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
            "found (its own logins, IMAP and POP3, are not read yet)"
        } else {
            "not found"
        },
    );
    match &finds.log {
        None => {
            line(
                "mail log",
                "not found: Postfix may log to the journal only, which this version does not read",
            );
            line("", "(install rsyslog, then run this again)");
        }
        Some((path, sample)) => {
            line("mail log", &path.display().to_string());
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

fn confirmed(what: &str, default: bool) -> Result<bool, Stop> {
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
        return Err(Stop::No);
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
