//! Each publisher's layout of MMDB, written here, and damaged ones.
//!
//! The writer follows <https://maxmind.github.io/MaxMind-DB/>: a tree of IPv6 with 32 bits for each
//! record, a section of data, the metadata.

use std::collections::BTreeMap;
use std::net::IpAddr;

use maillogsentinel::enrich::geo::{Databases, Format, Kind, check};

use crate::folder::{Folder, country, network, warnings};

enum Field {
    Text(&'static str),
    Short(u16),
    Number(u32),
    Long(u64),
    Map(Vec<(&'static str, Field)>),
}
use Field::{Long, Map, Number, Short, Text};

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let more = size.checked_sub(29).map(|more| u8::try_from(more).unwrap());
    let size = u8::try_from(size.min(29)).unwrap();
    match kind {
        1..=7 => out.push(kind << 5 | size),
        _ => out.extend([size, kind - 7]),
    }
    out.extend(more);
}

fn write(field: &Field, out: &mut Vec<u8>) {
    match field {
        Text(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Short(number) => {
            control(5, 2, out);
            out.extend(number.to_be_bytes());
        }
        Number(number) => {
            control(6, 4, out);
            out.extend(number.to_be_bytes());
        }
        Long(number) => {
            control(9, 8, out);
            out.extend(number.to_be_bytes());
        }
        Map(fields) => {
            control(7, fields.len(), out);
            for (name, field) in fields {
                write(&Text(name), out);
                write(field, out);
            }
        }
    }
}

/// A database of these networks, IPv4 ones below `::/96`, as all publishers have them.
fn mmdb(database_type: &'static str, networks: &[(&str, Field)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut nodes = vec![[None::<u32>, None]];
    let mut leaves = BTreeMap::new();
    for (network, record) in networks {
        let (address, length) = network.split_once('/').unwrap();
        let length: u32 = length.parse().unwrap();
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(address) => (u128::from(address.to_bits()), length + 96),
            IpAddr::V6(address) => (address.to_bits(), length),
        };
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits << depth >> 127 == 1);
            if depth + 1 == length {
                leaves.insert((node, side), data.len());
            } else {
                let next = nodes[node][side].unwrap_or(u32::try_from(nodes.len()).unwrap());
                nodes[node][side] = Some(next);
                node = next as usize;
                nodes.resize(nodes.len().max(node + 1), [None; 2]);
            }
        }
        write(record, &mut data);
    }
    let count = u32::try_from(nodes.len()).unwrap();
    let mut file = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        for (side, next) in node.iter().enumerate() {
            let leaf =
                leaves.get(&(index, side)).map(|at| count + 16 + u32::try_from(*at).unwrap());
            file.extend(leaf.or(*next).unwrap_or(count).to_be_bytes());
        }
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = [
        ("binary_format_major_version", Short(2)),
        ("binary_format_minor_version", Short(0)),
        ("build_epoch", Long(1_700_000_000)),
        ("database_type", Text(database_type)),
        ("description", Map(vec![])),
        ("ip_version", Short(6)),
        ("node_count", Number(count)),
        ("record_size", Short(32)),
    ];
    control(7, metadata.len() + 1, &mut file);
    for (name, field) in metadata {
        write(&Text(name), &mut file);
        write(&field, &mut file);
    }
    write(&Text("languages"), &mut file);
    control(11, 0, &mut file);
    file
}

fn iso(code: &'static str) -> Field {
    Map(vec![("geoname_id", Number(7)), ("iso_code", Text(code))])
}

/// `192.0.2.0/24` is in this country.
pub(crate) fn of_countries(code: &'static str) -> Vec<u8> {
    mmdb("Country", &[("192.0.2.0/24", Map(vec![("country_code", Text(code))]))])
}

#[test]
fn each_publishers_names_of_fields_are_known() {
    let folder = Folder::new();
    let ask = |name: &str, content: Vec<u8>, address: &str| {
        let path = folder.file(name, content);
        let mut databases = Databases::new(vec![path.clone()], vec![path], None);
        (country(&mut databases, address), network(&mut databases, address))
    };
    let is = |country: &str, network: &str| (country.to_owned(), network.to_owned());
    let maxmind = mmdb(
        "GeoLite2-Country",
        &[
            ("192.0.2.0/24", Map(vec![("country", iso("FR")), ("registered_country", iso("US"))])),
            ("198.51.100.0/24", Map(vec![("registered_country", iso("DE"))])),
            ("2001:db8::/32", Map(vec![("country", iso("NL"))])),
        ],
    );
    assert_eq!(ask("GeoLite2-Country.mmdb", maxmind.clone(), "192.0.2.77"), is("FR", ""));
    assert_eq!(ask("GeoLite2-Country.mmdb", maxmind.clone(), "198.51.100.1"), is("DE", ""));
    assert_eq!(ask("GeoLite2-Country.mmdb", maxmind.clone(), "::ffff:192.0.2.1"), is("FR", ""));
    assert_eq!(ask("GeoLite2-Country.mmdb", maxmind.clone(), "2001:db8:1::1"), is("NL", ""));
    assert_eq!(ask("GeoLite2-Country.mmdb", maxmind, "203.0.113.1"), is("", ""));
    let networks = mmdb(
        "GeoLite2-ASN",
        &[
            (
                "192.0.2.0/24",
                Map(vec![
                    ("autonomous_system_number", Number(64496)),
                    ("autonomous_system_organization", Text("Example \u{1b}[2J")),
                ]),
            ),
            ("198.51.100.0/24", Map(vec![("autonomous_system_number", Number(64497))])),
            ("203.0.113.0/24", Map(vec![("autonomous_system_number", Number(0))])),
            ("10.0.0.0/8", Map(vec![("autonomous_system_number", Short(65000))])),
            ("11.0.0.0/8", Map(vec![("autonomous_system_number", Long(4_200_000_000))])),
        ],
    );
    assert_eq!(ask("asn", networks.clone(), "192.0.2.1"), is("", "64496 Example \\x1b[2J"));
    assert_eq!(ask("asn", networks.clone(), "198.51.100.1"), is("", "64497 "));
    assert_eq!(ask("asn", networks.clone(), "10.0.0.1"), is("", "65000 "));
    assert_eq!(ask("asn", networks.clone(), "11.0.0.1"), is("", "4200000000 "));
    assert_eq!(ask("asn", networks, "203.0.113.1"), is("", ""));
    let lite = mmdb(
        "ipinfo generic_bundle_lite.mmdb",
        &[
            (
                "192.0.2.0/24",
                Map(vec![
                    ("asn", Text("AS15169")),
                    ("as_name", Text("Google LLC")),
                    ("country", Text("United States")),
                    ("country_code", Text("US")),
                ]),
            ),
            ("198.51.100.0/24", Map(vec![("country", Text("JP")), ("asn", Text(""))])),
            ("203.0.113.0/24", Map(vec![("country", Text("None")), ("asn", Text("AS0"))])),
        ],
    );
    assert_eq!(ask("lite", lite.clone(), "192.0.2.1"), is("US", "15169 Google LLC"));
    assert_eq!(ask("lite", lite.clone(), "198.51.100.1"), is("JP", ""));
    assert_eq!(ask("lite", lite, "203.0.113.1"), is("", ""));
}

#[test]
fn an_mmdb_of_the_other_kind_is_an_error_and_not_a_silence() {
    let folder = Folder::new();
    let path = folder.file("country.mmdb", of_countries("FR"));
    assert_eq!(check(&path, Kind::Countries).unwrap().format, Format::Mmdb("Country".to_owned()));
    let error = check(&path, Kind::Networks).unwrap_err().to_string();
    assert!(error.ends_with("is an MMDB of type \"Country\" and tells no networks"), "{error}");
}

#[test]
fn a_damaged_mmdb_is_a_warning_and_never_a_panic() {
    let folder = Folder::new();
    let record = || Map(vec![("country", iso("FR")), ("autonomous_system_number", Number(1))]);
    let whole = mmdb("X", &[("192.0.2.0/24", record()), ("2001:db8::/32", record())]);
    let mut random = fastrand::Rng::with_seed(3);
    for at in 0..whole.len() * 3 {
        let mut content = whole.clone();
        match at % 3 {
            0 => content.truncate(at / 3),
            1 => content[at / 3] ^= 1 << random.u8(0..8),
            _ => content[at / 3] = random.u8(..),
        }
        let path = folder.file("x.mmdb", content);
        let _ = check(&path, Kind::Countries);
        let mut databases = Databases::new(vec![path.clone()], vec![path], None);
        for address in ["192.0.2.1", "2001:db8::1", "8.8.8.8"] {
            databases.look_up(address.parse().unwrap());
        }
        let told = warnings(&mut databases);
        assert!(at % 3 > 0 || !told.is_empty(), "cut after {} bytes: nothing told", at / 3);
    }
}
