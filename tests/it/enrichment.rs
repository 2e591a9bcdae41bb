//! Who is behind an address: names from a real dnsmasq, countries and networks from files, and what
//! a run does when one of them is dead, slow, broken or not there.

use crate::dnsmasq::Dnsmasq;
use crate::sentinel::{Sentinel, failure};

const STAMP: &str = "2026-11-20T10:00:00+00:00";

/// A log with one failure of each of `addresses`.
fn log(addresses: &[&str]) -> Vec<u8> {
    addresses.iter().flat_map(|address| failure(STAMP, address, "bob")).collect()
}

/// Asks `server`, which answers for documentation addresses as an administrator's own may.
fn asking(server: &Dnsmasq) -> Sentinel {
    Sentinel::default()
        .set("dns.enabled=true")
        .set(format!("dns.nameservers={}", server.address))
        // A question is asked again after half of it, and the questions are counted.
        .set("dns.timeout_ms=20000")
}

/// A server that knows 203.0.113.1 to .9 by name, and nothing else of that network.
fn knowing() -> Dnsmasq {
    let records: Vec<_> =
        (1..10).map(|at| format!("--host-record=h{at}.example.net,203.0.113.{at}")).collect();
    let mut options: Vec<_> = records.iter().map(String::as_str).collect();
    options.push("--local=/113.0.203.in-addr.arpa/");
    options.push("--txt-record=8.100.51.198.in-addr.arpa,no name here");
    options.push("--local=/100.51.198.in-addr.arpa/");
    options.push("--ptr-record=66.100.51.198.in-addr.arpa,=cmd|calc!.example");
    Dnsmasq::start(&options)
}

/// Address, host name, status, country, number and organisation of each row.
fn origins(sentinel: &Sentinel) -> Vec<String> {
    let rows = sentinel.rows();
    rows.lines().map(|row| row.split(';').skip(2).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn each_outcome_of_reverse_dns_has_its_number() {
    let server = knowing();
    let addresses = ["203.0.113.7", "203.0.113.77", "198.51.100.8", "192.0.2.1", "2001:db8::1"];
    let sentinel = asking(&server).file("mail.log", log(&addresses));
    sentinel.run().exits(0);
    assert_eq!(
        origins(&sentinel),
        [
            "203.0.113.7 bob h7.example.net OK N/A N/A N/A",
            "203.0.113.77 bob null Errno 1 N/A N/A N/A",
            "198.51.100.8 bob null Errno 4 N/A N/A N/A",
            // dnsmasq has nobody to ask, and says REFUSED.
            "192.0.2.1 bob null Errno 3 N/A N/A N/A",
            "2001:db8::1 bob null Errno 3 N/A N/A N/A",
        ]
    );
}

#[test]
fn nobody_is_asked_twice_while_an_answer_may_be_believed() {
    let server = knowing();
    let sentinel = asking(&server).file("mail.log", log(&["203.0.113.7", "203.0.113.77"]));
    sentinel.run().exits(0);
    assert_eq!(server.queries().len(), 2);
    sentinel.append("mail.log", log(&["203.0.113.7", "203.0.113.77", "203.0.113.8"]));
    sentinel.run().exits(0);
    assert_eq!(server.queries().len(), 3, "only about 203.0.113.8");
    let rows = origins(&sentinel);
    assert_eq!((&rows[0], &rows[1]), (&rows[2], &rows[3]), "from the cache as from the server");
    let sentinel = sentinel.set("dns_cache.ttl_seconds=0");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    sentinel.append("mail.log", log(&["203.0.113.7", "203.0.113.7"]));
    sentinel.run().exits(0);
    assert_eq!(server.queries().len(), 4, "again, but once in a run");
    let sentinel = sentinel.set("dns.enabled=false");
    sentinel.append("mail.log", log(&["203.0.113.9"]));
    sentinel.run().exits(0);
    assert_eq!(server.queries().len(), 4, "nobody");
    assert_eq!(origins(&sentinel).last().unwrap(), "203.0.113.9 bob null Errno 4 N/A N/A N/A");
}

#[test]
fn what_nobody_answered_in_time_is_asked_later_for_rows_to_come() {
    let addresses: Vec<_> = (0..12).map(|at| format!("203.0.113.{at}")).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    // Bound and never read from.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let sentinel = Sentinel::default()
        .set("dns.enabled=true")
        .set("dns.timeout_ms=300")
        .set(format!("dns.nameservers={}", silent.local_addr().unwrap()))
        // So many questions without an answer make a server look dead.
        .set("dns.concurrency=8")
        .file("mail.log", log(&addresses));
    sentinel.run().exits(0).says("no name server answered in time about 12 of 12 addresses");
    let before = origins(&sentinel);
    assert!(before.iter().all(|row| row.contains("null Errno 2")), "{before:?}");

    let server = knowing();
    let sentinel =
        sentinel.set("dns.timeout_ms=20000").set(format!("dns.nameservers={}", server.address));
    sentinel.append("mail.log", log(&["203.0.113.99"]));
    sentinel.run().exits(0);
    assert_eq!(server.queries().len(), 13, "also about the twelve");
    sentinel.append("mail.log", log(&["203.0.113.1"]));
    sentinel.run().exits(0);
    assert_eq!(server.queries().len(), 13, "which are known now");
    let after = origins(&sentinel);
    assert_eq!(after[..12], before, "what is recorded stays");
    assert_eq!(after[13], "203.0.113.1 bob h1.example.net OK N/A N/A N/A");
}

#[test]
fn a_run_waits_no_longer_for_names_than_it_may() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addresses: Vec<_> = (0..2000).map(|n| format!("203.0.{}.{}", n >> 8, n & 255)).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let sentinel = Sentinel::default()
        .set("dns.enabled=true")
        .set("dns.budget_seconds=1")
        .set("dns.timeout_ms=60000")
        .set(format!("dns.nameservers={}", silent.local_addr().unwrap()))
        .file("mail.log", log(&addresses));
    let started = std::time::Instant::now();
    sentinel.run().exits(0).says("about 2000 of 2000 addresses");
    assert!(started.elapsed().as_secs() < 20, "not the minute that one answer may take");
    assert_eq!(sentinel.rows().matches(";null;Errno 2;").count(), 2000);
}

#[test]
fn a_signal_ends_the_waiting_and_the_next_run_records_all() {
    use rustix::process::{Pid, Signal, kill_process};
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let sentinel = Sentinel::default()
        .set("dns.enabled=true")
        .set("dns.timeout_ms=60000")
        .set(format!("dns.nameservers={}", silent.local_addr().unwrap()))
        .file("mail.log", log(&["203.0.113.1"]));
    let mut run = sentinel.command(&[]).stderr(std::process::Stdio::null()).spawn().unwrap();
    // Its question shows that it waits.
    silent.recv(&mut [0; 512]).unwrap();
    let asked = std::time::Instant::now();
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    assert!(!run.wait().unwrap().success());
    assert!(asked.elapsed().as_secs() < 10, "not the minute that the answer may take");
    let sentinel = sentinel.set("dns.enabled=false");
    sentinel.run().exits(0);
    assert_eq!(sentinel.rows().lines().count(), 1);
}

#[test]
fn a_name_is_hostile_too() {
    let server = knowing();
    let sentinel = asking(&server).file("mail.log", log(&["198.51.100.66"]));
    sentinel.run().exits(0);
    assert_eq!(origins(&sentinel), ["198.51.100.66 bob =cmd|calc!.example OK N/A N/A N/A"]);
}

#[test]
fn countries_and_networks_come_from_the_files_that_are_configured() {
    let sentinel = Sentinel::default()
        .file("four.csv", "203.0.113.0,203.0.113.255,DE\n")
        .file("six.csv", "2001:db8::,2001:db8::ffff,FR\n")
        .file("asn.csv", "203.0.113.0,203.0.113.127,64496,\"Semi; colon, \"\"Inc\"\"\"\n");
    let paths = ["four.csv", "six.csv"].map(|name| sentinel.path(name).display().to_string());
    let sentinel = sentinel
        .set(format!("geolocation.country_db_path={}", paths.join(", ")))
        .file("mail.log", log(&["203.0.113.7", "203.0.113.200", "2001:db8::7", "192.0.2.1"]));
    sentinel.run().exits(0);
    assert_eq!(
        sentinel
            .rows()
            .lines()
            .map(|row| row.split_once("Errno 4;").unwrap().1)
            .collect::<Vec<_>>(),
        ["DE;64496;\"Semi; colon, \"\"Inc\"\"\"", "DE;N/A;N/A", "FR;N/A;N/A", "N/A;N/A;N/A"]
    );
}

#[test]
fn a_broken_database_is_told_with_its_line_and_the_run_goes_on() {
    let sentinel = Sentinel::default()
        .file("country.csv", "203.0.113.0,203.0.113.255,DE\n198.51.100.0,198.51.100.2")
        .file("asn.csv", "<html>404 Not Found</html>\n")
        .file("mail.log", log(&["203.0.113.7", "198.51.100.1"]));
    let ran = sentinel.run().exits(0).says("country.csv:2");
    ran.says("asn.csv").prints("2 failed logins recorded");
    let origins = origins(&sentinel);
    assert_eq!(origins[0], "203.0.113.7 bob null Errno 4 DE N/A N/A");
    assert_eq!(origins[1], "198.51.100.1 bob null Errno 4 N/A N/A N/A");
}

#[test]
fn databases_are_opened_only_for_a_new_address() {
    let sentinel = Sentinel::default().file("mail.log", log(&["203.0.113.7"]));
    sentinel.run().exits(0);
    std::fs::remove_file(sentinel.path("country.csv")).unwrap();
    let ran = sentinel.run().exits(0);
    assert!(!ran.stderr.contains("WARNING"), "{}", ran.stderr);
    sentinel.append("mail.log", log(&["203.0.113.8"]));
    sentinel.run().exits(0).says("country.csv does not exist").says("ipinfo --update");
}

#[test]
fn a_store_of_the_first_version_is_brought_up_to_date() {
    let sentinel = Sentinel::default().file("mail.log", log(&["203.0.113.7"]));
    std::fs::create_dir(sentinel.path("state")).unwrap();
    let first = include_str!("../corpus/store-1.sql");
    let store = rusqlite::Connection::open(sentinel.path("state/maillogsentinel.db")).unwrap();
    store.execute_batch(first).unwrap();
    drop(store);
    sentinel.run().exits(0);
    assert_eq!(sentinel.rows().lines().count(), 2, "the row that the store had and the new one");
    assert!(sentinel.rows().contains("198.51.100.9;ann;null;Errno 4;N/A;N/A;N/A"));
}
