//! Resets that are killed, or find no room, at every call that changes a file: each file is where it
//! was or in the backup, whole; the next run, and the next reset, end well.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use rusqlite::{Connection, OptionalExtension};

use super::scene;
use super::strace::{self, Blow, Call};
use crate::disk_full::{in_own_mounts, mount, needs_room};
use crate::reset::{backups, recorded_in, with_a_write_ahead_log};
use crate::sentinel::{Ran, Sentinel};

/// Everything that is moved; the store as a kill has left it.
fn written() -> Sentinel {
    let scene = recorded_in(Sentinel::inside(&scene::scratch()))
        .file("operational.log.1", "older\n".repeat(1000))
        .file("work/state/state.offset", "17\n");
    Ran::of(&mut scene.command(&["--sql-export"])).exits(0);
    Ran::of(&mut scene.command(&["--sql-import"])).exits(0);
    with_a_write_ahead_log(&scene);
    scene
}

/// The same; the backup is on a disk of its own.
fn on_two_disks() -> Sentinel {
    let scene = written();
    mount(&scene.path("backups"), "size=64m");
    scene
}

fn purge(scene: &Sentinel) -> Command {
    let folder = scene.path("backups").display().to_string();
    scene.command(&["--purge", "--yes", "--backup-dir", &folder])
}

/// The files whose content does not change while they are moved.
const PLAIN: [&str; 4] =
    ["work/maillogsentinel.csv", "operational.log", "operational.log.1", "work/state/state.offset"];

fn plain(scene: &Sentinel) -> BTreeMap<&'static str, Vec<u8>> {
    PLAIN.iter().map(|name| (*name, fs::read(scene.path(name)).unwrap())).collect()
}

/// What of `before` is neither where it was nor in a backup, or is there in part.
fn lost(scene: &Sentinel, before: &BTreeMap<&str, Vec<u8>>) -> Option<String> {
    let backups = backups(scene);
    let places = |name: &str| {
        let base = Path::new(name).file_name().unwrap();
        let archived = backups.iter().map(move |backup| backup.join(base));
        std::iter::once(scene.path(name)).chain(archived).filter(|path| path.exists()).collect()
    };
    for (name, content) in before {
        let places: Vec<_> = places(name);
        let whole = |path: &_| fs::read(path).unwrap() == *content;
        if places.is_empty() || !places.iter().all(whole) {
            return Some(format!("{name} is lost or in parts: {places:?}"));
        }
    }
    let has = |path: &Path, sql: &str| -> bool {
        // Looking changes nothing: it is a copy.
        let folder = tempfile::tempdir().unwrap();
        for ending in ["", "-wal", "-journal"] {
            let file = format!("{}{ending}", path.display());
            let _ = fs::copy(file, folder.path().join(format!("copy{ending}")));
        }
        let database = Connection::open(folder.path().join("copy")).unwrap();
        let found: Option<i64> = database.query_row(sql, [], |row| row.get(0)).optional().unwrap();
        found == Some(1)
    };
    for (name, sql) in [
        ("state/maillogsentinel.db", "SELECT 1 FROM sql_file WHERE sha256 = 'late'"),
        ("events.sqlite", "SELECT count(*) = 3 FROM maillogsentinel_events"),
    ] {
        let places: Vec<_> = places(name);
        if places.is_empty() || !places.iter().all(|path| has(path, sql)) {
            return Some(format!("{name} is lost or in parts: {places:?}"));
        }
    }
    let exported = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
        entries.filter(|entry| entry.path().extension().is_some_and(|it| it == "sql")).count()
    };
    let archived = backups.iter().map(|backup| exported(&backup.join("sql")));
    let places = exported(&scene.path("work/sql")) + archived.sum::<usize>();
    (places == 0).then(|| "the file of SQL is lost".to_owned())
}

/// The next run, the next purge and the run after it: what is wrong with one of them, if anything.
fn finish(scene: &Sentinel) -> Option<String> {
    let ran = scene.run();
    if ran.status != Some(0) || ran.stderr.contains(" ERROR ") || ran.stderr.contains(" WARNING ") {
        return Some(format!("the next run: {ran:?}"));
    }
    let who = scene.who();
    if !who.is_empty() && who != ["198.18.7.9 a", "198.18.7.9 b", "198.18.7.9 c"] {
        return Some(format!("rows are there twice, or in part: {who:?}"));
    }
    let ran = Ran::of(&mut purge(scene));
    if ran.status != Some(0) {
        return Some(format!("the next purge: {ran:?}"));
    }
    let ran = scene.run();
    let (who, well) = (scene.who(), ran.status == Some(0));
    (who.len() != 3 || !well).then(|| format!("the beginning: {who:?} {ran:?}"))
}

/// Kills it at each call.
fn killed_at_every_call(make: fn() -> Sentinel, least: usize) {
    let scene = make();
    let calls = strace::changes(&scene, &purge(&scene));
    let mut troubles = Vec::new();
    for call in &calls {
        let scene = make();
        let before = plain(&scene);
        let struck = strace::strike(&scene, &purge(&scene), (&call.name, call.number), Blow::Kill);
        let said = (!matches!(struck.status, None | Some(0))).then(|| format!("{struck:?}"));
        let trouble = said.or_else(|| lost(&scene, &before)).or_else(|| finish(&scene));
        troubles.extend(trouble.map(|trouble| format!("killed at {call}\n  {trouble}")));
    }
    end(&troubles, calls.len(), least);
}

/// Asks it to end at each call: all is moved then, or all is where it was.
fn told_to_end_at_every_call(make: fn() -> Sentinel) {
    let scene = make();
    let calls = strace::changes(&scene, &purge(&scene));
    let mut troubles = Vec::new();
    let mut undone = 0;
    for call in &calls {
        let scene = make();
        let before = plain(&scene);
        let struck = strace::strike(&scene, &purge(&scene), (&call.name, call.number), Blow::Term);
        let stay = PLAIN.iter().filter(|name| scene.path(name).exists()).count();
        let well = match struck.status {
            Some(0) => stay == 0,
            None => stay == PLAIN.len() && backups(&scene).is_empty(),
            _ => false,
        };
        undone += usize::from(struck.stderr.contains("everything is where it was"));
        let said = (!well).then(|| format!("{stay} stay: {struck:?}"));
        let trouble = said.or_else(|| lost(&scene, &before)).or_else(|| finish(&scene));
        troubles.extend(trouble.map(|trouble| format!("SIGTERM at {call}\n  {trouble}")));
    }
    end(&troubles, undone, 20);
}

/// Fails each call that may need room, once or from then on.
fn no_room_at_every_call(make: fn() -> Sentinel, least: usize) {
    let scene = make();
    let mut calls = strace::changes(&scene, &purge(&scene));
    // What is printed changes nothing.
    let prints = |call: &Call| call.text.contains("(1<") || call.text.contains("(2<");
    calls.retain(|call| needs_room(call) && !prints(call));
    let mut troubles = Vec::new();
    for call in &calls {
        for blow in [Blow::Full, Blow::FullFromThenOn] {
            let scene = make();
            let before = plain(&scene);
            let struck = strace::strike(&scene, &purge(&scene), (&call.name, call.number), blow);
            let stays = || scene.path("state/maillogsentinel.db").exists();
            let said = match struck.status {
                Some(0) if !stays() => None,
                // Each of these is an answer to where everything is.
                Some(1) if struck.stderr.contains("all is in ") && !stays() => None,
                Some(1) if struck.stderr.contains(" is now ") => None,
                Some(1) if backups(&scene).is_empty() && stays() => None,
                _ => Some(format!("{struck:?}")),
            };
            // When stderr takes nothing, nothing can be said.
            let silenced = call.name == "write" && matches!(blow, Blow::FullFromThenOn);
            let hinted = silenced
                || struck.stderr.contains("hint: ")
                || struck.stderr.contains("all is in ");
            let said = said.or_else(|| {
                (struck.status == Some(1) && !hinted).then(|| format!("no cure: {struck:?}"))
            });
            let trouble = said.or_else(|| lost(&scene, &before)).or_else(|| finish(&scene));
            troubles.extend(trouble.map(|trouble| format!("{blow:?} at {call}\n  {trouble}")));
        }
    }
    end(&troubles, calls.len(), least);
}

fn end(troubles: &[String], calls: usize, least: usize) {
    assert!(troubles.is_empty(), "{} of {calls}:\n{}", troubles.len(), troubles.join("\n"));
    assert!(calls >= least, "only {calls} calls");
}

#[test]
fn killed_while_moving() {
    killed_at_every_call(written, 20);
}

#[test]
fn killed_while_moving_to_another_disk() {
    in_own_mounts("kill::reset::killed_while_moving_to_another_disk", || {
        killed_at_every_call(on_two_disks, 60);
    });
}

#[test]
fn told_to_end_while_moving_to_another_disk() {
    in_own_mounts("kill::reset::told_to_end_while_moving_to_another_disk", || {
        told_to_end_at_every_call(on_two_disks);
    });
}

#[test]
fn no_room_while_moving() {
    no_room_at_every_call(written, 15);
}

#[test]
fn no_room_while_moving_to_another_disk() {
    in_own_mounts("kill::reset::no_room_while_moving_to_another_disk", || {
        no_room_at_every_call(on_two_disks, 40);
    });
}
