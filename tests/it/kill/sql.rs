//! Exports and imports that are killed, or find no room, at every call that changes a file: the next
//! run leaves each row in one file, and once in the database.

use std::fs;
use std::process::Command;

use super::scene::{self, CSV};
use super::strace::{self, Blow, Call};
use crate::sentinel::{HEADER, Ran, Sentinel};

/// Rows in each of three stretches.
const ROWS: usize = 120;

fn rows(from: usize) -> String {
    let row = |n| format!("mx1;2026-11-22 21:28;203.0.113.9;user{n};null;Errno 1;CN;4837;Unicom\n");
    (from..from + ROWS).map(row).collect()
}

fn run(scene: &Sentinel, action: &str) -> Ran {
    Ran::of(&mut scene.command(&[action]))
}

/// One stretch is exported and imported; another one was rotated away; a third is in a new CSV.
fn to_export() -> Sentinel {
    let scene = Sentinel::inside(&scene::scratch());
    let database = format!("database.db_path={}", scene.path("events.sqlite").display());
    let scene = scene.set(database).file(CSV, HEADER.to_owned() + &rows(0));
    run(&scene, "--sql-export").exits(0);
    run(&scene, "--sql-import").exits(0);
    scene.append(CSV, rows(ROWS));
    fs::rename(scene.path(CSV), scene.path(&format!("{CSV}.1"))).unwrap();
    scene.write(CSV, HEADER.to_owned() + &rows(2 * ROWS));
    scene
}

/// The same, all of it exported, and not all imported.
fn to_import() -> Sentinel {
    let scene = to_export();
    run(&scene, "--sql-export").exits(0);
    scene
}

/// Exports and imports what is left; what is wrong then, if anything.
fn finish(scene: &Sentinel) -> Option<String> {
    for action in ["--sql-export", "--sql-import", "--sql-export", "--sql-import"] {
        let ran = run(scene, action);
        let worries = [" ERROR ", " WARNING "];
        if ran.status != Some(0) || worries.iter().any(|worry| ran.stderr.contains(worry)) {
            return Some(format!("{action}: {ran:?}"));
        }
    }
    let database = rusqlite::Connection::open(scene.path("events.sqlite")).unwrap();
    let mut statement =
        database.prepare("SELECT username FROM maillogsentinel_events ORDER BY id").unwrap();
    let users: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let expected: Vec<_> = (0..3 * ROWS).map(|n| format!("user{n}")).collect();
    let names = fs::read_dir(scene.path("work/sql")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    if users != expected {
        return Some(format!("expected {} rows, found {}", expected.len(), users.len()));
    }
    (names.len() != 2).then(|| format!("{names:?}"))
}

fn disturbed_at_every_call(make: fn() -> Sentinel, action: &str, blow: Blow, least: usize) {
    let command = |scene: &Sentinel| -> Command { scene.command(&[action]) };
    let scene = make();
    let mut calls = strace::changes(&scene, &command(&scene));
    assert_eq!(finish(&scene), None, "undisturbed");
    if !matches!(blow, Blow::Kill) {
        calls.retain(needs_room);
    }
    let mut troubles = Vec::new();
    for call in &calls {
        let scene = make();
        let struck = strace::strike(&scene, &command(&scene), (&call.name, call.number), blow);
        let said = match (blow, struck.status) {
            (Blow::Kill, None | Some(0)) => None,
            (Blow::Kill, _) => Some(format!("{struck:?}")),
            // What could not be written is said, with the file.
            (_, Some(1)) if struck.stderr.contains("make room") => None,
            (_, Some(1)) if struck.stderr.contains("No space left") => None,
            (_, Some(0)) => None,
            _ => Some(format!("{struck:?}")),
        };
        let trouble = said.or_else(|| finish(&scene));
        troubles.extend(trouble.map(|trouble| format!("{blow:?} at {call}\n  {trouble}")));
    }
    assert!(troubles.is_empty(), "{} of {}:\n{}", troubles.len(), calls.len(), troubles.join("\n"));
    assert!(calls.len() >= least, "only {} calls", calls.len());
}

fn needs_room(call: &Call) -> bool {
    let opens = call.name.starts_with("open");
    let frees = ["unlink", "unlinkat", "flock"].contains(&call.name.as_str());
    // What is printed last changes nothing.
    let prints = call.name == "write" && (call.text.contains("(1<") || call.text.contains("(2<"));
    !frees && !prints && (!opens || call.text.contains("O_CREAT"))
}

#[test]
fn killed_while_exporting() {
    disturbed_at_every_call(to_export, "--sql-export", Blow::Kill, 25);
}

#[test]
fn killed_while_importing() {
    disturbed_at_every_call(to_import, "--sql-import", Blow::Kill, 20);
}

#[test]
fn no_room_while_exporting() {
    disturbed_at_every_call(to_export, "--sql-export", Blow::Full, 15);
}

#[test]
fn no_room_while_importing() {
    disturbed_at_every_call(to_import, "--sql-import", Blow::Full, 10);
}
