//! Stolen accounts: how the password was got and what the thief does.
//!
//! Assumptions (incident reports in shared/spec/demands.md, cluster C03; the rest guesses): 0 to 3
//! a month; 35 % guessed by a campaign's own bot, 25 % the right password comes from an address of
//! the botnet that was not seen before, 40 % bought or phished, with no failure before. Afterwards
//! 55 % spam (50 to 5000 messages in 1 to 72 hours, from the same machine, one rented server, 8 to
//! 150 bots, or proxies in the owner's own country), 22 % read quietly by IMAP from one rented or
//! VPN address for 2 to 20 days, 23 % test once and spam 2 to 12 days later. An SMTP login leaves a
//! line with a name only when a message is sent, so bots that guess by SMTP show up with their
//! first (test) message. Half of the spam is noticed: the password is changed, the spam ends, and
//! the owner's phone keeps failing for a while.

use super::attack::{Attacker, Botnet, Plan};
use super::book::{Book, Service};
use super::nets::Kind;
use super::people::DAY;
use super::stale::Change;
use super::{Deed, How, Kind as Sort, START, Theft};
use std::net::IpAddr;

struct Break {
    account: usize,
    at: f64,
    from: IpAddr,
    imap: bool,
    how: How,
    botnet: Botnet,
}

/// Plans the thefts, takes the right guesses out of the campaigns' failures, books what follows.
pub fn thefts(
    book: &mut Book,
    attacker: &mut Attacker,
    plans: &mut [Plan],
) -> (Vec<Theft>, Vec<Change>) {
    let mut done: Vec<Theft> = Vec::new();
    let mut changes = Vec::new();
    for _ in 0..attacker.rng.weighted(&[0.2, 0.35, 0.3, 0.15]) {
        let entry = match attacker.rng.weighted(&[0.35, 0.25, 0.4]) {
            0 => guessed(attacker, plans),
            1 => fresh(attacker, plans),
            _ => None,
        };
        let entry = entry.unwrap_or_else(|| bought(attacker));
        if done.iter().any(|t| t.account == attacker.names.accounts[entry.account].name) {
            continue;
        }
        let (theft, change) = exploit(book, attacker, &entry);
        done.push(theft);
        changes.extend(change);
    }
    (done, changes)
}

/// One of a campaign's tries is right.
fn guessed(attacker: &mut Attacker, plans: &mut [Plan]) -> Option<Break> {
    let plan = attacker.rng.below(plans.len());
    let names = attacker.names;
    let hits: Vec<usize> = (0..plans[plan].tries.len())
        .filter(|&i| names.exists(&plans[plan].tries[i].local))
        .filter(|&i| !attacker.town.gateway.contains(&plans[plan].tries[i].from))
        .collect();
    if hits.len() < 2 {
        return None;
    }
    // Not the first one, or the campaign could lose all its failures.
    let hit = hits[attacker.rng.range(1, hits.len() - 1)];
    let right = plans[plan].tries.remove(hit);
    if attacker.rng.chance(0.6) {
        plans[plan].tries.retain(|t| t.local != right.local || t.at < right.at);
    }
    Some(Break {
        account: names.index(&right.local)?,
        at: right.at,
        from: right.from,
        imap: plans[plan].tool.service == Service::Imap,
        how: How::Guessed { campaign: plan as u32 + 1 },
        botnet: plans[plan].botnet.clone(),
    })
}

/// A new machine of the botnet logs in to an account that the campaign attacks.
fn fresh(attacker: &mut Attacker, plans: &mut [Plan]) -> Option<Break> {
    let wide: Vec<usize> = (0..plans.len())
        .filter(|&i| matches!(plans[i].sort, Sort::Distributed | Sort::Stuffing))
        .collect();
    if wide.is_empty() {
        return None;
    }
    let plan = *attacker.rng.pick(&wide);
    let tries = &plans[plan].tries;
    let (first, last) = (tries.first()?.at, tries.last()?.at);
    let known: Vec<usize> = tries.iter().filter_map(|t| attacker.names.index(&t.local)).collect();
    if known.is_empty() {
        return None;
    }
    let account = *attacker.rng.pick(&known);
    let at = attacker.rng.between(first + (last - first) * 0.1, last);
    let botnet = plans[plan].botnet.clone();
    let from = attacker.bot(&botnet);
    let imap = attacker.rng.chance(0.4);
    let how = How::FreshBot { campaign: plan as u32 + 1 };
    Some(Break { account, at, from, imap, how, botnet })
}

fn rented(attacker: &mut Attacker) -> IpAddr {
    if attacker.rng.chance(0.35) {
        let service = attacker.rng.below(attacker.world.exits.len());
        return *attacker.rng.pick(&attacker.world.exits[service]);
    }
    let kind = if attacker.rng.chance(0.8) { Kind::Hosting } else { Kind::Isp };
    let net = *attacker.rng.pick(&attacker.world.abroad(kind));
    attacker.world.v4(&mut attacker.rng, net)
}

fn bought(attacker: &mut Attacker) -> Break {
    let account = attacker.rng.below(attacker.names.accounts.len());
    let at = attacker.rng.between(0.1, 0.92) * attacker.span;
    let from = rented(attacker);
    let imap = attacker.rng.chance(0.5);
    let botnet = attacker.botnet();
    Break { account, at, from, imap, how: How::Bought, botnet }
}

fn exploit(book: &mut Book, attacker: &mut Attacker, entry: &Break) -> (Theft, Option<Change>) {
    let user = attacker.names.accounts[entry.account].name.clone();
    let mut theft = Theft {
        account: user.clone(),
        first: START + entry.at as u64,
        last: START + entry.at as u64,
        how: entry.how,
        deed: Deed::Spam,
        messages: 0,
        addresses: vec![entry.from],
    };
    if entry.imap {
        book.login(entry.at, entry.from, &user);
    } else {
        book.sent(entry.at, entry.from, &user, Service::Submission);
        theft.messages = 1;
    }
    let mut change = None;
    match attacker.rng.weighted(&[0.55, 0.22, 0.23]) {
        0 => {
            let start = entry.at + attacker.rng.skewed(20.0, 7200.0);
            change = spam(book, attacker, entry, start, &mut theft);
        }
        1 => read(book, attacker, entry, &mut theft),
        _ => {
            theft.deed = Deed::TestThenSpam;
            let start = entry.at + attacker.rng.skewed(2.0, 12.0) * DAY;
            change = spam(book, attacker, entry, start, &mut theft);
        }
    }
    theft.addresses.sort_unstable();
    theft.addresses.dedup();
    (theft, change)
}

/// The machines that spam is sent from.
fn senders(attacker: &mut Attacker, entry: &Break) -> Vec<IpAddr> {
    match attacker.rng.weighted(&[0.25, 0.3, 0.3, 0.15]) {
        0 => vec![entry.from],
        1 => vec![rented(attacker)],
        2 => {
            let count = attacker.rng.skewed(8.0, 150.0) as usize;
            (0..count).map(|_| attacker.bot(&entry.botnet)).collect()
        }
        _ => {
            let nets = attacker.world.at_home(Kind::Isp);
            let count = attacker.rng.range(3, 40);
            (0..count)
                .map(|_| {
                    let net = *attacker.rng.pick(&nets);
                    attacker.world.v4(&mut attacker.rng, net)
                })
                .collect()
        }
    }
}

fn spam(
    book: &mut Book,
    attacker: &mut Attacker,
    entry: &Break,
    start: f64,
    theft: &mut Theft,
) -> Option<Change> {
    let from = senders(attacker, entry);
    let user = attacker.names.accounts[entry.account].name.clone();
    let count = attacker.rng.skewed(50.0, 5000.0) as usize;
    let length = attacker.rng.skewed(1.0, 72.0) * 3600.0;
    let length = length.max(count as f64 * 0.5);
    let noticed = attacker.rng.chance(0.5);
    let end = if noticed { start + attacker.rng.skewed(1.0, 40.0) * 3600.0 } else { f64::MAX };
    let run = attacker.rng.range(1, 30);
    let service = if attacker.rng.chance(0.7) { Service::Submission } else { Service::Smtps };
    let mut machine = from[0];
    let mut t = start;
    for i in 0..count {
        if t >= end || t >= attacker.span {
            break;
        }
        if i % run == 0 {
            machine = *attacker.rng.pick(&from);
        }
        book.sent(t, machine, &user, service);
        theft.addresses.push(machine);
        theft.messages += 1;
        theft.last = START + t as u64;
        t += attacker.rng.gap(length / count as f64);
    }
    let at = end + 600.0;
    (end < attacker.span * 0.98).then_some(Change { account: entry.account, at, after_theft: true })
}

fn read(book: &mut Book, attacker: &mut Attacker, entry: &Break, theft: &mut Theft) {
    theft.deed = Deed::Read;
    let user = attacker.names.accounts[entry.account].name.clone();
    let machine = rented(attacker);
    let every = attacker.rng.skewed(900.0, 30_000.0);
    let end = entry.at + attacker.rng.skewed(2.0, 20.0) * DAY;
    let mut t = entry.at + attacker.rng.skewed(60.0, 40_000.0);
    while t < end && t < attacker.span {
        book.login(t, machine, &user);
        theft.addresses.push(machine);
        theft.last = START + t as u64;
        t += every * attacker.rng.between(0.6, 1.5);
    }
}
