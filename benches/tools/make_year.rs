//! Writes what attackers and users do at a large mail server, of which there may be a year.
//!
//! `make_year FAILURES ACCOUNTS DAYS LATER [SEED] > FILE`. Standard error gets what the log holds,
//! `failures N logins M lines L`, and where its last LATER failures begin, `later BYTES`.
//!
//! Twenty attacks go on at any time: slow botnets on a list of accounts, password stuffing, sprays from
//! a machine or four, brute force. One failure in twenty is of a scanner by itself, one in fifty of a
//! user's own device with an old password. Twenty-three logins go well for fifty failures. Who attacks
//! takes half of the names from a list of those that exist. Time is UTC, RFC 3339, and ends yesterday at
//! midnight.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;
const SLOTS: usize = 20;
const USAGE: &str = "usage: make_year FAILURES ACCOUNTS DAYS LATER [SEED]";
const COMMON: [&str; 12] = [
    "admin", "info", "test", "sales", "support", "office", "contact", "abuse", "web", "root",
    "scanner", "noreply",
];

/// xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (u128::from(self.next()) * u128::from(end) >> 64) as u64
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    fn address(&mut self) -> u32 {
        (self.between(16, 222) << 24 | self.below(1 << 24)) as u32
    }
}

/// One attack: from where, with which names, until which second.
struct Attack {
    sources: Vec<u32>,
    names: Vec<u64>,
    service: &'static str,
    until: u64,
    tries: u64,
    in_order: bool,
}

fn attack(random: &mut Random, accounts: u64, now: u64) -> Attack {
    let (sources, names, hours) = match random.below(20) {
        0..6 => (random.between(100, 3000), random.between(20, 500), random.between(48, 960)),
        6..9 => (random.between(1000, 8000), random.between(1000, 5000), random.between(24, 240)),
        9..16 => (random.between(1, 4), random.between(200, 20_000), random.between(3, 72)),
        _ => (1, random.between(1, 3), random.between(2, 48)),
    };
    let next_to = random.address() & !0xFF;
    let source = |random: &mut Random, number: u64| match sources {
        ..=4 => next_to + number as u32,
        _ => random.address(),
    };
    Attack {
        sources: (0..sources).map(|number| source(random, number)).collect(),
        // Those beyond the accounts do not exist.
        names: (0..names).map(|_| random.below(accounts * 2)).collect(),
        service: ["smtpd", "smtps/smtpd", "submission/smtpd"][random.below(3) as usize],
        until: now + hours * 3600,
        tries: 0,
        in_order: sources <= 4,
    }
}

fn dotted(address: u32) -> std::net::Ipv4Addr {
    address.into()
}

/// Where an account is at home, and with a telephone.
fn home(account: u64, is_away: bool) -> u32 {
    let place = account.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let base = 20 << 24 | (place as u32 & 0xFF_FFFF);
    if is_away { base ^ 0x0055_5500 } else { base }
}

/// `2026-11-25T10:00:00+00:00`, by the algorithm of Howard Hinnant's `civil_from_days`.
fn stamp(second: u64) -> String {
    let (days, rest) = (second / DAY, second % DAY);
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|it| it.parse().expect(USAGE)).collect();
    let [failures, accounts, days, later, ref seed @ ..] = numbers[..] else { panic!("{USAGE}") };
    let mut random = Random(seed.first().copied().unwrap_or(1) | 1 << 40);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let start = now / DAY * DAY - days * DAY;
    let mut attacks: Vec<_> = (0..SLOTS).map(|_| attack(&mut random, accounts, start)).collect();
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    let (mut logins, mut bytes, mut later_from) = (0_u64, 0_u64, 0);
    let mut write = |line: String, bytes: &mut u64| {
        *bytes += line.len() as u64;
        out.write_all(line.as_bytes()).expect("standard output");
    };
    for number in 0..failures {
        if number == failures.saturating_sub(later) {
            later_from = bytes;
        }
        let second = start + number * days * DAY / failures;
        let time = stamp(second);
        let process = 1000 + number % 30_000;
        if random.below(50) < 23 {
            logins += 1;
            let account = random.below(accounts);
            let from = dotted(home(account, random.below(4) == 0));
            let line = format!(
                "{time} mx1 postfix/submission/smtpd[{process}]: {number:X}: client=unknown[{from}], \
                 sasl_method=PLAIN, sasl_username=user{account}@example.org\n"
            );
            write(line, &mut bytes);
        }
        let (from, user, service) = match random.below(100) {
            0..5 => {
                let name = COMMON[random.below(COMMON.len() as u64) as usize];
                (random.address(), name.to_owned(), "smtpd")
            }
            5..7 => {
                let account = random.below(accounts / 50 + 1) * 50;
                (home(account, false), format!("user{account}@example.org"), "submission/smtpd")
            }
            _ => {
                let slot = random.below(SLOTS as u64) as usize;
                if attacks[slot].until < second {
                    attacks[slot] = attack(&mut random, accounts, second);
                }
                let attack = &mut attacks[slot];
                let from = attack.sources[random.below(attack.sources.len() as u64) as usize];
                let at = if attack.in_order { attack.tries } else { random.next() };
                attack.tries += 1;
                let name = attack.names[(at % attack.names.len() as u64) as usize];
                let domain = if name % 2 == 0 { "@example.org" } else { "" };
                (from, format!("user{name}{domain}"), attack.service)
            }
        };
        let from = dotted(from);
        let line = format!(
            "{time} mx1 postfix/{service}[{process}]: warning: unknown[{from}]: SASL LOGIN \
             authentication failed: authentication failure, sasl_username={user}\n"
        );
        write(line, &mut bytes);
    }
    out.flush().expect("standard output");
    eprintln!("failures {failures} logins {logins} lines {} later {later_from}", failures + logins);
}
