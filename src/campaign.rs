//! The nouns of judgement: sources that attack, the names they aim at, and the campaigns they form.
//!
//! Times are seconds since 1970.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::event::Network;
use crate::origin::{AutonomousSystem, Country};
use crate::pace::Pace;
use crate::untrusted::Untrusted;
use crate::user_name::Spelling;

/// How many of its names a source remembers.
pub const NAMES: usize = 12;
/// Who has the same list lacks so many of them at most.
pub const LIST_LACKS: usize = NAMES / 5;
/// To find who may have it, so many of them are looked at: each of those has most of these.
pub const LIST_ASKED: usize = 2 * LIST_LACKS + 1;
/// How much of a service.
const SERVICE_BYTES: usize = 40;
/// The mechanisms of RFC 4422's registry that mail servers offer; attackers invent others.
const MECHANISMS: [&[u8]; 9] = [
    b"PLAIN",
    b"LOGIN",
    b"CRAM-MD5",
    b"DIGEST-MD5",
    b"NTLM",
    b"XOAUTH2",
    b"OAUTHBEARER",
    b"SCRAM-SHA-1",
    b"SCRAM-SHA-256",
];

/// What an attacker works with: the service, and the mechanism if it is one that exists.
pub fn tool_of(service: &[u8], mechanism: &[u8]) -> String {
    let service = service.get(..SERVICE_BYTES).unwrap_or(service);
    let known = MECHANISMS.iter().find(|known| known.eq_ignore_ascii_case(mechanism));
    let mechanism: &[u8] = if mechanism.is_empty() { b"" } else { b"other" };
    let mechanism = String::from_utf8_lossy(known.copied().unwrap_or(mechanism)).into_owned();
    format!("{} {mechanism}", String::from_utf8_lossy(service))
}

/// Whom an address stands for: itself, or its /64, which one client has to itself.
pub fn source_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(_) => Network::of(address).address(),
    }
}

/// What is next to an address: its /24, or its /48, which one customer has (RFC 6177).
pub fn neighbourhood_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Network::of(address).address(),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)),
    }
}

/// No campaign rests longer than that, and goes on.
pub const PATIENCE: i64 = 10 * 86_400;

/// The first and the last address of the neighbourhood of one.
pub fn neighbours_of(address: IpAddr) -> (IpAddr, IpAddr) {
    match (neighbourhood_of(address), address) {
        (first @ IpAddr::V4(_), IpAddr::V4(v4)) => {
            (first, Ipv4Addr::from(v4.to_bits() | 0xFF).into())
        }
        (first, IpAddr::V6(v6)) => (first, Ipv6Addr::from(v6.to_bits() | (u128::MAX >> 48)).into()),
        (first, _) => (first, first),
    }
}

/// A failed login that is to be judged.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Its row.
    pub id: i64,
    /// When.
    pub time: i64,
    /// The client.
    pub address: IpAddr,
    /// The user; `None` if unknown.
    pub user: Option<Untrusted>,
    /// What it is compared by; unknown users are all of one name that no user has.
    pub name: Untrusted,
    /// As [`tool_of`] gives it.
    pub tool: String,
    /// Where the client is said to be.
    pub country: Option<Country>,
    /// Its network.
    pub network: Option<AutonomousSystem>,
}

/// A source of attacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The campaign it is part of.
    pub campaign: i64,
    /// Its first failure.
    pub first: i64,
    /// Its last failure.
    pub last: i64,
    /// How many.
    pub failures: u64,
    /// How steadily.
    pub pace: Pace,
    /// The first [`NAMES`] names it tried.
    pub names: Arc<Vec<Untrusted>>,
}

/// A client that tries so many names is an attacker, wherever it is.
const MANY_NAMES: usize = 6;
/// A device has so many addresses in a day at most: a telephone on its way, a VPN.
pub const DEVICE_PLACES: u64 = 12;

/// Who fails so often is no user who mistypes.
pub const MANY_FAILURES: u64 = 12;

impl Source {
    /// Whether it tries so much that it is an attacker all by itself, and not one bot of many.
    pub fn is_heavy(&self) -> bool {
        self.names.len() >= 5 || self.failures >= MANY_FAILURES
    }

    /// Whether it tries so many names that it is no user's own, wherever it is.
    pub fn is_nobodys(&self) -> bool {
        self.names.len() >= MANY_NAMES
    }

    /// Whether it is a device that has an old password: one name, again and again at a steady pace
    /// that no guesser would have the patience for.
    pub fn is_device(&self) -> bool {
        self.names.len() == 1 && self.pace.is_device(self.failures)
    }

    /// Whether one more failure, of `name`, is the time to ask who else has its list: when it is known,
    /// and now and then after that, for others may have begun later.
    pub fn completes_list(&self, name: &Untrusted) -> bool {
        let is_time = self.names.len() < NAMES || (self.failures + 1).is_power_of_two();
        self.names.len() + 1 >= NAMES && is_time && !self.names.contains(name)
    }
}

/// What a campaign did to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The campaign.
    pub campaign: i64,
    /// Its first failure with that name.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// How many.
    pub failures: u64,
    /// From how many sources.
    pub sources: u64,
}

/// Sources that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its row.
    pub id: i64,
    /// What people call it: given when it is worth showing, and kept.
    pub number: Option<i64>,
    /// The campaign that it turned out to be part of.
    pub joined: Option<i64>,
    /// What it works with.
    pub tool: String,
    /// Its first failure.
    pub first: i64,
    /// Its last failure.
    pub last: i64,
    /// How many.
    pub failures: u64,
    /// From how many sources.
    pub sources: u64,
    /// Those of them that are attackers by themselves.
    pub heavy: u64,
    /// Against how many names.
    pub names: u64,
    /// Whether it is of sources that have nothing in common but tool and time.
    pub is_crowd: bool,
    /// How steadily it fails.
    pub pace: Pace,
    /// The network (AS) of all its sources; `None` if they have several, 0 if it is not known.
    pub network: Option<u32>,
    /// How it writes names.
    pub spelling: Spelling,
}

/// How an attack goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One source, or a few, against many accounts.
    Spray,
    /// Many sources against few accounts.
    Distributed,
    /// Many sources against many accounts, a try each.
    Stuffing,
    /// One source, or a few, against one account.
    BruteForce,
}

impl Kind {
    /// In the field's words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Spray => "spray",
            Self::Distributed => "distributed",
            Self::Stuffing => "stuffing",
            Self::BruteForce => "brute force",
        }
    }
}

impl Campaign {
    /// Whether it is a device that has an old password: one name, again and again at a steady pace
    /// that no guesser would have the patience for, through one provider.
    pub fn is_device(&self) -> bool {
        let is_patient = self.pace.is_device(self.failures);
        // One device is in so many places a day at most.
        let days = u64::try_from((self.last - self.first) / 86_400).unwrap_or(0) + 1;
        let is_one = self.sources <= days * DEVICE_PLACES;
        self.names == 1 && is_patient && is_one && !self.is_crowd && self.network.is_some()
    }

    /// Whether its sources are bots that try little each.
    pub fn is_light(&self) -> bool {
        self.heavy * 2 < self.sources
    }

    /// What kind of attack it is.
    pub fn kind(&self) -> Kind {
        match (self.is_light() && self.sources > 4, self.names) {
            (true, names) if self.is_crowd || names * 2 > self.sources => Kind::Stuffing,
            (true, _) => Kind::Distributed,
            (false, names) if names > 3 => Kind::Spray,
            (false, _) => Kind::BruteForce,
        }
    }

    /// The mean time between two failures.
    pub fn gap(&self) -> i64 {
        let gaps = i64::try_from(self.failures.saturating_sub(1).max(1)).unwrap_or(i64::MAX);
        (self.last - self.first) / gaps
    }

    /// Whether a failure at `time` may be one of it. Bots that want the same accounts may rest for days;
    /// a crowd is known by its density alone.
    pub fn may_go_on(&self, time: i64) -> bool {
        let patience = if self.is_crowd {
            (self.gap() * 10).clamp(3600, 12 * 3600)
        } else {
            (self.gap() * 30).clamp(2 * 86_400, PATIENCE)
        };
        time - self.last <= patience
    }

    /// Whether `tried` may be one of its failures, by tool, spelling and time.
    pub fn takes(&self, tried: &Tried) -> bool {
        self.tool == tried.tool
            && self.spelling.takes(tried.user.as_ref())
            && self.may_go_on(tried.time)
    }

    /// Whether it goes on at `time`, as far as its pace tells.
    pub fn is_running(&self, time: i64) -> bool {
        time - self.last <= (self.gap() * 8).clamp(6 * 3600, 7 * 86_400)
    }
}

/// The networks that a campaign comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The country, or unknown.
    pub country: Option<Country>,
    /// The network's number, or 0.
    pub number: u32,
    /// Who runs it.
    pub organisation: Untrusted,
    /// How many sources.
    pub sources: u64,
}

/// Why a failure is the user's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The administrator vouches for its account or address.
    Vouched,
    /// The account had logged in from the same network.
    SameNetwork,
    /// It has the steady pace of a device.
    Device,
    /// The account had logged in through the same provider.
    SameProvider,
    /// Several accounts log in from that network.
    Shared,
}

impl Because {
    const ALL: [Self; 5] =
        [Self::Vouched, Self::SameNetwork, Self::Device, Self::SameProvider, Self::Shared];

    /// What the store and JSON have for it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Vouched => "vouched",
            Self::SameNetwork => "same_network",
            Self::Device => "device",
            Self::SameProvider => "same_provider",
            Self::Shared => "shared",
        }
    }

    /// What `key` stands for.
    pub fn of(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.key() == key)
    }
}

/// Failures of an account's own user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The user name that was tried.
    pub user: Untrusted,
    /// Where from: /24 or /64.
    pub network: Network,
    /// By which service.
    pub tool: String,
    /// Since when without a week's rest.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// How many.
    pub failures: u64,
    /// How steadily.
    pub pace: Pace,
    /// The number of the network (AS), or 0.
    pub number: u32,
    /// Why the last one was the user's own; `None`: an earlier version judged it.
    pub because: Option<Because>,
}

impl Own {
    /// Notes one more failure.
    pub fn add(&mut self, time: i64) {
        let gap = (time - self.last).max(0);
        if gap > 7 * 86_400 {
            (self.first, self.failures, self.pace) = (time, 0, Pace::default());
        }
        if self.failures > 0 {
            self.pace.add(gap);
        }
        self.failures += 1;
        self.last = self.last.max(time);
    }

    /// Whether it is a device that has an old password.
    pub fn is_device(&self) -> bool {
        self.pace.is_device(self.failures)
    }

    /// The seconds between two failures, if that is steady.
    pub fn rhythm(&self) -> Option<i64> {
        self.pace.rhythm()
    }
}

/// Earlier logins of an account that went well, from one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Been {
    /// The account, as logged.
    pub account: Untrusted,
    /// Where from.
    pub network: Network,
    /// The first time.
    pub first: i64,
    /// The last time that day.
    pub last: i64,
    /// The country of that network, as far as known.
    pub country: Option<Country>,
    /// Its number, or 0.
    pub number: u32,
}
