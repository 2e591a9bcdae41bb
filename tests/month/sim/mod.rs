//! A mail server's month, made up: log, address databases, and the truth about every failure.
//!
//! For tests of a detector of stolen accounts and attack campaigns. It was written without looking
//! at that detector; what happens is meant to be what happens on servers, including what nobody
//! can tell apart from the log. The assumptions are in the headers of the files: `nets` (internet),
//! `people` and `days` (users), `stale` (devices), `attack` and `assault` (campaigns, noise),
//! `theft`. Not modelled: POP3, log rotation, servers that block attackers, failed tries of a thief
//! whose password was changed, host names that lie.

mod assault;
mod attack;
mod book;
mod database;
mod days;
mod names;
mod nets;
mod people;
mod render;
mod rng;
mod stale;
mod theft;

use attack::Attacker;
use book::Book;
use names::Names;
use nets::World;
use people::{Maker, Person, Town};
use rng::Rng;
use std::net::IpAddr;

/// 2026-10-01T00:00:00Z, a Thursday, in seconds since 1970.
pub const START: u64 = 1_790_812_800;

pub struct Size {
    pub accounts: usize,
    pub days: u32,
}

pub struct Month {
    pub log: Vec<u8>,
    pub countries: String,
    pub networks: String,
    pub truth: Truth,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// A user's own failure; `account` is an index into `Truth::accounts`.
    Own {
        account: usize,
    },
    Campaign(u32),
    Noise,
}

/// One failed attempt; a Dovecot line of N attempts gives N of them.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// Line of the log, from 0.
    pub line: usize,
    pub who: Who,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Spray,
    Distributed,
    Stuffing,
    BruteForce,
}

/// Times in seconds since 1970, as everywhere in the truth.
#[derive(Debug)]
pub struct Campaign {
    pub id: u32,
    pub kind: Kind,
    pub start: u64,
    pub end: u64,
    /// Sorted, each once.
    pub addresses: Vec<IpAddr>,
    /// Local parts of the names tried, existing or not, sorted, each once.
    pub accounts: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// By a campaign's own bot, which failed before (on this or another account) or not.
    Guessed { campaign: u32 },
    /// From a machine of the campaign's botnet that may not have failed before.
    FreshBot { campaign: u32 },
    /// Bought or phished: no failures before.
    Bought,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    Spam,
    Read,
    /// One login, then spam days later (or after the end of the month).
    TestThenSpam,
}

#[derive(Debug)]
pub struct Theft {
    pub account: String,
    /// The thief's first and last success.
    pub first: u64,
    pub last: u64,
    pub how: How,
    pub deed: Deed,
    pub messages: usize,
    pub addresses: Vec<IpAddr>,
}

/// A device with an old password.
#[derive(Debug)]
pub struct Stale {
    pub account: String,
    /// The network of its first failure; a phone also fails from others.
    pub asn: u32,
    pub network: String,
    pub from: u64,
    pub until: u64,
    pub every: u32,
    /// Failed attempts.
    pub tries: usize,
}

pub struct Truth {
    pub failures: Vec<Failed>,
    pub campaigns: Vec<Campaign>,
    pub thefts: Vec<Theft>,
    pub stale: Vec<Stale>,
    /// Login names, all existing.
    pub accounts: Vec<String>,
}

/// The month of a seed. `size.accounts` of at least 10 and `size.days` of at least 3 make sense.
pub fn month(seed: u64, size: Size) -> Month {
    let mut rng = Rng::new(seed);
    let span = f64::from(size.days) * people::DAY;
    let world = World::new(&mut rng.fork(1));
    let names = Names::new(&mut rng.fork(2), size.accounts);
    let mut life = rng.fork(3);
    let town = Town::new(&mut life, &world, size.accounts);
    let mut maker = Maker { rng: &mut life, world: &world, town: &town, days: size.days };
    let mut people: Vec<Person> = (0..size.accounts).map(|_| maker.person()).collect();
    let mut book = Book::new(rng.fork(4), span);

    let rng_attack = rng.fork(5);
    let (campaigns, thefts, mut changes) = {
        let (world, town, names, people) = (&world, &town, &names, &people[..]);
        let mut attacker = Attacker { world, town, people, names, rng: rng_attack, span };
        attacks(&mut book, &mut attacker)
    };
    changes.extend(stale::changes(&mut rng.fork(6), &people, span));
    let stale = {
        let (world, town, names, book) = (&world, &town, &names, &mut book);
        let mut clinic = stale::Clinic { world, town, names, book, rng: rng.fork(7), span };
        let stale = changes.iter().map(|c| clinic.stale(c, &mut people)).collect();
        clinic.setups(&people);
        clinic.outage(&people);
        clinic.scanners();
        stale
    };
    {
        let (world, town, names, book) = (&world, &town, &names, &mut book);
        let mut life = days::Life { world, town, names, book, rng: rng.fork(8) };
        life.month(&people, size.days);
        life.scripts(size.days);
    }

    let (log, failures) = book.finish(&world);
    let accounts = names.accounts.into_iter().map(|a| a.name).collect();
    let truth = Truth { failures, campaigns, thefts, stale, accounts };
    let (countries, networks) = (database::countries(&world), database::networks(&world));
    Month { log, countries, networks, truth }
}

/// Thefts before campaigns: a right guess is not booked as a failure.
fn attacks(
    book: &mut Book,
    attacker: &mut Attacker,
) -> (Vec<Campaign>, Vec<Theft>, Vec<stale::Change>) {
    let mut plans = attacker.campaigns();
    let (thefts, changes) = theft::thefts(book, attacker, &mut plans);
    let mut rng = attacker.rng.fork(9);
    let names = attacker.names;
    let mut campaigns = Vec::new();
    for (i, plan) in plans.iter().enumerate() {
        let id = i as u32 + 1;
        campaigns.push(assault::book_campaign(book, &mut rng, names, plan, id, attacker.span));
    }
    assault::noise(book, attacker);
    (campaigns, thefts, changes)
}
