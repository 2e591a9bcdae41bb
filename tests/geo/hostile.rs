//! Lines made of the format's own tokens, and compiled forms with flipped bits.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use maillogsentinel::enrich::geo::{Databases, Kind, check};

use crate::folder::Folder;

const TOKENS: [&[u8]; 24] = [
    b",",
    b"\"",
    b"\n",
    b"\r\n",
    b" ",
    b"1.2.3.4",
    b"1.2.3.9",
    b"255.255.255.255",
    b"::",
    b"::1",
    b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    b"0",
    b"16909060",
    b"16909065",
    b"4294967296",
    b"340282366920938463463374607431768211455",
    b"FR",
    b"DE",
    b"ZZ",
    b"AS7",
    b"64496",
    b"-",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
];

#[test]
fn no_sequence_of_tokens_is_a_panic() {
    let folder = Folder::new();
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..2000 {
        let tokens = random.usize(1..200);
        let content: Vec<u8> =
            (0..tokens).flat_map(|_| TOKENS[random.usize(..24)].to_vec()).collect();
        let path = folder.file("x.csv", &content);
        let checked = [Kind::Countries, Kind::Networks].map(|kind| check(&path, kind).is_ok());
        let cache = (round % 2 == 0).then(|| folder.cache());
        let mut databases = Databases::new(vec![path.clone()], vec![path], cache);
        for address in ["1.2.3.4", "::1", "255.255.255.255", "0.0.0.0", "::"] {
            databases.look_up(address.parse().unwrap());
        }
        let about = databases.describe();
        assert_eq!([about[0].error.is_none(), about[1].error.is_none()], checked);
    }
}

/// Ranges of tokens that are all good, against a search through the lines from the top.
#[test]
fn ranges_in_any_order_are_found_as_a_plain_search_finds_them() {
    let folder = Folder::new();
    let mut random = fastrand::Rng::with_seed(6);
    for _ in 0..300 {
        let rows: Vec<(u32, u32, u32)> = (0..random.u32(1..40))
            .map(|at| {
                let (a, b) = (random.u32(..200), random.u32(..200));
                (a.min(b), a.max(b), at % 5 + 1)
            })
            .collect();
        let text: String = rows.iter().map(|(a, b, c)| format!("{a},{b},{c},org {c}\n")).collect();
        let mut databases = Databases::new(vec![], vec![folder.file("x.csv", text)], None);
        for address in 0..210 {
            let (_, found) = databases.look_up(IpAddr::V4(Ipv4Addr::from_bits(address)));
            let expected = rows.iter().find(|row| (row.0..=row.1).contains(&address));
            assert_eq!(found.map(|it| it.number), expected.map(|row| row.2), "{address} {rows:?}");
        }
    }
}

#[test]
fn a_damaged_compiled_form_is_made_anew() {
    let folder = Folder::new();
    let rows: String = (0..40)
        .map(|at| {
            format!("10.0.0.{at},10.0.0.{at},{},org {at}\n2001:db8:{at}::/48,{at},six\n", at + 1)
        })
        .collect();
    let path = folder.file("asn.csv", rows);
    let answers = || {
        let mut databases = Databases::new(vec![], vec![path.clone()], Some(folder.cache()));
        let four = (0..42).map(|at| IpAddr::from([10, 0, 0, at]));
        let six = (0..42).map(|at| IpAddr::from([0x2001, 0xdb8, at, 0, 0, 0, 0, 1]));
        let answers: Vec<_> = four.chain(six).map(|address| databases.look_up(address).1).collect();
        assert_eq!(databases.warnings(), []);
        answers
    };
    let expected = answers();
    let whole = fs::read(folder.compiled()).unwrap();
    let mut random = fastrand::Rng::with_seed(4);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        match at % 4 {
            0 => damaged.truncate(at),
            1 => damaged.extend(&whole[at..]),
            _ => damaged[at] ^= 1 << random.u8(0..8),
        }
        fs::write(folder.compiled(), damaged).unwrap();
        assert_eq!(answers(), expected, "byte {at}");
        assert_eq!(fs::read(folder.compiled()).unwrap(), whole, "it was repaired");
    }
}

#[test]
fn no_file_takes_more_time_than_its_size_explains() {
    let folder = Folder::new();
    let nested: String =
        (0..60_000).map(|at| format!("{at},{},{},x\n", 4_000_000 - at, at + 1)).collect();
    let reversed: String = (0..60_000).rev().map(|at| format!("{at},{},7,x\n", at + 50)).collect();
    let quotes = "\"".repeat(500_000) + "\n" + &"\"\",".repeat(1300).repeat(100);
    let files = [nested, reversed, quotes, "\n".repeat(500_000), ",".repeat(500_000)];
    for (at, content) in files.iter().enumerate() {
        let path = folder.file("x.csv", content);
        let start = Instant::now();
        let _ = check(&path, Kind::Networks);
        assert!(start.elapsed().as_secs() < 20, "file {at} took {:?}", start.elapsed());
    }
}
