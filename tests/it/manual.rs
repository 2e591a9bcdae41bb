//! Man pages and completions: well formed, and with every option, command and key.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use clap::CommandFactory;
use maillogsentinel::cli::args::Args;
use maillogsentinel::config::KEYS;
use maillogsentinel::manual;

use crate::sentinel::{Ran, Sentinel, program};

/// Each file by the end of its path.
fn texts() -> BTreeMap<&'static str, String> {
    let files = manual::files().unwrap().into_iter();
    files
        .map(|file| {
            let name = file.path.rsplit('/').next().unwrap();
            (name, String::from_utf8(file.bytes).unwrap())
        })
        .collect()
}

/// A page as a reader sees it, without bold and with its hyphens plain.
fn read(sentinel: &Sentinel, page: &str) -> String {
    sentinel.write(page, &texts()[page]);
    let mut groff = Command::new("groff");
    // -ww: all warnings; -c and -P: no bold, no lines broken at hyphens; long lines.
    groff.args(["-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=400n", "-rHY=0"]);
    let ran = Ran::of(groff.arg(sentinel.path(page))).exits(0);
    assert_eq!(ran.stderr, "", "{page}");
    ran.stdout.replace('\u{2010}', "-")
}

/// Everything that is not hidden: long options and commands, each with a dash or without.
fn words(command: &clap::Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let mut words: Vec<_> =
        shown.filter_map(|argument| Some(format!("--{}", argument.get_long()?))).collect();
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        words.push(command.get_name().to_owned());
        words.extend(self::words(command));
    }
    words
}

#[test]
fn the_page_of_the_program_has_every_option_and_command() {
    let page = read(&Sentinel::default(), "maillogsentinel.8");
    let words = words(&Args::command());
    assert!(words.len() > 30, "{words:?}");
    for word in words {
        assert!(page.contains(&word), "{word}");
    }
    for section in ["FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
        assert!(page.lines().any(|line| line == section), "{section}");
    }
}

#[test]
fn the_page_of_the_configuration_has_every_key_with_its_default() {
    let page = read(&Sentinel::default(), "maillogsentinel.conf.5");
    for key in KEYS {
        let default = if key.default.is_empty() { "(empty)" } else { key.default };
        let line = format!("{} = {default}", key.name);
        assert!(page.lines().any(|it| it.trim() == line), "{line}");
        assert!(page.lines().any(|it| it.trim() == format!("[{}]", key.section)));
        assert!(page.contains(key.help), "{}", key.help);
    }
}

#[test]
fn examples_of_the_page_are_commands_that_are_known() {
    let sentinel = Sentinel::default();
    let page = read(&sentinel, "maillogsentinel.8");
    let examples = page.split("EXAMPLES").nth(1).unwrap().split("SEE ALSO").next().unwrap();
    let commands = examples.lines().filter_map(|line| line.trim().strip_prefix("maillogsentinel"));
    let commands: Vec<_> = commands.collect();
    assert_eq!(commands.len(), 7);
    for command in commands {
        let words: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        Ran::of(&mut sentinel.command(&words)).exits(0);
    }
}

#[test]
fn completions_have_every_option_and_command_and_nothing_hidden() {
    let texts = texts();
    for name in ["maillogsentinel", "_maillogsentinel", "maillogsentinel.fish"] {
        for word in words(&Args::command()) {
            let word = word.trim_start_matches("--");
            assert!(texts[name].contains(word), "{word} in {name}");
        }
        assert!(!texts[name].contains("as-service-user"), "{name}");
        assert!(!texts[name].contains("manual"), "{name}");
    }
}

#[test]
fn bash_completes_an_option() {
    let sentinel = Sentinel::default().file("completion", &texts()["maillogsentinel"]);
    let script = ". ./completion; COMP_WORDS=(maillogsentinel --sql); COMP_CWORD=1
        _maillogsentinel maillogsentinel --sql maillogsentinel; echo ${COMPREPLY[@]}";
    let mut bash = Command::new("bash");
    let ran = Ran::of(bash.args(["-uc", script]).current_dir(sentinel.path("")));
    assert_eq!(ran.exits(0).stdout, "--sql-export --sql-import\n");
}

#[test]
fn pages_are_written_below_a_folder_and_over_what_was_there() {
    let sentinel = Sentinel::default().file("usr/share/man/man8/maillogsentinel.8", "old");
    let usr = sentinel.path("usr");
    for _ in 0..2 {
        Ran::of(Command::new(program()).arg("manual").arg(&usr)).exits(0);
        for file in manual::files().unwrap() {
            let path = usr.join(file.path);
            assert_eq!(fs::read(&path).unwrap(), file.bytes);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o644);
        }
    }
}

#[test]
fn a_page_that_cannot_be_written_is_named() {
    let sentinel = Sentinel::default().file("usr", "a file");
    let mut command = Command::new(program());
    Ran::of(command.arg("manual").arg(sentinel.path("usr")))
        .exits(1)
        .says("man8/maillogsentinel.8");
}
