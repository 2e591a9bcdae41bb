//! Campaigns on the log, and the background of probes that belong to none.
//!
//! Kept apart from planning because thefts change a plan first: the right password is not a failed
//! attempt, and an attacker who has it may leave the account alone. Noise: 12 to 45 one-off probes
//! a day from anywhere, mostly popular names, one in seven an address that exists; nothing in the
//! log tells such a probe from one try of a distributed campaign on the same name.

use super::attack::{Attacker, Plan};
use super::book::{Book, Service};
use super::names::{Names, POPULAR, Spelling};
use super::rng::Rng;
use super::{Campaign, START, Who};

pub fn book_campaign(
    book: &mut Book,
    rng: &mut Rng,
    names: &Names,
    plan: &Plan,
    id: u32,
    span: f64,
) -> Campaign {
    let who = Who::Campaign(id);
    let tool = &plan.tool;
    let mut last = plan.tries.first().map_or(0.0, |t| t.at);
    for one in &plan.tries {
        let mut t = one.at;
        let second = tool.second.filter(|_| rng.chance(0.3));
        let service = second.unwrap_or(tool.service);
        let mechanism = match (service, tool.mechanism) {
            (Service::Imap, _) => "PLAIN",
            (_, mechanism) => mechanism,
        };
        for user in names.spell(rng, &one.local, tool.spelling) {
            if t >= span {
                break;
            }
            if service == Service::Imap && one.count > 1 {
                book.failed_session(t, one.from, &user, mechanism, one.count, who);
            } else {
                for i in 0..one.count {
                    let at = (t + f64::from(i) * 0.9).min(span - 0.001);
                    book.failed(at, one.from, &user, service, mechanism, who);
                }
            }
            last = last.max(t);
            t += rng.between(1.0, 5.0);
        }
    }
    let mut addresses: Vec<_> = plan.tries.iter().map(|t| t.from).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let mut accounts: Vec<_> = plan.tries.iter().map(|t| t.local.clone()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let start = START + plan.tries.first().map_or(0.0, |t| t.at) as u64;
    Campaign { id, kind: plan.sort, start, end: START + last as u64, addresses, accounts }
}

/// One-off probes all month.
pub fn noise(book: &mut Book, attacker: &mut Attacker) {
    let botnet = attacker.botnet();
    let other = attacker.botnet();
    let mean = 86_400.0 / attacker.rng.between(12.0, 45.0);
    let mut t = 0.0;
    while t < attacker.span {
        let net = if attacker.rng.chance(0.5) { &botnet } else { &other };
        let from = attacker.bot(net);
        let rng = &mut attacker.rng;
        let local = if rng.chance(0.14) {
            rng.pick(&attacker.names.accounts).local.clone()
        } else {
            // The first names of the list are by far the most popular.
            let most = if rng.chance(0.6) { 8 } else { POPULAR.len() };
            POPULAR[rng.below(most)].to_string()
        };
        let spelling = if rng.chance(0.5) { Spelling::Full } else { Spelling::Bare };
        let services = [Service::Port25, Service::Submission, Service::Smtps, Service::Imap];
        let service = services[rng.weighted(&[0.45, 0.3, 0.1, 0.15])];
        let mechanism = match service {
            Service::Imap => "PLAIN",
            _ => ["LOGIN", "PLAIN", "CRAM-MD5"][rng.weighted(&[0.65, 0.3, 0.05])],
        };
        for user in attacker.names.spell(rng, &local, spelling) {
            book.failed(t, from, &user, service, mechanism, Who::Noise);
        }
        t += rng.gap(mean);
    }
}
