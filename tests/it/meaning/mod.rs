//! What it means: who got in, who attacks, who merely forgot his password, and what is said of it where.

mod alerts;
mod runs;
mod telling;
mod users;

use std::time::Duration;
use std::{fs, thread};

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::sentinel::{Ran, Sentinel, failure};

/// The time so many minutes ago, as a log has it.
fn ago(minutes: i64) -> String {
    let then = Timestamp::now().checked_sub((minutes * 60).seconds()).unwrap();
    then.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// If this day is nearly over, waits for the next one: what is written today is asked of today.
fn away_from_midnight() {
    let left = 86400 - Timestamp::now().as_second().rem_euclid(86400);
    if left <= 60 {
        thread::sleep(Duration::from_secs(left.unsigned_abs() + 1));
    }
}

fn success(stamp: &str, address: &str, user: &str) -> Vec<u8> {
    format!(
        "{stamp} mx1 postfix/submission/smtpd[9]: A59429CE8C1: client=x[{address}], \
         sasl_method=PLAIN, sasl_username={user}\n"
    )
    .into_bytes()
}

const DAY: i64 = 24 * 60;
const COUNTRIES: &str = "198.18.7.0,198.18.7.255,CH\n203.0.113.0,203.0.113.255,VN\n";

/// Alice logs in from home for ten days; then somebody far away guesses her password.
fn guessed() -> Vec<u8> {
    let mut log = Vec::new();
    for day in (1..=10).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice"));
    }
    for minute in 0..41 {
        log.extend(failure(&ago(120 - minute), "203.0.113.77", "alice"));
    }
    log.extend(success(&ago(60), "203.0.113.77", "alice"));
    log
}

fn json(sentinel: &Sentinel, arguments: &[&str], status: i32) -> Value {
    let ran = Ran::of(&mut sentinel.command(arguments)).exits(status);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

#[test]
fn a_guessed_password_is_found_told_everywhere_and_acknowledged() {
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", guessed());
    sentinel.run().exits(0);
    let ran = Ran::of(&mut sentinel.command(&["findings"])).exits(1);
    for expected in [
        "HIGH",
        "alice",
        "probably stolen",
        "203.0.113.77",
        "41 failures before",
        "mail.log, byte ",
    ] {
        assert!(ran.stdout.contains(expected), "{expected} is not in\n{}", ran.stdout);
    }
    assert!(ran.stdout.contains("doveadm kick -- alice"), "{}", ran.stdout);
    let found = json(&sentinel, &["findings", "--json"], 1);
    assert_eq!((&found[0]["severity"], &found[0]["account"]), (&"high".into(), &"alice".into()));
    // The verdict leads the report, and its subject.
    let today = ago(60).get(..10).unwrap().to_owned();
    let report = ["--report", "--date", &today, "-q", "--output"];
    let text = Ran::of(&mut sentinel.command(&[&report[..], &["-"]].concat())).exits(0).stdout;
    let after_banner = text.split("\n\n").nth(1).unwrap();
    assert!(after_banner.starts_with("ACCOUNT alice PROBABLY STOLEN."), "{after_banner}");
    Ran::of(&mut sentinel.command(&[&report[..], &["r.eml"]].concat())).exits(0);
    let message = fs::read_to_string(sentinel.path("r.eml")).unwrap();
    let subject = message.lines().find(|line| line.starts_with("Subject: ")).unwrap();
    assert!(
        subject.starts_with("Subject: [MailLogSentinel] ACCOUNT alice PROBABLY STOLEN"),
        "{subject}"
    );
    // Once acknowledged, it is open no more, and does not come back.
    Ran::of(&mut sentinel.command(&["findings", "ack", "1", "--comment", "was me"])).exits(0);
    Ran::of(&mut sentinel.command(&["findings"])).exits(0);
    sentinel.append("mail.log", success(&ago(10), "203.0.113.77", "alice"));
    sentinel.run().exits(0);
    Ran::of(&mut sentinel.command(&["findings"])).exits(0);
    let all = json(&sentinel, &["findings", "--all", "--json"], 0);
    assert_eq!(all[0]["comment"], "was me");
    Ran::of(&mut sentinel.command(&["findings", "ack", "1"])).exits(1);
}

#[test]
fn a_journey_is_a_note_at_most() {
    let mut log = Vec::new();
    for day in (3..=10).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice"));
    }
    log.extend(failure(&ago(2 * DAY), "203.0.113.9", "alice"));
    log.extend(success(&ago(2 * DAY - 1), "203.0.113.9", "alice"));
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let found = json(&sentinel, &["findings", "--all", "--json"], 1);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(found[0]["severity"], "low", "she mistyped just before: {found:#}");
}

#[test]
fn one_try_each_on_the_same_accounts_is_one_campaign_that_keeps_its_number() {
    let line = |at: i64| {
        let user = ["user3", "user4", "user3", "user3", "user4"][usize::try_from(at % 5).unwrap()];
        failure(&ago(139 * 36 - at * 36), &format!("203.0.{}.{}", at % 100, at % 250 + 1), user)
    };
    let first: Vec<u8> = (0..100).flat_map(line).collect();
    let sentinel = Sentinel::default().file("mail.log", first);
    sentinel.run().exits(0);
    let campaigns = json(&sentinel, &["campaigns", "--json"], 0);
    assert_eq!(campaigns.as_array().unwrap().len(), 1, "{campaigns:#}");
    assert_eq!(campaigns[0]["kind"], "distributed");
    let number = campaigns[0]["campaign"].as_i64().unwrap().to_string();
    sentinel.append("mail.log", (100..139).flat_map(line).collect::<Vec<_>>());
    sentinel.run().exits(0);
    let campaign = json(&sentinel, &["campaigns", &number, "--json"], 0);
    assert_eq!((&campaign["failures"], &campaign["addresses"]), (&139.into(), &139.into()));
    assert_eq!(campaign["running"], true);
    let told = Ran::of(&mut sentinel.command(&["campaigns", &number])).exits(0).stdout;
    assert!(told.contains("about every 36 min; the next one "), "{told}");
    let account = Ran::of(&mut sentinel.command(&["account", "user3@example.org"])).exits(0).stdout;
    assert!(
        account.contains("distributed") && account.contains("Failed logins in 30 days: 84"),
        "{account}"
    );
    let why = Ran::of(&mut sentinel.command(&["why", "203.0.5.6"])).exits(0).stdout;
    assert!(why.contains("an attacker") && why.contains("campaign #"), "{why}");
    Ran::of(&mut sentinel.command(&["campaigns", "99"])).exits(1);
}

#[test]
fn a_spray_and_a_brute_force_get_their_own_kinds() {
    let mut log = Vec::new();
    for at in 0..200 {
        log.extend(failure(&ago(900 - at), "203.0.113.5", &format!("name{at}")));
        if at < 60 {
            log.extend(failure(&ago(900 - at), "192.0.2.9", "victim"));
        }
    }
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    let campaigns = json(&sentinel, &["campaigns", "--json"], 0);
    let kinds: Vec<_> = campaigns.as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["spray", "brute force"]);
}

#[test]
fn a_stolen_account_is_not_over_before_somebody_says_so() {
    away_from_midnight();
    let mut log = Vec::new();
    for day in (4..=12).rev() {
        log.extend(success(&ago(day * DAY), "198.18.7.5", "alice"));
    }
    for at in 0..40 {
        log.extend(failure(&ago(3 * DAY + 600 - at), "203.0.113.77", &format!("name{}", at % 8)));
    }
    log.extend(success(&ago(3 * DAY), "203.0.113.77", "alice"));
    log.extend(failure(&ago(DAY), "192.0.2.1", "x"));
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let report = |day: &str| {
        let words = ["--report", "--date", day, "-q", "--output", "-"];
        Ran::of(&mut sentinel.command(&words)).exits(0).stdout
    };
    let yesterday = report(ago(DAY).get(..10).unwrap());
    assert!(yesterday.contains("ACCOUNT alice PROBABLY STOLEN."), "{yesterday}");
    assert!(
        yesterday.contains("finding 1 of ") && yesterday.contains("was still open"),
        "{yesterday}"
    );
    let why = Ran::of(&mut sentinel.command(&["why", "203.0.113.77"])).exits(0).stdout;
    assert!(why.contains("Finding 1, with a login from 203.0.113.0/24: alice"), "{why}");
    // At midnight, five minutes ago would not be today.
    sentinel.append("mail.log", success(&ago(0), "198.18.7.5", "alice"));
    sentinel.run().exits(0);
    assert!(report("today").contains("is still open"), "{}", report("today"));
    Ran::of(&mut sentinel.command(&["findings", "ack", "#1"])).exits(0);
    let told = Ran::of(&mut sentinel.command(&["findings"])).exits(0).stdout;
    assert!(told.contains("Nothing is open"), "{told}");
    assert!(report("today").contains("NOBODY GOT IN."), "{}", report("today"));
}

#[test]
fn what_was_seen_to_hides_nothing_that_is_open() {
    away_from_midnight();
    let mut log = Vec::new();
    for (day, user) in [(12, "anna"), (11, "dora"), (10, "emil"), (9, "anna")] {
        log.extend(success(&ago(day * DAY), "198.18.7.5", user));
    }
    for (day, thief, user) in [(3, "203.0.113.77", "anna"), (0, "203.0.114.78", "dora")] {
        for at in 0..40 {
            log.extend(failure(&ago(day * DAY + 60 - at), thief, &format!("name{}", at % 8)));
        }
        log.extend(success(&ago(day * DAY), thief, user));
    }
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let found = json(&sentinel, &["findings", "--json"], 1);
    let high: Vec<_> = found.as_array().unwrap().iter().map(|it| &it["severity"]).collect();
    assert_eq!(high, ["high", "high"], "{found:#}");
    let report = ["--report", "--date", "today", "-q", "--output", "-"];
    let report = || {
        let told = Ran::of(&mut sentinel.command(&report)).exits(0).stdout;
        told.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let told = report();
    assert!(told.contains("ACCOUNT dora AND 1 MORE PROBABLY STOLEN."), "{told}");
    assert!(told.contains("To do: lock dora now"), "{told}");
    assert!(told.contains("And: finding 1 of ") && told.contains("Lock anna if"), "{told}");
    Ran::of(&mut sentinel.command(&["findings", "ack", "2"])).exits(0);
    let told = report();
    assert!(told.contains("To do: finding 1 of ") && told.contains("Lock anna if"), "{told}");
    assert!(!told.contains("nothing more"), "{told}");
    Ran::of(&mut sentinel.command(&["findings", "ack", "1"])).exits(0);
    assert!(report().contains("nothing more, somebody has seen to it"), "{}", report());
}

#[test]
fn of_a_day_of_which_nothing_was_read_the_report_tells_whom_to_ask() {
    let sentinel = Sentinel::default().file("mail.log", failure(&ago(DAY), "192.0.2.1", "x"));
    sentinel.run().exits(0);
    let report = ["--report", "--date", "2020-01-01", "-q", "--output", "-"];
    let told = Ran::of(&mut sentinel.command(&report)).exits(0).stdout;
    assert!(
        told.contains("CANNOT TELL") && told.contains("To do: `maillogsentinel doctor`"),
        "{told}"
    );
}

#[test]
fn where_few_fail_the_hours_of_a_day_are_compared_together() {
    let mut log = Vec::new();
    let now: usize = ago(0).get(11..13).unwrap().parse().unwrap();
    // Each day an hour later, and each time three: no hour has any on most days.
    for day in (1..=14_i64).rev() {
        for at in 0..3 {
            let hour = usize::try_from(day).unwrap() % (now + 1);
            let stamp = ago(day * DAY);
            let stamp = format!("{}T{hour:02}:1{at}:00+00:00", stamp.get(..10).unwrap());
            log.extend(failure(&stamp, "192.0.2.1", "x"));
        }
    }
    (0..3).for_each(|_| log.extend(failure(&ago(0), "192.0.2.1", "x")));
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    let report = ["--report", "--date", "today", "-q", "--output", "-"];
    let told = Ran::of(&mut sentinel.command(&report)).exits(0).stdout;
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!told.contains("there are none"), "{told}");
}

#[test]
fn an_account_that_was_stolen_twice_is_one_account() {
    let mut log = Vec::new();
    for (day, thief) in [(50, "203.0.113.77"), (3, "203.0.114.78")] {
        for before in (4..=12).rev() {
            log.extend(success(&ago((day + before) * DAY), "198.18.7.5", "alice"));
        }
        for at in 0..40 {
            log.extend(failure(&ago(day * DAY + 600 - at), thief, &format!("name{}", at % 8)));
        }
        log.extend(success(&ago(day * DAY), thief, "alice"));
    }
    let sentinel = Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    sentinel.run().exits(0);
    let findings = json(&sentinel, &["findings", "--json"], 1);
    assert_eq!(
        (&findings[0]["severity"], &findings[1]["severity"]),
        (&"high".into(), &"high".into())
    );
    let report = ["--report", "--date", "today", "-q", "--output", "-"];
    let told = Ran::of(&mut sentinel.command(&report)).exits(0).stdout;
    assert!(told.contains("\nACCOUNT alice PROBABLY STOLEN."), "{told}");
    assert!(told.contains("Lock alice if you have not"), "{told}");
}

#[test]
fn what_is_old_is_forgotten_or_names_nobody() {
    let mut log = failure(&ago(400 * DAY), "203.0.113.5", "forgotten");
    log.extend(failure(&ago(60 * DAY), "203.0.113.6", "hashed"));
    log.extend(failure(&ago(50 * DAY), "203.0.113.7", "hashed"));
    log.extend(success(&ago(40 * DAY), "203.0.113.9", "hashed@example.org"));
    log.extend(failure(&ago(60), "203.0.113.8", "fresh"));
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    assert_eq!(sentinel.ask_store("SELECT count(*) FROM failure"), "4", "nobody asked for it");
    let sentinel = sentinel.set("retention.keep_events=365").set("retention.pseudonymise_after=30");
    let report = ["--report", "--date", "today", "-q", "--output", "-"];
    Ran::of(&mut sentinel.command(&report)).exits(0);
    assert_eq!(sentinel.ask_store("SELECT count(*) FROM failure"), "3");
    let known = "SELECT count(*) FROM failure WHERE user IN ('hashed', 'forgotten')";
    assert_eq!(sentinel.ask_store(known), "0");
    let hashes = "SELECT count(DISTINCT user) || ' ' || count(*) FROM failure \
        WHERE user LIKE 'pseudonym-%' AND hex(address) = 'CB007100'";
    assert_eq!(sentinel.ask_store(hashes), "1 2", "the same name has the same hash");
    assert_eq!(sentinel.ask_store("SELECT user FROM failure ORDER BY id DESC"), "fresh");
    // Nowhere else either.
    let logins = "SELECT (account LIKE 'pseudonym-%') || ' ' || hex(address) FROM login";
    assert_eq!(sentinel.ask_store(logins), "1 CB007100");
    for (table, column) in
        [("aim", "name"), ("name_day", "name"), ("been", "name"), ("own", "name")]
    {
        let known =
            format!("SELECT count(*) FROM {table} WHERE {column} IN ('hashed', 'forgotten')");
        assert_eq!(sentinel.ask_store(&known), "0", "{table}");
    }
    // Nothing of it comes back, in the CSV neither.
    let rows = sentinel.rows();
    sentinel.run().exits(0);
    Ran::of(&mut sentinel.command(&report)).exits(0);
    assert_eq!(
        (sentinel.rows(), sentinel.ask_store("SELECT count(*) FROM failure")),
        (rows, "3".to_owned())
    );
}

#[test]
fn the_first_run_of_a_day_forgets_where_nobody_wants_reports() {
    away_from_midnight();
    let days = [400, 300, 200, 1];
    let log: Vec<_> =
        days.iter().flat_map(|day| failure(&ago(day * DAY), "203.0.113.5", "bob")).collect();
    let sentinel = Sentinel::default().file("mail.log", log);
    let left_by = |days: &str| {
        let set = format!("retention.keep_events={days}");
        Ran::of(&mut sentinel.command(&["--set", &set])).exits(0);
        sentinel.ask_store("SELECT count(*) FROM failure")
    };
    assert_eq!(left_by("365"), "3");
    // As if a day had gone by, of which this is not the first run, and then the first of the next.
    sentinel.ask_store("UPDATE failure SET time = time - 100 * 86400 RETURNING 1");
    assert_eq!(left_by("365"), "3");
    sentinel.ask_store("UPDATE forgotten SET what = 'yesterday' RETURNING 1");
    assert_eq!(left_by("365"), "2");
    // Who shortens it does not wait for the next day.
    assert_eq!(left_by("250"), "1");
}

#[test]
fn what_fails_after_all_was_forgotten_is_in_the_csv() {
    let sentinel = Sentinel::default()
        .file("mail.log", failure(&ago(400 * DAY), "203.0.113.5", "forgotten"))
        .set("retention.keep_events=365");
    let report = ["--report", "--date", "today", "-q", "--output", "-"];
    Ran::of(&mut sentinel.command(&report)).exits(0);
    sentinel.append("mail.log", failure(&ago(5), "203.0.113.6", "fresh"));
    sentinel.run().exits(0);
    assert_eq!(sentinel.who(), ["203.0.113.5 forgotten", "203.0.113.6 fresh"]);
}

#[test]
fn crowds_that_write_names_differently_are_two_campaigns() {
    let (mut log, mut minute) = (Vec::new(), 600);
    for (number, half) in (0..40).flat_map(|number| [(number, 18), (number, 19)]) {
        let domain = if half == 18 { "@example.org" } else { "" };
        let user = format!("person{number}of{half}{domain}");
        log.extend(failure(&ago(minute), &format!("198.{half}.{number}.1"), &user));
        minute -= 7;
    }
    let sentinel = Sentinel::default().file("mail.log", log);
    sentinel.run().exits(0);
    let campaigns = json(&sentinel, &["campaigns", "--all", "--json"], 0);
    let addresses: Vec<_> =
        campaigns.as_array().unwrap().iter().map(|it| it["addresses"].clone()).collect();
    assert_eq!(addresses, [40, 40]);
}

#[test]
fn logins_that_an_earlier_version_had_not_judged_are_judged_once() {
    // With few days of its own, a network's last login is noted each day.
    let sentinel = Sentinel::default()
        .file("mail.log", failure(&ago(5), "203.0.113.7", "bob"))
        .set("judge.own_days=1");
    fs::create_dir(sentinel.path("state")).unwrap();
    let store = rusqlite::Connection::open(sentinel.path("state/maillogsentinel.db")).unwrap();
    // Of three days with two logins each, the first was judged, and half of the second.
    store.execute_batch(include_str!("../../corpus/store-7.sql")).unwrap();
    drop(store);
    for _ in 0..2 {
        sentinel.run().exits(0);
        let days = "SELECT group_concat(day || ' ' || count || ' ' || position) FROM \
            (SELECT day, sum(count) AS count, min(position) AS position FROM logins GROUP BY day)";
        let expected = "2026-11-01 2 0,2026-11-02 2 266,2026-11-03 2 532";
        assert_eq!(sentinel.ask_store(days), expected);
        assert_eq!(
            sentinel.ask_store("SELECT first || ' ' || last FROM whereabouts"),
            "1793606400 1793696400"
        );
    }
}

#[test]
fn what_is_old_names_nobody_though_younger_lines_were_read_before() {
    // Of two logs, the one that is read first ends today.
    let first = failure(&ago(40 * DAY), "203.0.113.6", "one");
    let first = [first, failure(&ago(60), "203.0.113.8", "fresh")].concat();
    let second = failure(&ago(29 * DAY + 60), "203.0.113.7", "two");
    let second = [second, failure(&ago(28 * DAY + 60), "203.0.113.9", "three")].concat();
    let sentinel = Sentinel::default().file("mail.log", first).file("other.log", second);
    let logs =
        format!("{},{}", sentinel.path("mail.log").display(), sentinel.path("other.log").display());
    let sentinel = sentinel.set(format!("paths.mail_log={logs}"));
    let names_after = |days: &str| {
        let set = format!("retention.pseudonymise_after={days}");
        let report = ["--set", &set, "--report", "--date", "today", "-q", "--output", "-"];
        Ran::of(&mut sentinel.command(&report)).exits(0);
        let known = "SELECT group_concat(user) FROM failure WHERE user NOT LIKE 'pseudonym-%'";
        sentinel.ask_store(known)
    };
    sentinel.run().exits(0);
    assert_eq!(names_after("35"), "fresh,two,three");
    // A day later, so to speak.
    assert_eq!(names_after("29"), "fresh,three");
    assert_eq!(names_after("28"), "fresh");
}

#[test]
fn whom_somebody_has_to_see_to_is_not_forgotten() {
    let sentinel = Sentinel::default()
        .file("country.csv", COUNTRIES)
        .file("mail.log", guessed())
        .set("retention.keep_events=1");
    sentinel.run().exits(0);
    // As if it were long ago.
    sentinel.ask_store("UPDATE finding SET time = time - 864000 RETURNING 1");
    let report = ["--report", "--date", "today", "-q", "--output", "-"];
    Ran::of(&mut sentinel.command(&report)).exits(0);
    Ran::of(&mut sentinel.command(&["findings"])).exits(1);
    Ran::of(&mut sentinel.command(&["findings", "ack", "1"])).exits(0);
    Ran::of(&mut sentinel.command(&report)).exits(0);
    let all = |status| json(&sentinel, &["findings", "--all", "--json"], status);
    assert_eq!(all(0).as_array().unwrap().len(), 1, "it was closed today");
    sentinel.ask_store("UPDATE finding SET acknowledged = acknowledged - 864000 RETURNING 1");
    Ran::of(&mut sentinel.command(&report)).exits(0);
    assert_eq!(all(0), Value::Array(Vec::new()));
}
