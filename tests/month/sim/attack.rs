//! Attack campaigns: who tries which names, from where, how fast.
//!
//! Assumptions, from published accounts of mail administrators (the threads cited in
//! shared/spec/demands.md, clusters C01 and C02) and guesses where they give no number:
//! * 3 to 8 campaigns a month, starting at any time; spray 28 %, distributed 35 %, stuffing 15 %,
//!   brute force 22 %; each has one attacker's tool (service, mechanism, spelling);
//! * spray: 1 address, 2 to 10 addresses or a /24 of one hoster (sometimes an IPv6 /64), 50 to 300
//!   names, 1 to 4 rounds, 1 to 10 seconds or 1 to 20 minutes between tries;
//! * distributed: 50 to 400 addresses, 1 to 3 tries each, on 2 to 12 names, every 5 to 60 minutes
//!   (those of a whole month up to every 3 hours); regular, random, or with pauses of hours;
//! * stuffing: 100 to 400 names once each, nearly as many addresses, within 3 hours to 8 days;
//! * brute force: one address, one account, 15 to 2500 tries, 1 second to 3 minutes apart; one in
//!   eight through the webmail form, where the log shows the gateway's address;
//! * bots: weighted countries, 8 to 40 per botnet; homes, phones and hosted machines mixed by
//!   botnet; about 4 % in the server's own country, some on the very addresses that users share.

use super::Kind as Sort;
use super::book::Service;
use super::names::{Names, POPULAR, Spelling};
use super::nets::{Kind, World, v6_in};
use super::people::{DAY, Person, Town};
use super::rng::Rng;
use std::net::IpAddr;

pub struct Try {
    pub at: f64,
    pub from: IpAddr,
    /// Local part of the name.
    pub local: String,
    /// Attempts in the one connection (IMAP).
    pub count: u32,
}

pub struct Tool {
    pub service: Service,
    pub second: Option<Service>,
    pub mechanism: &'static str,
    pub spelling: Spelling,
}

pub struct Plan {
    pub sort: Sort,
    pub tool: Tool,
    pub tries: Vec<Try>,
    pub botnet: Botnet,
}

/// What the machines of one attacker have in common.
#[derive(Clone)]
pub struct Botnet {
    nets: Vec<usize>,
    weights: Vec<f64>,
}

pub struct Attacker<'a> {
    pub world: &'a World,
    pub town: &'a Town,
    pub people: &'a [Person],
    pub names: &'a Names,
    pub rng: Rng,
    pub span: f64,
}

impl Attacker<'_> {
    pub fn campaigns(&mut self) -> Vec<Plan> {
        let mut plans = Vec::new();
        for _ in 0..self.rng.range(3, 8) {
            plans.push(match self.rng.weighted(&[0.28, 0.35, 0.15, 0.22]) {
                0 => self.spray(),
                1 => self.distributed(),
                2 => self.stuffing(),
                _ => self.brute_force(),
            });
        }
        for plan in &mut plans {
            plan.tries.retain(|t| t.at < self.span);
            plan.tries.sort_by(|a, b| a.at.total_cmp(&b.at));
        }
        plans.retain(|p| !p.tries.is_empty());
        plans
    }

    fn tool(&mut self) -> Tool {
        let services = [Service::Port25, Service::Submission, Service::Smtps, Service::Imap];
        let service = services[self.rng.weighted(&[0.35, 0.35, 0.12, 0.18])];
        let second = self.rng.chance(0.2).then(|| *self.rng.pick(&services));
        let mechanism = match self.rng.weighted(&[0.6, 0.33, 0.07]) {
            _ if service == Service::Imap => "PLAIN",
            0 => "LOGIN",
            1 => "PLAIN",
            _ => "CRAM-MD5",
        };
        let spelling = match self.rng.weighted(&[0.5, 0.2, 0.18, 0.12]) {
            0 => Spelling::Full,
            1 => Spelling::Bare,
            2 => Spelling::Pair,
            _ => Spelling::Mixed,
        };
        Tool { service, second, mechanism, spelling }
    }

    pub fn botnet(&mut self) -> Botnet {
        let mut countries: Vec<&str> = self.world.nets.iter().map(|n| n.country).collect();
        countries.sort_unstable();
        countries.dedup();
        self.rng.shuffle(&mut countries);
        countries.truncate(self.rng.range(8, 40));
        let share = match self.rng.below(3) {
            0 => [1.0, 0.3, 0.1],
            1 => [0.15, 0.05, 2.0],
            _ => [0.6, 0.2, 0.6],
        };
        let mut nets = Vec::new();
        let mut weights = Vec::new();
        for (i, net) in self.world.nets.iter().enumerate() {
            let kind = match net.kind {
                Kind::Isp => share[0],
                Kind::Mobile => share[1],
                Kind::Hosting | Kind::Cloud => share[2],
                Kind::Vpn => share[2] * 0.3,
            };
            let own = net.country == self.world.home;
            if own || countries.contains(&net.country) {
                let weight = if own { 0.35 } else { self.world.bot_weight(i) };
                nets.push(i);
                weights.push(weight * kind);
            }
        }
        Botnet { nets, weights }
    }

    pub fn bot(&mut self, botnet: &Botnet) -> IpAddr {
        if self.rng.chance(0.008) {
            // A bot behind the same NAT or on the same line as a user.
            let person = self.rng.pick(self.people);
            let t = self.rng.unit() * self.span;
            return if self.rng.chance(0.7) { person.phone.at(t) } else { person.home.at(t) };
        }
        let net = botnet.nets[self.rng.weighted(&botnet.weights)];
        if self.rng.chance(0.5)
            && let Some(exits) = self.world.exits_of(net)
        {
            return *self.rng.pick(exits);
        }
        self.world.v4(&mut self.rng, net)
    }

    /// The sources of a spray: one hoster's.
    fn nest(&mut self) -> Vec<IpAddr> {
        let net = *self.rng.pick(&self.world.of_kind(Kind::Hosting));
        let first = self.world.v4(&mut self.rng, net);
        match self.rng.weighted(&[0.5, 0.25, 0.17, 0.08]) {
            0 => vec![first],
            1 => (0..self.rng.range(2, 10)).map(|_| self.world.v4(&mut self.rng, net)).collect(),
            2 => match first {
                IpAddr::V4(a) => (0..self.rng.range(5, 60))
                    .map(|_| super::nets::v4_in(u32::from(a), &mut self.rng))
                    .collect(),
                IpAddr::V6(_) => vec![first],
            },
            _ => match self.world.v6_prefix(&mut self.rng, net) {
                Some(prefix) => {
                    (0..self.rng.range(3, 80) as u64).map(|i| v6_in(prefix, i)).collect()
                }
                None => vec![first],
            },
        }
    }

    fn spray(&mut self) -> Plan {
        let sources = self.nest();
        let count = self.rng.range(50, 300);
        let existing = self.rng.between(0.05, 0.6);
        let list = self.names.targets(&mut self.rng, count, existing, 0.5);
        let slow = self.rng.chance(0.4);
        let gap = if slow { self.rng.skewed(60.0, 1200.0) } else { self.rng.skewed(1.0, 10.0) };
        let mut t = self.rng.unit() * self.span * 0.9;
        let mut tries = Vec::new();
        for _ in 0..self.rng.range(1, 4) {
            for local in &list {
                let from = *self.rng.pick(&sources);
                tries.push(Try { at: t, from, local: local.clone(), count: 1 });
                t += gap * self.rng.between(0.7, 1.4);
            }
            t += self.rng.skewed(60.0, 2.0 * DAY);
        }
        tries.truncate(1200);
        Plan { sort: Sort::Spray, tool: self.tool(), tries, botnet: self.botnet() }
    }

    /// Names of a distributed campaign: some popular, some known to exist, some long gone.
    fn victims(&mut self) -> Vec<String> {
        let count = self.rng.range(2, 12);
        let mut list = Vec::new();
        if self.rng.chance(0.5) {
            for _ in 0..self.rng.range(1, 4) {
                list.push(POPULAR[self.rng.below(8)].to_string());
            }
        }
        let existing = self.rng.between(0.4, 1.0);
        list.extend(self.names.targets(&mut self.rng, count, existing, 0.2));
        list.truncate(count);
        list.sort();
        list.dedup();
        list
    }

    fn distributed(&mut self) -> Plan {
        let botnet = self.botnet();
        let list = self.victims();
        let whole = self.rng.chance(0.35);
        let most = self.rng.range(if whole { 2 } else { 1 }, 3);
        let gap = self.rng.skewed(300.0, 3600.0);
        let size = self.rng.skewed(if whole { 150.0 } else { 50.0 }, 400.0);
        let start = if whole { 0.0 } else { self.rng.unit() * self.span * 0.8 };
        let wanted = if whole { self.span } else { self.rng.skewed(3.0, 25.0) * DAY };
        let total =
            (wanted / gap).clamp(25.0 * (1.0 + most as f64), size * (1.0 + most as f64) / 2.0);
        // A botnet that is to last all month tries less often rather than stop early.
        let gap = if whole { (wanted / total).min(10_800.0) } else { gap };
        let rhythm = self.rng.below(3);
        let mut pool: Vec<IpAddr> = Vec::new();
        let mut t = start + self.rng.unit() * gap;
        let mut tries = Vec::new();
        while tries.len() < total as usize && t < self.span {
            if pool.is_empty() {
                for _ in 0..25 {
                    let bot = self.bot(&botnet);
                    pool.extend((0..self.rng.range(1, most)).map(|_| bot));
                }
                self.rng.shuffle(&mut pool);
            }
            let Some(from) = pool.pop() else { break };
            let local = self.rng.pick(&list).clone();
            tries.push(Try { at: t, from, local, count: 1 });
            t += match rhythm {
                0 => gap * self.rng.between(0.85, 1.15),
                1 => self.rng.gap(gap),
                _ if self.rng.chance(0.02) => self.rng.skewed(3.0, 40.0) * 3600.0,
                _ => self.rng.gap(gap * 0.8),
            };
        }
        Plan { sort: Sort::Distributed, tool: self.tool(), tries, botnet }
    }

    fn stuffing(&mut self) -> Plan {
        let botnet = self.botnet();
        let count = self.rng.range(100, 400);
        let existing = self.rng.between(0.1, 0.7);
        let mut list = self.names.targets(&mut self.rng, count, existing, 0.05);
        self.rng.shuffle(&mut list);
        let length = self.rng.skewed(0.125, 8.0) * DAY;
        let start = self.rng.unit() * (self.span - length * 0.5).max(0.0);
        let mut bots: Vec<IpAddr> = Vec::new();
        for _ in 0..(list.len() * self.rng.range(75, 100) / 100).max(1) {
            bots.push(self.bot(&botnet));
        }
        let mut tries = Vec::new();
        for (i, local) in list.into_iter().enumerate() {
            let from = if i < bots.len() { bots[i] } else { *self.rng.pick(&bots) };
            tries.push(Try { at: start + self.rng.unit() * length, from, local, count: 1 });
        }
        let mut tool = self.tool();
        if self.rng.chance(0.8) {
            tool.spelling = Spelling::Full;
        }
        Plan { sort: Sort::Stuffing, tool, tries, botnet }
    }

    fn brute_force(&mut self) -> Plan {
        let botnet = self.botnet();
        let mut tool = self.tool();
        let local = self.names.targets(&mut self.rng, 1, 0.75, 0.9).pop();
        let local = local.unwrap_or_else(|| "info".to_string());
        let mut count = self.rng.skewed(15.0, 2500.0) as usize;
        let mut gap = self.rng.skewed(1.0, 180.0);
        let mut from = vec![self.bot(&botnet)];
        if self.rng.chance(0.12) {
            from = self.town.gateway.clone();
            count = count.min(120);
            gap = gap.max(8.0);
            tool.service = Service::Imap;
            tool.second = None;
            tool.mechanism = "PLAIN";
        }
        if tool.spelling == Spelling::Mixed {
            tool.spelling = Spelling::Full;
        }
        let mut t = self.rng.unit() * self.span * 0.95;
        let mut tries = Vec::new();
        let mut left = count;
        while left > 0 {
            let most = if tool.service == Service::Imap && from.len() == 1 { 3 } else { 1 };
            let n = self.rng.range(1, most).min(left);
            let address = *self.rng.pick(&from);
            tries.push(Try { at: t, from: address, local: local.clone(), count: n as u32 });
            left -= n;
            t += gap * self.rng.between(0.6, 1.4);
            if self.rng.chance(0.003) {
                t += self.rng.skewed(600.0, DAY);
            }
        }
        Plan { sort: Sort::BruteForce, tool, tries, botnet }
    }
}
