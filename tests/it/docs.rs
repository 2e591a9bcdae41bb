//! What the documents say is what the program does.

use std::fs;
use std::path::Path;

use maillogsentinel::config::{self, KEYS};

use crate::sentinel::Sentinel;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_sample_configuration_is_the_table_of_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/maillogsentinel.conf");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, config::sample()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), config::sample(), "UPDATE_DOCS=1 writes it");
}

#[test]
fn the_reference_of_the_configuration_is_the_table_of_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let made = maillogsentinel::manual::configuration();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), made, "UPDATE_DOCS=1 writes it");
}

#[test]
fn the_sample_configuration_with_everything_set_is_valid() {
    let all: String = config::sample()
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line).to_owned() + "\n"
        })
        .collect();
    let sentinel = Sentinel::default().file("all.conf", all);
    let (loaded, warnings) = config::load(Some(&sentinel.path("all.conf")), &[]);
    assert!(loaded.is_ok(), "{loaded:?}");
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn every_default_is_a_value_of_its_key() {
    for key in KEYS {
        let checked = key.kind.check(key.default);
        assert!(checked.is_ok(), "[{}] {}: {checked:?}", key.section, key.name);
    }
}

#[test]
fn the_readme_has_the_numbers_of_the_sample_run() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let logs =
        ["bsd", "rfc3339"].map(|kind| samples.join(kind).join("mail.log").display().to_string());
    let sentinel = Sentinel::default().set(format!("paths.mail_log={}", logs.join(",")));
    sentinel.run().exits(0).prints("746 lines read: 131 failed logins recorded");
    for document in ["README.md", "docs/images/run.svg"] {
        let text = read(document).replace('\u{a0}', " ");
        assert!(text.contains("131 failed logins") && text.contains("746 lines"), "{document}");
    }
}

#[test]
fn the_readme_names_every_command_and_exit_status() {
    let readme = read("README.md");
    for said in [
        "samples/run",
        "tests/run",
        "explain --missed",
        "explain --rules",
        "ipinfo --update",
        "| 75 |",
        "| 78 |",
    ] {
        assert!(readme.contains(said), "{said}");
    }
    for script in ["samples/run", "tests/run", ".ci/run", "benches/run", "fuzz/run"] {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(script).exists(), "{script}");
    }
}

#[test]
fn the_picture_of_a_run_holds_no_control_characters() {
    let picture = read("docs/images/run.svg");
    assert!(!picture.contains(|c: char| c.is_control() && c != '\n'), "run docs/picture.py again");
}

#[test]
fn every_page_leads_to_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> =
        pages.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    pages.extend(["README.md", "SECURITY.md", "ARCHITECTURE.md"].map(|name| root.join(name)));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            let is_elsewhere = link.starts_with("http") || file.is_empty();
            let there = is_elsewhere || page.parent().unwrap().join(file).exists();
            assert!(there, "{} leads to {link}", page.display());
        }
    }
}
