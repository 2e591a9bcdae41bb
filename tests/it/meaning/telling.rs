//! How judgements are told: hostile names, lines that fit, numbers that agree, mistakes.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{COUNTRIES, DAY, ago, guessed, json, success};
use crate::sentinel::{Ran, Sentinel, failure};

#[test]
fn hostile_names_are_shown_as_text_wherever_they_are_told() {
    let hostile = "\u{1b}]0;x\u{7}<script>alert(1)</script>";
    let log: Vec<u8> =
        (0..20).flat_map(|at| failure(&ago(40 - at), "203.0.113.5", hostile)).collect();
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    for arguments in [
        &["campaigns"][..],
        &["campaigns", "1"],
        &["campaigns", "--json"],
        &["account", hostile],
        &["accounts", "--attacked"],
        &["why", "203.0.113.5"],
        &["why", hostile],
    ] {
        let ran = Ran::of(&mut sentinel.command(arguments)).exits(0);
        assert!(!ran.stdout.contains(['\u{1b}', '\u{7}']), "{arguments:?}: {}", ran.stdout);
    }
    // Who copies it from there asks about the same.
    let shown = "\\x1b]0;x\\x07<script>alert(1)</script>";
    let copied = Ran::of(&mut sentinel.command(&["account", shown])).exits(0).stdout;
    let typed = Ran::of(&mut sentinel.command(&["account", hostile])).exits(0).stdout;
    assert!(copied == typed && copied.contains("Failed logins in 30 days: 20"), "{copied}");
}

#[test]
fn every_line_of_evidence_fits_a_terminal() {
    let user = "carol.van-den-heuvel@accounting.example.org";
    let mut log = Vec::new();
    for day in (1..=10).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", user));
    }
    for (since, address) in [(1400, "2001:db8:85a3:8d3:1319:8a2e:370:7348"), (1300, "203.0.113.77")]
    {
        for minute in 0..41 {
            log.extend(failure(&ago(since - minute), address, user));
        }
    }
    log.extend(success(&ago(70), "2001:db8:85a3:8d3:1319:8a2e:370:7348", user));
    log.extend(success(&ago(60), "203.0.113.77", user));
    log.extend(success(&ago(50), "203.0.113.77", user));
    for at in 0..9 {
        log.extend(failure(&ago(45 - at * 3), "198.18.7.5", user));
    }
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let today = ago(60).get(..10).unwrap().to_owned();
    for arguments in [
        &["findings"][..],
        &["why", "203.0.113.77"],
        &["why", "203.0.113.0/24"],
        &["why", "198.18.7.5"],
        &["why", "2001:db8:85a3:8d3::/64"],
        &["why", user],
        &["why", "192.0.2.1"],
    ] {
        let status = i32::from(arguments == ["findings"]);
        let told = Ran::of(&mut sentinel.command(arguments)).exits(status).stdout;
        for line in told.lines() {
            // The folder of a test may have a long name.
            let is_place = line.contains("mail.log");
            assert!(is_place || line.chars().count() <= 80, "{arguments:?}: {line}");
        }
    }
    let found = Ran::of(&mut sentinel.command(&["findings"])).exits(1).stdout;
    let indent = " ".repeat(20);
    let is_place = |line: &str| line.starts_with(&indent) && line.contains("mail.log, byte ");
    assert!(found.lines().any(is_place), "{found}");
    let report = ["--report", "--date", &today, "-q", "--output", "-"];
    let text = Ran::of(&mut sentinel.command(&report)).exits(0).stdout;
    let sentences = text.split("\n\n").nth(1).unwrap();
    assert!(sentences.lines().all(|line| line.chars().count() <= 80), "{sentences}");
    let found = json(&sentinel, &["findings", "--json"], 1);
    let evidence = found[0]["evidence"].as_array().unwrap();
    assert!(evidence.iter().all(|it| !it["text"].as_str().unwrap().contains('\n')), "{found:#}");
    let has_place = |it: &Value| it["place"].as_str().is_some_and(|at| at.contains(", byte "));
    assert!(evidence.iter().any(has_place), "{found:#}");
}

#[test]
fn a_line_of_evidence_is_shown_by_the_command_that_findings_names() {
    let mut log: Vec<u8> =
        (0..60).flat_map(|at| failure(&ago(100 - at), "203.0.113.5", "alice")).collect();
    log.extend(success(&ago(20), "203.0.113.5", "alice"));
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    // Rotated since, with nothing new in it.
    fs::rename(sentinel.path("mail.log"), sentinel.path("mail.log.1")).unwrap();
    fs::write(sentinel.path("mail.log"), "").unwrap();
    sentinel.run().exits(0);
    let told = Ran::of(&mut sentinel.command(&["findings"])).exits(1).stdout;
    let command = told.lines().find(|line| line.contains("shows such a line")).unwrap();
    let command = command.split('`').nth(1).unwrap();
    let found = json(&sentinel, &["findings", "--json"], 1);
    let places = found[0]["evidence"].as_array().unwrap().iter().map(|it| it["place"].as_str());
    let place = places.flatten().next().unwrap();
    let (file, byte) = place.rsplit_once(", byte ").unwrap();
    let command = command.replace("FILE", &format!("'{file}'")).replace("BYTE", byte);
    let shown = Command::new("sh").args(["-c", &command]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("sasl_username=alice") && shown.lines().count() == 1,
        "{command}: {shown}"
    );
}

#[test]
fn a_network_is_told_of_or_refused() {
    let mut log = Vec::new();
    for at in 0..30 {
        let address = format!("203.0.113.{}", 5 + at % 2);
        log.extend(failure(&ago(90 - at), &address, &format!("name{}", at % 12)));
    }
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    let told = Ran::of(&mut sentinel.command(&["why", "203.0.113.9/24"])).exits(0).stdout;
    for expected in ["203.0.113.0/24: 2 attackers.", "203.0.113.5", "203.0.113.6", "15 failures"] {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }
    let told = Ran::of(&mut sentinel.command(&["why", "198.51.100.0/24"])).exits(0).stdout;
    assert!(told.contains("no attacker in it is known"), "{told}");
    for (wrong, hint) in [
        ("203.0.0.0/16", "as /24"),
        ("203.0.113.0/25", "try 203.0.113.0/24"),
        ("203.0.113.0/99", "is none"),
        ("203.0.113.300", "is none"),
    ] {
        let ran = Ran::of(&mut sentinel.command(&["why", wrong])).exits(2);
        assert!(ran.stderr.contains(hint), "{wrong}: {}", ran.stderr);
    }
}

#[test]
fn one_is_no_plural() {
    let mut log = success(&ago(4 * DAY), "198.18.7.5", "bob");
    log.extend(failure(&ago(60), "203.0.113.9", "alice"));
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    let why = Ran::of(&mut sentinel.command(&["why", "203.0.113.9"])).exits(0).stdout;
    assert!(why.contains("1 failed login from "), "{why}");
    let network = Ran::of(&mut sentinel.command(&["why", "203.0.113.0/24"])).exits(0).stdout;
    assert!(network.contains("1 attacker.") && network.contains("1 failure "), "{network}");
    let account = Ran::of(&mut sentinel.command(&["account", "alice"])).exits(0).stdout;
    assert!(account.contains("1 single try"), "{account}");
    for told in [why, network, account] {
        let words: Vec<_> = told.split_whitespace().collect();
        let is_wrong = |pair: &[&str]| {
            let noun = pair[1].trim_end_matches(|c: char| !c.is_alphabetic());
            let many = ["failures", "addresses", "logins", "attackers", "tries", "times"];
            pair[0] == "1" && many.contains(&noun)
        };
        assert!(!words.windows(2).any(is_wrong), "{told}");
    }
}

#[test]
fn a_stolen_account_is_red_in_the_page_and_commands_are_code() {
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", guessed());
    sentinel.run().exits(0);
    let day = ago(60).get(..10).unwrap().to_owned();
    let report = ["--report", "--date", &day, "-q", "--output", "r.html"];
    Ran::of(&mut sentinel.command(&report)).exits(0);
    let page = fs::read_to_string(sentinel.path("r.html")).unwrap();
    let heading = page.split("<h1 ").nth(1).and_then(|it| it.split("</h1>").next()).unwrap();
    let red = maillogsentinel::report::palette::DAY.alarm.to_string();
    assert!(heading.contains("class=\"verdict alarm\"") && heading.contains(&red), "{heading}");
    assert!(heading.contains("ACCOUNT alice PROBABLY STOLEN."), "{heading}");
    assert!(
        page.contains(">sudo maillogsentinel findings</code>") && !page.contains('`'),
        "{page}"
    );
}

#[test]
fn the_commands_say_what_is_missing() {
    let sentinel = Sentinel::default();
    let ran = Ran::of(&mut sentinel.command(&["campaigns"])).exits(1);
    assert!(ran.stderr.contains("nothing was recorded yet"), "{}", ran.stderr);
    let sentinel = sentinel.file("mail.log", success(&ago(5), "198.18.7.5", "bob"));
    sentinel.run().exits(0);
    let ran = Ran::of(&mut sentinel.command(&["account", "nobody"])).exits(0);
    assert!(ran.stdout.contains("it is not known whether it exists"), "{}", ran.stdout);
    let sentinel = sentinel.file("users", "ann:x\n# comment\nbob@example.org OK\n");
    let lists = format!("accounts.lists={}", sentinel.path("users").display());
    let sentinel = sentinel.set(lists);
    let told = |name| Ran::of(&mut sentinel.command(&["account", name])).exits(0).stdout;
    assert!(told("ann").contains("ann: exists"), "{}", told("ann"));
    assert!(told("eve").contains("eve: does not exist here"), "{}", told("eve"));
}
