//! The house keeps its order: every file says what it is for, stages stay apart, files stay small.
#![expect(clippy::unwrap_used, reason = "a test should stop at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// The stages, and what each may import besides itself: the nouns, never another stage.
const STAGES: [&str; 8] =
    ["source", "parse", "enrich", "store", "sql", "report", "anonymize", "alert"];
const NOUNS: [&str; 15] = [
    "event",
    "logins",
    "user_name",
    "campaign",
    "pace",
    "finding",
    "meaning",
    "figures",
    "origin",
    "position",
    "untrusted",
    "host",
    "files",
    "account",
    "programs",
];
/// More lines of code than this, tests not counted, hold a second thought.
const MOST_LINES: usize = 400;

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in [rust_files("src"), rust_files("tests")].concat() {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let says = first.strip_prefix("//! ").is_some_and(|words| words.len() > 15);
        assert!(says, "{} must start with `//! ` and its purpose", file.display());
    }
}

#[test]
fn stages_import_nouns_and_never_one_another() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for stage in STAGES {
        for file in rust_files(&format!("src/{stage}")) {
            let text = fs::read_to_string(&file).unwrap();
            for (_, after) in
                text.match_indices("crate::").map(|(at, it)| (at, &text[at + it.len()..]))
            {
                let module: String =
                    after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let allowed = module == stage || NOUNS.contains(&module.as_str());
                let file = file.strip_prefix(&source).unwrap().display();
                assert!(allowed, "{file} imports {module}: stages import nouns only");
            }
        }
    }
}

#[test]
fn no_file_grows_two_thoughts() {
    for file in rust_files("src") {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
        assert!(code <= MOST_LINES, "{} has {code} lines", file.display());
    }
}
