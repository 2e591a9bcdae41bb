//! `ipinfo`: looks addresses up in the local databases, and downloads these from a real HTTP server.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::http::{Server, response};
use crate::sentinel::{Ran, Sentinel};

fn sentinel() -> Sentinel {
    Sentinel::default()
        .file("country.csv", "8.8.8.0,8.8.8.255,US\n2001:db8::,2001:db8::ffff,FR\n")
        .file("asn.csv", "8.8.8.0,8.8.8.255,15169,\"Google\u{1b}[31m LLC\"\n")
}

fn ipinfo(sentinel: &Sentinel, arguments: &[&str]) -> Ran {
    Ran::of(sentinel.command(&["ipinfo"]).args(arguments).stdin(Stdio::null()))
}

#[test]
fn a_table_tells_what_is_known_and_how_old_that_is() {
    let sentinel = sentinel();
    let ran = ipinfo(&sentinel, &["8.8.8.8", "::ffff:8.8.4.4", "10.1.2.3", "[2001:db8::1]"]);
    let ran = ran.exits(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "Address         Country  Network       Organisation",
            "8.8.8.8         US       AS15169       Google\\x1b[31m LLC",
            "8.8.4.4         -        -             -",
            "10.1.2.3        -        -             private (RFC 1918)",
            "2001:db8::1     FR       -             for documentation (RFC 5737, RFC 3849, RFC 9637)",
        ]
    );
    ran.prints("2 ranges, from today");
}

#[test]
fn what_is_no_address_is_told_and_the_others_are_looked_up() {
    let ran = ipinfo(&sentinel(), &["8.8.8", "\u{1b}[2J", "8.8.8.8"]).exits(1);
    let ran = ran.says("`8.8.8` is not an IP address").says("`\\x1b[2J` is not an IP address");
    ran.prints("8.8.8.8");
}

#[test]
fn json_has_the_documented_shape() {
    let ran = ipinfo(&sentinel(), &["--json", "8.8.8.8", "127.0.0.1"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["addresses"][0]["address"], "8.8.8.8");
    assert_eq!(json["addresses"][0]["country"], "US");
    assert_eq!(json["addresses"][0]["asn"], 15169);
    assert_eq!(json["addresses"][0]["special"], serde_json::Value::Null);
    assert_eq!(json["addresses"][1]["country"], serde_json::Value::Null);
    assert_eq!(json["addresses"][1]["special"], "loopback (RFC 1122)");
    assert_eq!(json["databases"][0]["tells"], "countries");
    assert_eq!(json["databases"][1]["ranges"], 1);
    assert_eq!(json["databases"][1]["age_days"], 0);
    // Nothing asked is still an object.
    let ran = ipinfo(&sentinel(), &["--json"]).exits(0);
    assert!(serde_json::from_str::<serde_json::Value>(&ran.stdout).is_ok(), "{}", ran.stdout);
}

#[test]
fn addresses_come_from_standard_input_too() {
    let sentinel = sentinel();
    let mut command = sentinel.command(&["ipinfo", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let mut input = run.stdin.take().unwrap();
    input.write_all(b"8.8.8.8\n\nnonsense\n  2001:db8::1  \n").unwrap();
    input.write_all(&vec![b'1'; 1 << 20]).unwrap();
    input.write_all(b"\n8.8.8.9").unwrap();
    drop(input);
    let output = run.wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stdout.matches("AS15169").count(), 2, "{stdout}");
    assert!(stdout.contains("FR"), "{stdout}");
    assert!(stderr.contains("standard input:3: `nonsense`"), "{stderr}");
    assert!(stderr.contains("standard input:5: `1111") && stderr.len() < 1000, "{stderr}");
}

#[test]
fn a_database_that_is_not_there_is_an_error_with_its_cure() {
    let sentinel = sentinel();
    fs::remove_file(sentinel.path("asn.csv")).unwrap();
    let ran = ipinfo(&sentinel, &["8.8.8.8"]).exits(1);
    ran.prints("US").says("asn.csv does not exist").says("maillogsentinel ipinfo --update");
}

#[test]
fn an_update_downloads_what_changed_and_keeps_the_old_on_any_error() {
    let server = Server::new(|request, stream| {
        let (body, tag) = match request.target.as_str() {
            "/country" => ("8.8.8.0,8.8.8.255,CH\n", "ETag: \"1\""),
            "/asn" => ("8.8.8.0,8.8.8.255,64496,New\n", "ETag: \"2\""),
            _ => ("<html>gone</html>", "X: y"),
        };
        let known = tag.ends_with(request.header("if-none-match"));
        let known = known && !request.header("if-none-match").is_empty();
        let (status, body) = if known { ("304 Not Modified", "") } else { ("200 OK", body) };
        let answer = response(status, &[tag], body.as_bytes());
        let _ = stream.write_all(&answer);
    });
    let sentinel = sentinel()
        .file("country.csv", "8.8.8.0,8.8.8.255,US\n")
        .set(format!("geolocation.country_db_url={}", server.url("/country")))
        .set(format!("ASN_ASO.asn_db_url={}", server.url("/asn")));
    let ran = ipinfo(&sentinel, &["--update"]).exits(0);
    ran.prints("country.csv: updated, 1 ranges").prints("asn.csv: updated");
    let ran = ipinfo(&sentinel, &["8.8.8.8"]).exits(0).prints("CH").prints("AS64496");
    ran.prints(&server.url("/asn"));
    let ran = ipinfo(&sentinel, &["--update"]).exits(0);
    ran.prints("country.csv: up to date").prints("asn.csv: up to date");

    let sentinel = sentinel.set(format!("ASN_ASO.asn_db_url={}", server.url("/moved")));
    let old = fs::read(sentinel.path("asn.csv")).unwrap();
    let ran = ipinfo(&sentinel, &["--update"]).exits(1).prints("country.csv: up to date");
    ran.says("asn.csv").says("the file in use stays");
    assert_eq!(fs::read(sentinel.path("asn.csv")).unwrap(), old);
    let before = server.requests().len();
    sentinel
        .write("mail.log", crate::sentinel::failure("2026-11-20T10:00:00+00:00", "8.8.8.8", "bob"));
    sentinel.run().exits(0);
    assert_eq!(server.requests().len(), before, "a plain run downloads nothing");
}

#[test]
fn an_update_replaces_databases_only() {
    let server = Server::fixed(response("200 OK", &[], b"8.8.8.0,8.8.8.255,CH\n"));
    let sentinel = sentinel()
        .file("asn.csv", "root:x:0:0:root:/root:/bin/sh\n")
        .set(format!("ASN_ASO.asn_db_url={}", server.url("/asn")));
    let ran = ipinfo(&sentinel, &["--update"]).exits(1);
    // Nothing says where the one comes from; the other is no database.
    let ran = ran.says("country.csv was not downloaded by this program").says("country_db_url");
    ran.says("asn.csv").says("it is not replaced");
    assert_eq!(server.requests().len(), 0);
    let log = fs::read_to_string(sentinel.path("operational.log")).unwrap();
    assert!(log.contains("ERROR") && log.contains("it is not replaced"), "{log}");
}

#[test]
fn the_version_thanks_for_the_data() {
    let sentinel = sentinel();
    let ran = Ran::of(&mut sentinel.command(&["--version"])).exits(0);
    assert_eq!(ran.stdout, format!("maillogsentinel {}\n", env!("CARGO_PKG_VERSION")));
    let ran = Ran::of(&mut sentinel.command(&["--version", "-v"])).exits(0);
    ran.prints("sapics/ip-location-db").prints("CC BY 4.0");
}
