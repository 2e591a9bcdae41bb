//! What is judged does not depend on when runs were, nor on where the store keeps what is recent.

use std::fs;

use jiff::{Timestamp, ToSpan};

use super::{COUNTRIES, DAY, ago, json, success};
use crate::sentinel::{Ran, Sentinel, failure};

/// Three days with attackers of all kinds, users, a forgotten device and a theft; 7,000 lines. Always the same ones:
/// which rows are recent at the end hangs on where days begin.
fn days() -> Vec<Vec<u8>> {
    let first: Timestamp = "2026-11-20T18:00:00Z".parse().unwrap();
    let mut lines = Vec::new();
    for minute in 0..3 * DAY {
        let stamp = (first + minute.minutes()).strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
        let name = format!("name{}", minute % 190);
        match minute % 4 {
            0 => lines.push(failure(&stamp, "203.0.113.5", &name)),
            1 => {
                let address = format!("192.{}.{}.7", minute % 97, minute % 89);
                let user = if minute % 8 == 1 { "user3" } else { "user4" };
                lines.push(failure(&stamp, &address, user));
            }
            2 => {
                let address = format!("198.{}.{}.9", 20 + minute % 70, minute % 251);
                lines.push(failure(&stamp, &address, &format!("person{minute}@example.org")));
            }
            _ => lines.push(failure(&stamp, "192.0.2.9", "victim")),
        }
        if minute % 3 == 0 {
            lines.push(failure(&stamp, &format!("203.0.113.3{}", minute % 7), "alice"));
        }
        if minute % 60 == 0 {
            lines.push(success(&stamp, "198.18.7.5", "alice"));
            lines.push(success(&stamp, &format!("198.18.7.{}", minute / 60 % 9), "bob"));
        }
        if minute % 30 == 0 {
            lines.push(failure(&stamp, "198.18.7.5", "alice"));
        }
        if minute > 3 * DAY - 60 {
            lines.push(success(&stamp, "203.0.113.33", "alice"));
        }
    }
    lines
}

/// What a campaign did to a name, and the logins of a day, wherever they are kept.
fn have_the_same_rows(one: &Sentinel, other: &Sentinel) {
    for rows in [
        "name || ' ' || failures || ' ' || sources || ' ' || first || ' ' || last AS it FROM aims",
        "account || day || ' ' || sum(count) || ' ' || min(first) || ' ' || max(last) AS it \
         FROM logins GROUP BY account, network, day, service",
    ] {
        let sql = format!("SELECT group_concat(it, x'0a') FROM (SELECT {rows} ORDER BY 1)");
        assert_eq!(one.ask_store(&sql), other.ask_store(&sql));
    }
}

#[test]
fn what_is_judged_hour_by_hour_is_what_is_judged_at_once() {
    let days = days();
    assert!(days.len() > 6_000, "a backlog: {}", days.len());
    let server =
        |log: Vec<u8>| Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    let (at_once, hourly) = (server(days.concat()), server(Vec::new()));
    at_once.run().exits(0);
    let (mut rest, mut number) = (&days[..], 0);
    while !rest.is_empty() {
        // What a run with many failures asks for is read ahead, and what few ask for is not.
        let size = if number % 2 == 0 { 200 } else { 1500 };
        let (part, more) = rest.split_at(size.min(rest.len()));
        rest = more;
        hourly.append("mail.log", part.concat());
        hourly.run().exits(0);
        if number % 5 == 3 {
            // As after hours of a large server: what is recent is put in its place next.
            assert_ne!(hourly.ask_store("SELECT recent FROM judgement"), "0");
            hourly.ask_store("UPDATE judgement SET recent = 10000 RETURNING 1");
        }
        number += 1;
    }
    for (recent, all, key) in [
        ("source_again", "source", "address"),
        ("aim_again", "aim", "name, campaign"),
        ("login_again", "login", "name, account, network, day, service"),
        ("campaign_again", "campaign", "id"),
        ("place_again", "place", "campaign, country, asn"),
    ] {
        let some = format!("SELECT count(*) > 0 FROM {recent} JOIN {all} USING ({key})");
        assert_eq!(hourly.ask_store(&some), "1", "a {all} is there twice");
        assert_eq!(at_once.ask_store(&some), "0");
    }
    have_the_same_rows(&hourly, &at_once);
    super::away_from_midnight();
    let questions: [(&[&str], i32); 5] = [
        (&["campaigns", "--all", "--json"], 0),
        (&["accounts", "--attacked", "--json"], 0),
        (&["account", "alice", "--json"], 0),
        (&["account", "user3", "--json"], 0),
        (&["findings", "--json"], 1),
    ];
    let anywhere = |it: &Sentinel, told: &str| told.replace(it.path("").to_str().unwrap(), "");
    for (question, status) in questions {
        let told = |it: &Sentinel| anywhere(it, &json(it, question, status).to_string());
        assert_eq!(told(&hourly), told(&at_once), "{question:?}");
    }
    for whom in ["203.0.113.5", "203.0.113.33", "alice", "user4"] {
        let why =
            |it: &Sentinel| anywhere(it, &Ran::of(&mut it.command(&["why", whom])).exits(0).stdout);
        assert_eq!(why(&hourly), why(&at_once));
    }
    let found = json(&hourly, &["findings", "--json"], 1);
    assert_eq!(found[0]["severity"], "high", "so many are no device abroad: {found:#}");
    let campaigns = json(&hourly, &["campaigns", "--all", "--json"], 0);
    assert!(campaigns.as_array().unwrap().len() >= 3, "{campaigns:#}");
    for campaign in campaigns.as_array().unwrap() {
        let question = ["campaigns", &campaign["campaign"].to_string(), "--json"];
        assert_eq!(json(&hourly, &question, 0), json(&at_once, &question, 0));
    }
    // What is told of a day, too.
    let told = |it: &Sentinel| {
        let report = ["--report", "--date", "2026-11-22", "-q", "--output", "-"];
        Ran::of(&mut it.command(&report)).exits(0);
        it.ask_store("SELECT document FROM told")
    };
    let meaning = told(&hourly);
    assert!(meaning.contains("campaigns"), "{meaning}");
    assert_eq!(meaning, told(&at_once));
}

#[test]
fn logins_of_a_day_that_are_read_together_are_not_at_once() {
    // An account that is new here: from home in the morning and at night, from abroad in between.
    let lines = [
        success("2026-11-20T08:00:00+00:00", "198.18.7.5", "bob"),
        success("2026-11-21T03:00:00+00:00", "198.18.7.5", "alice"),
        success("2026-11-21T09:00:00+00:00", "203.0.113.33", "alice"),
        success("2026-11-21T22:00:00+00:00", "198.18.7.5", "alice"),
    ];
    let server =
        |log: Vec<u8>| Sentinel::default().file("country.csv", COUNTRIES).file("mail.log", log);
    let (at_once, one_by_one) = (server(lines.concat()), server(Vec::new()));
    at_once.run().exits(0);
    for line in lines {
        one_by_one.append("mail.log", line);
        one_by_one.run().exits(0);
    }
    let signs = "SELECT ifnull(group_concat(kind), 'none') FROM sign";
    assert_eq!(at_once.ask_store(signs), "none", "six hours lie between");
    assert_eq!(one_by_one.ask_store(signs), "none");
}

#[test]
fn what_schema_11_kept_apart_is_kept() {
    let sentinel = Sentinel::default().file("mail.log", failure(&ago(9), "192.0.2.9", "zoe"));
    fs::create_dir(sentinel.path("state")).unwrap();
    let store = rusqlite::Connection::open(sentinel.path("state/maillogsentinel.db")).unwrap();
    for version in 1..=11 {
        let path = format!("{}/src/store/schema/{version}.sql", env!("CARGO_MANIFEST_DIR"));
        store.execute_batch(&fs::read_to_string(path).unwrap()).unwrap();
    }
    // Some rows of aims and logins are in their places, some wait, and some are in both.
    store
        .execute_batch(
            "PRAGMA application_id = 1296847726; PRAGMA user_version = 11;
             INSERT INTO aim VALUES (0, 'admin', 77, 100, 200, 6, 1), (1, 'admin', 77, 100, 300, 11, 1),
                 (1, 'root', 77, 300, 300, 1, 1);
             INSERT INTO login VALUES
                 (0, 'alice', 'alice', '198.18.7.0/24', '2026-11-02', '', 1, 90, 90, x'C6120705', 1, 133),
                 (0, 'alice', 'alice', '198.18.7.0/24', '2026-11-03', '', 2, 110, 120, x'C6120705', 1, 266),
                 (1, 'alice', 'alice', '198.18.7.0/24', '2026-11-03', '', 1, 130, 130, x'C6120705', 1, 2307),
                 (1, 'bob', 'bob', '198.18.8.0/24', '2026-11-04', '', 1, 150, 150, x'C6120805', 1, 2440);",
        )
        .unwrap();
    drop(store);
    let check = || {
        sentinel.run().exits(0);
        let aims = "SELECT group_concat(it) FROM (SELECT name || ' ' || failures || ' ' || sources AS it \
            FROM aims WHERE name <> 'zoe' ORDER BY 1)";
        assert_eq!(sentinel.ask_store(aims), "admin 11 1,root 1 1");
        let logins = "SELECT group_concat(it) FROM (SELECT account || ' ' || day || ' ' || sum(count) \
            || ' ' || min(position) AS it FROM logins GROUP BY account, day ORDER BY 1)";
        assert_eq!(
            sentinel.ask_store(logins),
            "alice 2026-11-02 1 133,alice 2026-11-03 3 266,bob 2026-11-04 1 2440"
        );
    };
    check();
    // Then all is put in its place.
    sentinel.ask_store("UPDATE judgement SET recent = 10000 RETURNING 1");
    sentinel.append("mail.log", failure(&ago(5), "192.0.2.9", "zoe"));
    check();
    assert_eq!(sentinel.ask_store("SELECT count(*) FROM login_again"), "0");
    assert_eq!(
        sentinel.ask_store("SELECT group_concat(failures) FROM aim WHERE name = 'admin'"),
        "11"
    );
}
