//! Measures the databases of countries and networks: `cargo run --release --example geo -- FOLDER`.
//!
//! FOLDER holds the files that `tests/geo-data` fetches. Each measurement is a process of its own,
//! so that its peak of memory is its own too.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and stops at the first surprise"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use maillogsentinel::enrich::geo::Databases;

fn databases(folder: &Path, cache: Option<PathBuf>) -> Databases {
    let files =
        |kind: &str| ["ipv4", "ipv6"].map(|of| folder.join(format!("{kind}-{of}.csv"))).to_vec();
    Databases::new(files("asn-country"), files("asn"), cache)
}

/// Addresses all over the space; every fourth is IPv6.
fn addresses(count: u64) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|at| {
        let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = u32::try_from(mixed >> 32).unwrap();
        match at % 4 {
            3 => Ipv6Addr::from_bits((0x2000 | u128::from(mixed) >> 51) << 112 | u128::from(mixed))
                .into(),
            _ => Ipv4Addr::from_bits(bits).into(),
        }
    })
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().to_owned()
}

fn measure(name: &str, folder: &Path, cache: Option<PathBuf>, count: u64) {
    let mut databases = databases(folder, cache);
    let start = Instant::now();
    databases.describe();
    let opened = start.elapsed();
    let start = Instant::now();
    let mut known = 0;
    for address in addresses(count) {
        let (country, network) = black_box(databases.look_up(address));
        known += u64::from(country.is_some()) + u64::from(network.is_some());
    }
    println!(
        "{name:<28} open {opened:>8.1?}  {count} look-ups {:>8.1?} ({known} answers)  peak {}",
        start.elapsed(),
        peak()
    );
    for warning in databases.warnings().iter().filter(|_| name.starts_with("parse, ")) {
        println!("{}", warning.text);
    }
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "target/ip-location-db".into()));
    let cache = std::env::temp_dir().join("maillogsentinel-measure");
    if let Some(what) = arguments.next() {
        match what.to_str().unwrap() {
            "parse" => measure("parse, keep nothing", &folder, None, 100),
            "build" => measure("parse and keep compiled", &folder, Some(cache), 100),
            "hundred" => measure("compiled, 100 addresses", &folder, Some(cache), 100),
            _ => measure("compiled, a million", &folder, Some(cache), 1_000_000),
        }
        return;
    }
    let _ = std::fs::remove_dir_all(&cache);
    for what in ["parse", "build", "hundred", "hundred", "million", "million"] {
        let program = std::env::current_exe().unwrap();
        assert!(Command::new(program).arg(&folder).arg(what).status().unwrap().success());
    }
    let size: u64 =
        std::fs::read_dir(&cache).unwrap().map(|it| it.unwrap().metadata().unwrap().len()).sum();
    println!("compiled forms: {size} bytes");
    std::fs::remove_dir_all(&cache).unwrap();
}
