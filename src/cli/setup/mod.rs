//! `--setup`: shows what is there, asks, shows what would be changed, and changes that or nothing.

mod first;
mod record;
mod wizard;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use signal_hook::consts::{SIGHUP, SIGQUIT};
use signal_hook::flag;

use super::args::Args;
use super::{fail, say, shown, usage};
use crate::config::{self, Config, DEFAULT_PATHS, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::setup::{Actions, Change, Place, Refusal, Wanted, plan, removal};

use record::Record;
use wizard::Answers;

pub(super) fn run(host: &Host, args: &Args) -> Status {
    let place = Place::new(args.root.as_deref());
    if let Some(root) = &args.root
        && !(root.is_absolute() && root.is_dir())
    {
        return fail(
            &format!(
                "--root {}: there is no such folder, or its name does not start with /",
                shown(root)
            ),
            Some("mkdir it first, and name it with all of its path"),
        );
    }
    if !place.is_staging() && !rustix::process::geteuid().is_root() {
        return fail(
            "setting up takes root: it makes an account and services",
            Some("sudo maillogsentinel --setup, or --root DIR to look at what it would make"),
        );
    }
    if !args.automated && !io::stdin().is_terminal() {
        let what = "--setup asks, and standard input is no terminal: add --automated, which takes all \
                    from --config FILE";
        return usage(what);
    }
    let _lock = match place.lock() {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            say(
                "error",
                "another setup is at work here\n  hint: wait for its end, then look whether this one has anything to do",
            );
            return Status::TryLater;
        }
        Err(error) => {
            return fail(&format!("cannot tell whether another setup is at work: {error}"), None);
        }
    };
    let told =
        if args.uninstall { uninstall(host, args, &place) } else { install(host, args, &place) };
    told.unwrap_or_else(Stop::tell)
}

/// Why nothing was done.
enum Stop {
    Refused(Refusal),
    Failed(String),
    /// What is in the configuration makes no sense.
    Config(Vec<Note>),
    /// The answer was no.
    No,
    /// There was none, but Ctrl-D.
    NoAnswer,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Stop {
    fn tell(self) -> Status {
        match self {
            Self::Refused(Refusal { what, hint }) => fail(&what, Some(&hint)),
            Self::Failed(what) => fail(&what, None),
            Self::Config(mistakes) => {
                for mistake in mistakes {
                    say("error", &mistake.to_string());
                }
                Status::BadConfig
            }
            Self::No => {
                let _ = writeln!(anstream::stdout(), "Nothing was changed.");
                Status::Done
            }
            Self::NoAnswer => {
                let _ = writeln!(anstream::stderr(), "\nNothing was changed.");
                Status::Failed
            }
        }
    }
}

fn install(host: &Host, args: &Args, place: &Place) -> Result<Status, Stop> {
    let (source, target) = files(args, place)?;
    let from = source.as_deref().unwrap_or(&target);
    let text = match &source {
        Some(path) => config::read(path).map_err(|mistake| Stop::Config(vec![mistake]))?,
        None => config::sample(),
    };
    let (before, _) = check(&text, from, &args.set)?;
    // What was set is kept: what is set up is what was asked for.
    let text =
        args.set.iter().filter_map(|text| config::setting(text)).fold(text, |text, it| {
            crate::setup::text::set(&text, (&it.section, &it.key), &it.value)
        });
    let answers = if args.automated {
        if source.is_none() {
            return Err(Refusal {
                what: format!("no configuration: neither {} is there", DEFAULT_PATHS.join(" nor ")),
                hint: "name one with --config FILE, or leave out --automated, to be asked"
                    .to_owned(),
            }
            .into());
        }
        Answers { text, ..Answers::default() }
    } else {
        wizard::ask(&before, text, place)?
    };
    let (config, warnings) = check(&answers.text, from, &[])?;
    for warning in warnings {
        say("warning", &warning.to_string());
    }
    let program = std::env::current_exe()?;
    let wanted = Wanted {
        config: &config,
        file: (target.clone(), answers.text.clone()),
        sql: answers.sql,
        program: &program,
    };
    let changes = plan(&wanted, place)?;
    let former = config::read(&place.at(&target)).ok();
    let former = former.and_then(|text| check(&text, &target, &[]).ok()).map(|(it, _)| it);
    let first = first::Steps::new(&config, former.as_ref(), &answers, place);
    if changes.is_empty() && first.are_none() {
        let _ = writeln!(
            anstream::stdout(),
            "Nothing to change: all is set up as {} says.",
            shown(&wanted.file.0)
        );
        return Ok(Status::Done);
    }
    // Runs need what comes before, and timers would be faster than the databases.
    let starts = |change: &Change| matches!(change, Change::Enabled(_) | Change::Restarted(_));
    let at = changes.iter().position(starts).unwrap_or(changes.len());
    let (things, timers) = changes.split_at(at);
    let mut plan = sentences(things, place);
    plan.extend(first.before());
    plan.extend(sentences(timers, place));
    plan.extend(first.after());
    show(&plan);
    if let Some(warning) = late_report(&config) {
        say("warning", &warning);
    }
    if !args.automated && !wizard::yes("\nMake these changes?")? {
        return Err(Stop::No);
    }
    carry_out(host, args, place, (things, timers), (&first, &config))
}

/// Makes all changes, or takes back what was made.
fn carry_out(
    host: &Host,
    args: &Args,
    place: &Place,
    (things, timers): (&[Change], &[Change]),
    (first, config): (&first::Steps, &Config),
) -> Result<Status, Stop> {
    let mut record = Record::open(args.root.as_deref(), host)?;
    hear_signals(host);
    let stamp = (host.now)().to_zoned(host.zone.clone()).strftime("%Y%m%dT%H%M%S").to_string();
    let mut note = |what: &str| record.note(what);
    let mut actions = Actions::new(place.clone(), &stamp, &mut note);
    let done = make(host, things, &mut actions)
        .and_then(|()| first.take_before(host, args, &mut actions))
        .and_then(|problems| make(host, timers, &mut actions).map(|()| problems))
        .and_then(|problems| first.take_after(host, args, &mut actions, problems));
    match done {
        Err(why) => Ok(take_back(actions, &why)),
        Ok(problems) => {
            actions.forget_failures();
            let kept = actions.kept().to_vec();
            Ok(told(&kept, &problems, config, place))
        }
    }
}

/// The configuration that is read, if there is one, and the file that it is to be in.
fn files(args: &Args, place: &Place) -> Result<(Option<PathBuf>, PathBuf), Stop> {
    let there = DEFAULT_PATHS.iter().map(Path::new).find(|path| place.at(path).exists());
    match (&args.config, there) {
        (Some(named), there) => {
            let named = std::path::absolute(named)?;
            // Services read the first that is there, whatever was named.
            let usual = there.unwrap_or(Path::new(DEFAULT_PATHS[0])).to_owned();
            Ok((Some(named), usual))
        }
        (None, Some(there)) => Ok((Some(place.at(there)), there.to_owned())),
        (None, None) => Ok((None, PathBuf::from(DEFAULT_PATHS[0]))),
    }
}

/// The configuration that `text` is, as the program reads it from `file`.
fn check(text: &str, file: &Path, settings: &[String]) -> Result<(Config, Vec<Note>), Stop> {
    let (loaded, warnings) = config::load_text(text, file, settings);
    loaded.map(|config| (config, warnings)).map_err(Stop::Config)
}

/// Changes in words, those that are alike in one; what takes something away that is there has its own.
fn sentences(changes: &[Change], place: &Place) -> Vec<String> {
    let alike = |one: &Change, next: &Change| {
        one.goes_with(next) && !one.replaces(place) && !next.replaces(place)
    };
    let told = changes.chunk_by(alike).map(|alike| {
        let first = alike.first().map(|change| {
            let kept =
                if change.replaces(place) { " (what is there gets another name)" } else { "" };
            change.sentence(&|path| shown(path)) + kept
        });
        let more = match alike.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        first.unwrap_or_default() + &more
    });
    told.collect()
}

fn show(plan: &[String]) {
    let mut out = anstream::stdout();
    let _ = writeln!(out, "\nWhat will be changed:");
    for (number, sentence) in (1..).zip(plan) {
        let _ = writeln!(out, "{number:3}. {sentence}");
    }
}

/// The Python program's report was of the day itself, and came in the evening.
fn late_report(config: &Config) -> Option<String> {
    let time = config.schedules.report.as_deref().filter(|_| !config.report.email.is_empty())?;
    let hours = time.split_whitespace().filter_map(|word| word.split_once(':'));
    let late = hours.filter_map(|(hour, _)| hour.parse::<u8>().ok()).any(|hour| hour >= 12);
    late.then(|| {
        format!(
            "the report is about the day before, and `report_schedule = {time}` mails it half a day late\n  \
             hint: 00:05 in section [systemd], then --setup again"
        )
    })
}

fn make(host: &Host, changes: &[Change], actions: &mut Actions<'_>) -> Result<(), String> {
    for change in changes {
        if host.stopping() {
            return Err("interrupted".to_owned());
        }
        actions
            .make(change)
            .map_err(|error| format!("cannot {}: {error}", change.sentence(&|path| shown(path))))?;
    }
    if host.stopping() { Err("interrupted".to_owned()) } else { Ok(()) }
}

fn take_back(actions: Actions<'_>, why: &str) -> Status {
    let (left, on_purpose) = actions.undo();
    let left = left.join("; ");
    let hint = match (left.is_empty(), on_purpose) {
        (true, _) => "all that was done is undone".to_owned(),
        (_, true) => format!("what was done is undone, but for what runs have written: {left}"),
        _ => format!("not all could be undone: {left}"),
    };
    fail(why, Some(&format!("{hint}; {} tells what was done", record::NAME)))
}

/// A terminal that goes away ends a setup like Ctrl-C does.
fn hear_signals(host: &Host) {
    for signal in [SIGHUP, SIGQUIT] {
        // Should this fail, the next setup does the rest.
        let _ = flag::register(signal, host.stop.clone());
    }
    host.dies_at_once.store(false, Ordering::Relaxed);
}

fn told(kept: &[PathBuf], problems: &[String], config: &Config, place: &Place) -> Status {
    let mut out = anstream::stdout();
    let end = if problems.is_empty() { "" } else { "; all but what is said below" };
    let _ = writeln!(out, "\nSet up{end}. {} tells what was done.", record::NAME);
    for path in kept {
        let _ = writeln!(out, "  what was there before: {}", shown(path));
    }
    if !place.is_staging() {
        let _ = writeln!(out, "  failed logins: {}", shown(&config.paths.csv));
        if !place.has_systemd() {
            let _ = writeln!(out, "  systemd does not run here: timers start at the next boot");
        }
        let _ = writeln!(out, "Next: sudo maillogsentinel doctor");
    }
    for problem in problems {
        say("error", problem);
    }
    if problems.is_empty() { Status::Done } else { Status::Failed }
}

fn uninstall(host: &Host, args: &Args, place: &Place) -> Result<Status, Stop> {
    let there = || DEFAULT_PATHS.iter().map(|path| place.at(path)).find(|path| path.exists());
    let file = args.config.clone().or_else(there);
    let (loaded, _) = config::load_or_default(file.as_deref(), &args.set);
    let config = match loaded {
        Ok(config) => Some(config),
        // Folders that nobody can name are not deleted.
        Err(mistakes) if args.purge_data => return Err(Stop::Config(mistakes)),
        Err(_) => None,
    };
    let (changes, kept) = removal(config.as_ref(), place, args.purge_data)?;
    for path in &kept {
        say(
            "warning",
            &format!(
                "{} is kept: not all in it is this program's\n  hint: look at it, and delete what is to go",
                shown(path)
            ),
        );
    }
    if changes.is_empty() {
        let _ = writeln!(anstream::stdout(), "Nothing to remove.");
        return Ok(Status::Done);
    }
    show(&sentences(&changes, place));
    if !args.purge_data {
        let _ = writeln!(
            anstream::stdout(),
            "Kept: the configuration, all that was recorded, and the account that owns it."
        );
    }
    if !args.automated && !wizard::yes("\nMake these changes?")? {
        return Err(Stop::No);
    }
    let mut record = Record::open(args.root.as_deref(), host)?;
    hear_signals(host);
    let mut note = |what: &str| record.note(what);
    let mut actions = Actions::new(place.clone(), "removal", &mut note);
    match make(host, &changes, &mut actions) {
        Err(why) if args.purge_data => Err(Stop::Failed(format!(
            "{why}\n  hint: what is deleted stays deleted; the same command again does the rest"
        ))),
        Err(why) => Ok(take_back(actions, &why)),
        Ok(()) => {
            actions.forget_failures();
            let _ = writeln!(anstream::stdout(), "\nRemoved.");
            Ok(Status::Done)
        }
    }
}
