//! `--reset` and `--purge`: what was written goes into a backup, and the next run starts over.
//!
//! They write no operational log: it is among what is moved, and a new one would belong to whoever
//! resets, often root, and not to the user of the runs to come.

mod backup;
mod carry;
mod home;
mod links;
mod plan;
mod relocate;

use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context;

use super::args::Args;
use super::report::in_one;
use super::{say, shown, usage};
use crate::config::{Config, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::report::grouped;
use crate::sql::Engine;
use crate::store::StoreError;
use crate::store::lock::{self, Lock};
use crate::store::whole::{Unfinished, gather, unfinished};

use backup::Backup;
use home::Destination;
use plan::{Move, Plan, Scope};

pub(super) fn run(host: &Host, args: &Args, (config, odd): (&Config, &[Note])) -> Status {
    for note in odd {
        say("warning", &note.to_string());
    }
    let action = if args.purge { "--purge" } else { "--reset" };
    if !args.yes && !io::stdin().is_terminal() {
        let what = "asks before it moves anything, and standard input is no terminal: add --yes";
        return usage(&format!("{action} {what}"));
    }
    archive(host, args, config).unwrap_or_else(|error| {
        say("error", &in_one(&error));
        match error.downcast_ref() {
            Some(StoreError::Locked { .. }) => Status::TryLater,
            _ => Status::Failed,
        }
    })
}

fn archive(host: &Host, args: &Args, config: &Config) -> anyhow::Result<Status> {
    let scope = if args.purge { Scope::Purge } else { Scope::Reset };
    let state_dir = &config.paths.state_dir;
    let destination = home::destination(host, args.backup_dir.as_deref())?;
    let seen = plan::plan(config, scope)?;
    carry::check(&seen.moves, &destination)?;
    let open_ends = unfinished(state_dir);
    let warnings = warnings(scope, &seen, open_ends, config);
    if seen.moves.is_empty() {
        return Ok(tell(args, &["nothing to move: nothing was written yet".to_owned()]));
    }
    if !args.yes && !ask(&seen.moves, &destination, &warnings)? {
        writeln!(anstream::stderr(), "Nothing was moved.")?;
        return Ok(Status::Failed);
    }
    host.dies_at_once.store(false, Ordering::Relaxed);
    let _locks = take_locks(state_dir)?;
    for database in &seen.databases {
        gather(database).map_err(super::sql::hinted)?;
    }
    // What was shown may have changed before the lock was taken.
    let plan = plan::plan(config, scope)?;
    let time = (host.now)().to_zoned(host.zone.clone());
    let mut backup = Backup::make(&destination, &time)?;
    if let Err(error) = carry::carry(&plan.moves, &mut backup, &|| host.stopping()) {
        backup.remove_if_empty();
        return Err(error);
    }
    if args.yes {
        for warning in &warnings {
            say("warning", warning);
        }
    }
    let mut lines = told(&plan.moves, &backup.path);
    lines.push("the next run reads the logs from their beginning".to_owned());
    let status = tell(args, &lines);
    if let Some(owner) = destination.owner {
        let path = shown(&backup.path);
        backup.give_to(owner).with_context(|| {
            format!("all is in {path}, and cannot be given to user {}", owner.0)
        })?;
    }
    Ok(status)
}

/// What the administrator should know before.
fn warnings(scope: Scope, plan: &Plan, open_ends: Unfinished, config: &Config) -> Vec<String> {
    let mut warnings = plan.notes.clone();
    if open_ends.reports > 0 {
        let count = grouped(open_ends.reports);
        warnings.push(format!("reports that no server has taken yet will not be sent: {count}"));
    }
    let database = &config.database;
    let table = &database.table;
    match scope {
        Scope::Reset if open_ends.exported => warnings.push(format!(
            "rows that were exported as SQL before are exported again, and imported again\n  hint: empty \
             the table {table} before the next import, or use --purge for a database of SQLite"
        )),
        Scope::Purge if database.engine != Engine::Sqlite && open_ends.exported => {
            warnings.push(format!(
                "rows in databases on servers stay, and are imported again\n  hint: empty the table \
                 {table} before the next import"
            ));
        }
        _ => {}
    }
    warnings
}

/// Takes the lock, which needs a state folder: without one no run is at work. Who mails has the other one.
fn take_locks(state_dir: &Path) -> anyhow::Result<Vec<Lock>> {
    let Ok(folder) = std::fs::metadata(state_dir) else { return Ok(Vec::new()) };
    let run = Lock::soon(state_dir, &|| false).map_err(super::sql::hinted)?;
    if rustix::process::geteuid().is_root() {
        // Else the user of the next run could not take it.
        run.give_if_new(folder.uid(), folder.gid()).with_context(|| {
            format!("cannot give {} to its user", shown(&state_dir.join(lock::FILE_NAME)))
        })?;
    }
    let mut locks = vec![run];
    if state_dir.join(lock::MAIL_FILE_NAME).exists() {
        locks.push(Lock::of_mail_soon(state_dir, &|| false).map_err(super::sql::hinted)?);
    }
    Ok(locks)
}

/// Shows what will be done, and asks whether it may.
fn ask(moves: &[Move], destination: &Destination, warnings: &[String]) -> io::Result<bool> {
    let mut out = anstream::stderr();
    writeln!(out, "These go into a new folder in {}:", shown(&destination.parent))?;
    for (what, _) in grouped_by_folder(moves) {
        writeln!(out, "  {what}")?;
    }
    for warning in warnings {
        say("warning", warning);
    }
    write!(out, "Move them? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// A line for each file, or for all that go into a folder of their own.
fn told(moves: &[Move], backup: &Path) -> Vec<String> {
    let line = |(what, to): (String, &Path)| format!("{what} -> {}", shown(&backup.join(to)));
    grouped_by_folder(moves).into_iter().map(line).collect()
}

fn grouped_by_folder(moves: &[Move]) -> Vec<(String, &Path)> {
    let mut lines: Vec<(String, &Path)> = Vec::new();
    let is_inner = |it: &Move| it.to.parent().is_some_and(|to| !to.as_os_str().is_empty());
    for group in moves.chunk_by(|one, other| {
        is_inner(one)
            && (one.to.parent(), one.from.parent()) == (other.to.parent(), other.from.parent())
    }) {
        let Some(first) = group.first() else { continue };
        match (group.len(), first.from.parent(), first.to.parent()) {
            (count @ 2.., Some(from), Some(to)) => {
                lines.push((format!("{} files of {}", grouped(count as u64), shown(from)), to));
            }
            _ => lines.push((shown(&first.from), &first.to)),
        }
    }
    lines
}

fn tell(args: &Args, lines: &[String]) -> Status {
    if args.quiet > 0 {
        return Status::Done;
    }
    let mut out = anstream::stdout().lock();
    match lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush()) {
        Ok(()) => Status::Done,
        Err(error) => super::fail(&format!("cannot write to standard output: {error}"), None),
    }
}
