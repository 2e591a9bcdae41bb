//! Users who cannot log in, those who are vouched for, and who only looks like one of them.

use std::fs;

use serde_json::Value;

use super::{COUNTRIES, DAY, ago, json, success};
use crate::sentinel::{Ran, Sentinel, failure};

#[test]
fn a_patient_guesser_from_everywhere_is_no_telephone() {
    let mut log = success(&ago(4 * DAY), "198.18.7.5", "alice");
    let mut lines: Vec<_> =
        (0..100).flat_map(|bot| (0..7).map(move |at| (bot, 2 * DAY - bot * 15 - at * 2))).collect();
    lines.sort_by_key(|(_, back)| -*back);
    for (bot, back) in lines {
        log.extend(failure(&ago(back), &format!("203.0.{bot}.9"), "alice"));
    }
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let campaigns = json(&sentinel, &["campaigns", "--json"], 0);
    let failures: i64 =
        campaigns.as_array().unwrap().iter().map(|it| it["failures"].as_i64().unwrap()).sum();
    assert!(failures > 500, "{campaigns:#}");
}

#[test]
fn a_steady_pace_alone_makes_no_telephones_of_hundreds() {
    // Each address has a name of its own, and tries it every ten minutes.
    let mut lines: Vec<_> =
        (0..600).flat_map(|bot| (0..9).map(move |at| (bot, 3 * DAY - bot - at * 10))).collect();
    lines.sort_by_key(|(_, back)| -*back);
    let mut log = success(&ago(4 * DAY), "198.18.7.5", "alice");
    for (bot, back) in lines {
        let address = format!("203.{}.{}.9", bot / 250, bot % 250);
        log.extend(failure(&ago(back), &address, &format!("user{bot}")));
    }
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let campaigns = json(&sentinel, &["campaigns", "--json"], 0);
    let failures: i64 =
        campaigns.as_array().unwrap().iter().map(|it| it["failures"].as_i64().unwrap()).sum();
    assert!(failures > 600 * 9 * 3 / 4, "{campaigns:#}");
}

#[test]
fn logins_in_another_log_are_judged_at_their_time() {
    // What the first log ends with must not keep the second one's logins waiting.
    let mut first = failure(&ago(5 * DAY), "203.0.113.9", "root");
    first.extend(success(&ago(DAY), "198.18.9.9", "carol"));
    let mut second = success(&ago(4 * DAY), "198.18.7.5", "bob");
    second.extend(failure(&ago(3 * DAY), "198.18.7.5", "bob"));
    let sentinel = Sentinel::default().file("mail.log", first).file("other.log", second);
    let logs =
        format!("{},{}", sentinel.path("mail.log").display(), sentinel.path("other.log").display());
    let sentinel = sentinel.set(format!("paths.mail_log={logs}"));
    sentinel.run().exits(0);
    let own = "SELECT group_concat(user) FROM own_failure JOIN failure ON id = failure";
    assert_eq!(sentinel.ask_store(own), "bob");
}

#[test]
fn what_is_vouched_for_is_what_was_meant() {
    let sentinel = Sentinel::default().file("mail.log", failure(&ago(99), "192.0.2.1", "x"));
    sentinel.run().exits(0);
    for wrong in
        ["203.0.113.300", "203.0.113.0/99", "0.0.0.0/0", "10.1", "10.1.1.1-10.1.1.5", "/24"]
    {
        Ran::of(&mut sentinel.command(&["allow", "add", wrong])).exits(2);
    }
    for what in ["Dave@Example.org", "::ffff:203.0.113.0/120"] {
        Ran::of(&mut sentinel.command(&["allow", "add", what])).exits(0);
    }
    let list = Ran::of(&mut sentinel.command(&["allow"])).exits(0).stdout;
    assert!(list.contains("dave@example.org") && list.contains("203.0.113.0/24"), "{list}");
    Ran::of(&mut sentinel.command(&["allow", "remove", "dave@EXAMPLE.org"])).exits(0);
}

#[test]
fn a_forgotten_telephone_is_no_attacker() {
    let day = ago(30).get(..10).unwrap().to_owned();
    let mut log = Vec::new();
    for day in (3..=10).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "carol@example.org"));
    }
    for at in 0..100 {
        log.extend(failure(&ago(1500 - at * 15), "198.18.7.5", "carol@example.org"));
    }
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    assert_eq!(json(&sentinel, &["campaigns", "--json"], 0), Value::Array(Vec::new()));
    let why = Ran::of(&mut sentinel.command(&["why", "198.18.7.5"])).exits(0).stdout;
    assert!(why.contains("no attacker") && why.contains("every 15 min"), "{why}");
    assert!(why.contains("the account had logged in from there"), "{why}");
    let report = ["--report", "--date", &day, "-q", "--output", "-"];
    let text = Ran::of(&mut sentinel.command(&report)).exits(0).stdout;
    let today = format!("SELECT count(*) FROM failure WHERE date(time, 'unixepoch') = '{day}'");
    let expected = format!(
        "Your user carol@example.org cannot log in (no attack): {} failures that day",
        sentinel.ask_store(&today)
    );
    assert!(text.contains("NOBODY GOT IN.") && text.contains(&expected), "{text}");
}

#[test]
fn a_thief_who_got_in_does_not_become_the_user() {
    let sentinel =
        Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", super::guessed());
    sentinel.run().exits(0);
    // The password is a new one: he goes on with the old one, and so does her telephone.
    for at in 0..9 {
        sentinel.append("mail.log", failure(&ago(50 - at * 5), "203.0.113.77", "alice"));
        sentinel.append("mail.log", failure(&ago(49 - at * 5), "198.18.7.5", "alice"));
    }
    sentinel.run().exits(0);
    let account = json(&sentinel, &["account", "alice", "--json"], 0);
    let own = account["own_failures"].as_array().unwrap();
    assert_eq!(own.len(), 1, "{account:#}");
    assert_eq!((&own[0]["network"], &own[0]["failures"]), (&"198.18.7.0/24".into(), &9.into()));
    assert_eq!(account["attacks"][0]["failures"], 41 + 9, "{account:#}");
    // Somebody sees to it; who comes back is told anew, once.
    let told = Ran::of(&mut sentinel.command(&["findings", "ack", "1"])).exits(0).stdout;
    assert!(told.contains("it was a thief"), "{told}");
    for at in [1, 2] {
        sentinel.append("mail.log", success(&ago(-at), "203.0.113.78", "Alice"));
        sentinel.run().exits(0);
    }
    let found = json(&sentinel, &["findings", "--json"], 1);
    assert_eq!((found.as_array().unwrap().len(), &found[0]["finding"]), (1, &2.into()));
    let kinds = found[0]["evidence"].as_array().unwrap().iter().map(|sign| &sign["kind"]);
    assert_eq!(kinds.collect::<Vec<_>>(), ["returned"], "{found:#}");
    let failures = |at: i64| {
        sentinel.append("mail.log", failure(&ago(-at), "203.0.113.77", "alice"));
        sentinel.run().exits(0);
        let account = json(&sentinel, &["account", "alice", "--json"], 0);
        account["own_failures"].as_array().unwrap().len()
    };
    assert_eq!(failures(3), 1, "he is a thief still");
    Ran::of(&mut sentinel.command(&["findings", "ack", "2"])).exits(0);
    Ran::of(&mut sentinel.command(&["findings", "ack", "2"])).exits(1);
    // A word about it may be said later.
    Ran::of(&mut sentinel.command(&["findings", "ack", "2", "--comment", "mended"])).exits(0);
    assert_eq!(json(&sentinel, &["findings", "2", "--json"], 0)[0]["was_user"], false);
    // It was her after all, on a journey: then she is at home there.
    Ran::of(&mut sentinel.command(&["findings", "ack", "1", "2", "--user"])).exits(0);
    let second = &json(&sentinel, &["findings", "2", "--json"], 0)[0];
    assert_eq!((&second["was_user"], &second["comment"]), (&true.into(), &"mended".into()));
    assert_eq!(failures(4), 2);
    sentinel.append("mail.log", success(&ago(-5), "203.0.113.77", "alice"));
    sentinel.run().exits(0);
    Ran::of(&mut sentinel.command(&["findings"])).exits(0);
}

#[test]
fn a_thief_is_known_where_he_was_and_nowhere_else() {
    // Her telephone sends from a new provider, which is odd; days later somebody guesses her password.
    let mut log = Vec::new();
    for day in (1..=20).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice"));
    }
    log.extend(success(&ago(2 * DAY + 9), "203.0.113.200", "alice"));
    for minute in 0..41 {
        log.extend(failure(&ago(120 - minute), "192.0.2.77", "alice"));
    }
    log.extend(success(&ago(60), "192.0.2.77", "alice"));
    for (at, address) in [(20, "203.0.113.200"), (19, "192.0.2.77"), (18, "198.18.7.5")] {
        log.extend(failure(&ago(at), address, "alice"));
    }
    let countries = format!("{COUNTRIES}192.0.2.0,192.0.2.255,BR\n");
    let sentinel = Sentinel::default().file("country.csv", countries).file("mail.log", log);
    sentinel.run().exits(0);
    let found = json(&sentinel, &["findings", "--json"], 1);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    let networks = found[0]["evidence"].as_array().unwrap().iter().map(|sign| &sign["network"]);
    assert!(networks.clone().any(|it| it == "203.0.113.0/24"), "{found:#}");
    let account = json(&sentinel, &["account", "alice", "--json"], 0);
    let own = account["own_failures"].as_array().unwrap().iter().map(|own| &own["network"]);
    assert_eq!(own.collect::<Vec<_>>(), ["198.18.7.0/24", "203.0.113.0/24"], "{account:#}");
    let why =
        Ran::of(&mut sentinel.command(&["why", "192.0.2.77"])).exits(0).stdout.replace('\n', " ");
    assert!(why.contains("alice was probably stolen from its network (finding 1)"), "{why}");
}

#[test]
fn a_note_that_was_a_theft_makes_its_network_a_thiefs() {
    let mut log = Vec::new();
    for day in (3..=10).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice"));
    }
    log.extend(success(&ago(2 * DAY), "203.0.113.9", "alice"));
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    assert_eq!(json(&sentinel, &["findings", "--json"], 1)[0]["severity"], "low");
    let told = Ran::of(&mut sentinel.command(&["findings", "ack", "1"])).exits(0).stdout;
    assert!(told.contains("it was its user") && told.contains("--theft"), "{told}");
    Ran::of(&mut sentinel.command(&["findings", "ack", "1", "--theft"])).exits(0);
    sentinel.append("mail.log", success(&ago(-1), "203.0.113.9", "alice"));
    sentinel.run().exits(0);
    let found = json(&sentinel, &["findings", "--json"], 1);
    assert_eq!(found[0]["severity"], "high", "he came back: {found:#}");
}

#[test]
fn what_a_thief_sent_is_no_measure_for_the_next_one() {
    let mut log = Vec::new();
    for day in (5..=20).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice@example.org"));
    }
    // From noon on: all of them are of one day.
    let sent = |back: i64, address: &str, user: &str| {
        let day = ago(back * DAY).get(..10).unwrap().to_owned();
        let stamp = |at: i32| {
            format!("{day}T{:02}:{:02}:{:02}+00:00", 12 + at / 240, at / 4 % 60, at % 4 * 15)
        };
        (0..400).map(|at| success(&stamp(at), address, user)).collect::<Vec<_>>().concat()
    };
    log.extend(sent(4, "203.0.113.77", "alice@example.org"));
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let high = |id: i64| {
        let found = json(&sentinel, &["findings", &id.to_string(), "--json"], 1);
        assert_eq!(found[0]["severity"], "high", "{found:#}");
    };
    high(1);
    Ran::of(&mut sentinel.command(&["findings", "ack", "1"])).exits(0);
    // Another one, next door, and the first under the name without its domain.
    sentinel.append("mail.log", sent(1, "203.0.112.9", "alice@example.org"));
    sentinel.append("mail.log", success(&ago(-1), "203.0.113.77", "alice"));
    fs::write(
        sentinel.path("country.csv"),
        "198.18.7.0,198.18.7.255,CH\n203.0.112.0,203.0.113.255,VN\n",
    )
    .unwrap();
    sentinel.run().exits(0);
    high(2);
    high(3);
}

#[test]
fn three_stolen_accounts_make_no_office() {
    let mut log = Vec::new();
    let users = ["alice", "bob", "carol", "dave"];
    for (day, user) in (1..=10).rev().flat_map(|day| users.map(|user| (day, user))) {
        log.extend(success(&ago(day * DAY), "198.18.7.5", user));
    }
    for user in &users[..3] {
        for at in 0..41 {
            log.extend(failure(&ago(300 - at), "203.0.113.77", user));
        }
    }
    for (at, user) in users[..3].iter().enumerate() {
        log.extend(success(&ago(200 - i64::try_from(at).unwrap()), "203.0.113.77", user));
    }
    for at in 0..41 {
        log.extend(failure(&ago(100 - at), "203.0.113.78", "dave"));
    }
    log.extend(success(&ago(30), "203.0.113.78", "dave"));
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let found = json(&sentinel, &["findings", "--json"], 1);
    let high = found.as_array().unwrap().iter().filter(|it| it["severity"] == "high");
    assert_eq!(high.count(), 4, "{found:#}");
}

#[test]
fn the_letters_of_an_account_may_be_written_in_any_way() {
    let mut log = Vec::new();
    for day in (1..=10).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice@example.org"));
    }
    // The thief reads mail under one spelling, and sends under another.
    for at in 0..41 {
        log.extend(failure(&ago(300 - at), "203.0.113.77", "alice@example.org"));
    }
    for (at, spelling) in
        ["Alice@Example.org", "ALICE@example.org", "aLICE@example.org"].iter().enumerate()
    {
        log.extend(success(&ago(200 - i64::try_from(at).unwrap()), "203.0.113.77", spelling));
    }
    log.extend(success(&ago(190), "203.0.113.77", "alice@example.org"));
    let before = log.len();
    for at in 0..9 {
        log.extend(failure(&ago(100 - at), "203.0.113.77", "alice@example.org"));
        log.extend(failure(&ago(90 - at), "203.0.113.77", "alice"));
    }
    let server = || Sentinel::default().file("country.csv", COUNTRIES);
    let at_once = server().file("mail.log", log.clone());
    at_once.run().exits(0);
    let in_pieces = server().file("mail.log", &log[..before]);
    in_pieces.run().exits(0);
    in_pieces.append("mail.log", &log[before..]);
    in_pieces.run().exits(0);
    for sentinel in [at_once, in_pieces] {
        let found = json(&sentinel, &["findings", "--json"], 1);
        assert_eq!(found.as_array().unwrap().len(), 1, "one account: {found:#}");
        let account = json(&sentinel, &["account", "alice", "--json"], 0);
        assert_eq!(account["own_failures"], Value::Array(Vec::new()), "{account:#}");
    }
}

#[test]
fn a_number_that_turned_out_to_be_no_campaign_is_not_given_to_another() {
    let tries = |from: i64, to: i64, address: &str, name: &dyn Fn(i64) -> String| {
        let failures = (from..to).map(|at| failure(&ago(1500 - at * 30), address, &name(at)));
        failures.collect::<Vec<_>>().concat()
    };
    let carol = |_| "carol@example.org".to_owned();
    let sentinel = Sentinel::default()
        .set("judge.campaign_failures=4")
        .file("mail.log", tries(0, 5, "203.0.113.77", &carol));
    let numbers = || {
        sentinel.run().exits(0);
        let campaigns = json(&sentinel, &["campaigns", "--json"], 0);
        let campaigns = campaigns.as_array().unwrap().iter();
        campaigns.map(|campaign| campaign["campaign"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(), [1]);
    sentinel.append("mail.log", tries(5, 12, "203.0.113.77", &carol));
    assert_eq!(numbers(), [0; 0], "a device after all");
    let name = |at| format!("name{at}");
    sentinel.append("mail.log", tries(12, 18, "192.0.2.66", &name));
    assert_eq!(numbers(), [2]);
}

#[test]
fn who_is_vouched_for_is_no_attacker_until_that_ends() {
    let sentinel = Sentinel::default().file("mail.log", failure(&ago(99), "192.0.2.1", "x"));
    sentinel.run().exits(0);
    let add = ["allow", "add", "203.0.113.5", "--until", "2999-01-01", "--comment", "scanner"];
    Ran::of(&mut sentinel.command(&add)).exits(0);
    let list = Ran::of(&mut sentinel.command(&["allow"])).exits(0).stdout;
    assert!(list.contains("203.0.113.5/32") && list.contains("scanner"), "{list}");
    let log: Vec<u8> = (0..50)
        .flat_map(|at| failure(&ago(90 - at), "203.0.113.5", &format!("name{at}")))
        .collect();
    sentinel.append("mail.log", log);
    sentinel.run().exits(0);
    assert_eq!(json(&sentinel, &["campaigns", "--json"], 0), Value::Array(Vec::new()));
    Ran::of(&mut sentinel.command(&["allow", "remove", "203.0.113.5"])).exits(0);
    Ran::of(&mut sentinel.command(&["allow", "remove", "203.0.113.5"])).exits(1);
    Ran::of(&mut sentinel.command(&["allow", "add", "x", "--until", "2001-01-01"])).exits(2);
    Ran::of(&mut sentinel.command(&["allow", "add", "x", "--until", "soon"])).exits(2);
}
