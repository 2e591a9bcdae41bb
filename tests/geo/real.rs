//! Real databases, each form of them, against a search that is too plain to be wrong.
//!
//! `tests/geo-data` fetches the files; `tests/run` runs it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use maillogsentinel::enrich::geo::{Databases, Format, Kind, check};

use crate::folder::{Folder, warnings};

fn data(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("MAILLOGSENTINEL_TEST_DATA");
    let folder = root.join(folder.unwrap_or_else(|| "target/ip-location-db".into()));
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run tests/geo-data", path.display());
    path
}

/// A line of a CSV file, read by the `csv` crate.
struct Line {
    start: u128,
    end: u128,
    says: Vec<u8>,
}

/// An address, or a decimal number, as a number.
fn number(text: &str) -> u128 {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.to_bits().into(),
        Ok(IpAddr::V6(address)) => address.to_bits(),
        Err(_) => text.parse().unwrap(),
    }
}

fn lines(path: &Path) -> Vec<Line> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    let lines: Vec<_> = reader
        .byte_records()
        .map(|record| {
            let record = record.unwrap();
            let field = |at: usize| std::str::from_utf8(&record[at]).unwrap();
            let says = record.iter().skip(2).collect::<Vec<_>>().join(&b' ');
            Line { start: number(field(0)), end: number(field(1)), says }
        })
        .collect();
    let ordered = |pair: &[Line]| pair[0].start < pair[1].start && pair[0].end < pair[1].end;
    assert!(
        lines.windows(2).all(ordered),
        "the first line that ends late enough is the first match"
    );
    lines
}

/// Addresses all over the family, others near ranges, and both edges of a sample of the ranges, with
/// their neighbours.
fn addresses(lines: &[Line], bits: u32) -> Vec<u128> {
    let mut random = fastrand::Rng::with_seed(1);
    let last = u128::MAX >> (128 - bits);
    let mut addresses: Vec<u128> = (0..50_000).map(|_| random.u128(..) & last).collect();
    for _ in 0..50_000 {
        let line = &lines[random.usize(..lines.len())];
        let width = line.end - line.start;
        addresses
            .push(line.start.saturating_add(random.u128(..=width.saturating_mul(2))).min(last));
    }
    for line in lines.iter().step_by(7) {
        for edge in [line.start, line.end] {
            addresses.extend([edge.saturating_sub(1), edge, edge.saturating_add(1).min(last)]);
        }
    }
    addresses.extend([0, last]);
    addresses.sort_unstable();
    addresses
}

fn address(number: u128, bits: u32) -> IpAddr {
    match bits {
        32 => Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into(),
        _ => Ipv6Addr::from_bits(number).into(),
    }
}

/// Walks through lines and addresses side by side, both in order.
fn compare(databases: &mut Databases, kind: Kind, lines: &[Line], bits: u32) {
    let mut at = 0;
    for number in addresses(lines, bits) {
        while at < lines.len() && lines[at].end < number {
            at += 1;
        }
        let line = lines.get(at).filter(|line| line.start <= number);
        let expected = line.map(|line| line.says.clone()).filter(|says| says != b"ZZ");
        let address = address(number, bits);
        if address != address.to_canonical() {
            continue;
        }
        let (country, network) = databases.look_up(address);
        let found = match kind {
            Kind::Countries => country.map(|it| it.code().as_bytes().to_vec()),
            Kind::Networks => network.map(|it| {
                [it.number.to_string().as_bytes(), it.organisation.as_bytes()].join(&b' ')
            }),
        };
        assert_eq!(found, expected, "{address}");
    }
}

fn every_form(kind: Kind, name: &str) {
    let folder = Folder::new();
    for (family, bits) in [("ipv4", 32), ("ipv6", 128)] {
        let plain = lines(&data(&format!("{name}-{family}.csv")));
        for form in ["", "-num"] {
            let path = data(&format!("{name}-{family}{form}.csv"));
            assert_eq!(check(&path, kind).unwrap().ranges, plain.len() as u64);
            // The first parses, the second opens what the first compiled.
            for _ in 0..2 {
                let (countries, networks) = match kind {
                    Kind::Countries => (vec![path.clone()], vec![]),
                    Kind::Networks => (vec![], vec![path.clone()]),
                };
                let mut databases = Databases::new(countries, networks, Some(folder.cache()));
                compare(&mut databases, kind, &plain, bits);
                // The release of networks has one: 215.0.0.0 to 215.0.255.255 are announced twice.
                let overlap = |told: &String| told.contains(":399116: the range overlaps");
                assert!(warnings(&mut databases).iter().all(overlap));
            }
        }
    }
    assert_eq!(fs::read_dir(folder.cache()).unwrap().count(), 4, "each form was compiled");
}

#[test]
fn countries_are_found_as_a_plain_search_finds_them() {
    every_form(Kind::Countries, "asn-country");
}

#[test]
fn networks_are_found_as_a_plain_search_finds_them() {
    every_form(Kind::Networks, "asn");
}

#[test]
fn an_mmdb_says_what_the_csv_of_the_same_release_says() {
    for (family, bits) in [("ipv4", 32), ("ipv6", 128)] {
        let plain = lines(&data(&format!("dbip-country-{family}.csv")));
        for name in [format!("dbip-country-{family}.mmdb"), "dbip-country.mmdb".to_owned()] {
            let path = data(&name);
            let checked = check(&path, Kind::Countries).unwrap();
            assert!(matches!(checked.format, Format::Mmdb(_)), "{checked:?}");
            let mut databases = Databases::new(vec![path], vec![], None);
            compare(&mut databases, Kind::Countries, &plain, bits);
            assert_eq!(warnings(&mut databases), [""; 0]);
        }
    }
}
