//! Fuzzes the configuration: INI and the table of keys.
//!
//! The input is the file; what follows a NUL is settings of the command line, one on each line.
//! Every mistake names a line that exists, and every key that is read stands on its line.

#![no_main]

mod scratch;

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use maillogsentinel::config::{self, Note};
use tempfile::TempDir;

fuzz_target!(|input: &[u8]| {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let mut parts = input.splitn(2, |b| *b == 0);
    let (file, settings) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let settings = String::from_utf8_lossy(settings);
    let settings: Vec<_> = settings.lines().map(str::to_owned).collect();
    let path = FOLDER.get_or_init(scratch::folder).path().join("f");
    scratch::write(&path, file);

    let (loaded, warnings) = config::load(Some(&path), &settings);
    let lines = match std::str::from_utf8(file) {
        Ok(text) => check_ini(text),
        Err(_) => 0,
    };
    let mistakes = match &loaded {
        Ok(config) => {
            assert!(std::str::from_utf8(file).is_ok());
            assert!(!config.paths.mail_logs.is_empty());
            assert_ne!(config.paths.csv, config.paths.working_dir);
            &[][..]
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "a refusal says why");
            mistakes
        }
    };
    for note in mistakes.iter().chain(&warnings) {
        check_note(note, &path, lines);
    }
});

/// Checks every entry of `text` against its line; gives the number of lines.
fn check_ini(text: &str) -> usize {
    let lines: Vec<_> = text.trim_start_matches('\u{feff}').lines().collect();
    let (entries, mistakes) = config::read_ini(text);
    for entry in entries {
        let line = lines[entry.line - 1];
        assert!(!entry.section.is_empty() && !entry.key.is_empty());
        assert!(line.to_lowercase().contains(&entry.key), "{entry:?} is not in {line:?}");
    }
    for mistake in mistakes {
        assert!((1..=lines.len()).contains(&mistake.line), "{mistake:?}");
        assert!(!mistake.what.is_empty());
    }
    lines.len()
}

fn check_note(note: &Note, path: &Path, lines: usize) {
    assert!(!note.what.is_empty());
    if note.place.starts_with("--set ") || Path::new(&note.place) == path {
        return;
    }
    let line =
        note.place.strip_prefix(&format!("{}:", path.display())).expect("a place in the file");
    assert!((1..=lines).contains(&line.parse().expect("a line number")), "{note}");
}
