//! Devices that keep an old password, and new devices that are set up wrongly.
//!
//! Assumptions: in a month 5 % of the accounts get a new password and leave one device behind; it
//! fails every 2 minutes to 2 hours, for 3 hours to 3 weeks, at most 1500 times. Phones move
//! between the carrier's addresses and the home; tablets and PCs are at home and off at times;
//! printers and old PCs sit in an office; scripts run on a rented server; a cloud that fetches mail
//! changes its address at each try. An account nobody uses any more can still have such a device
//! (all month). Some programs try IMAP and SMTP each time. The owner's other devices go on working;
//! the phone itself logs in again only after the new password was typed in. 6 % of the accounts set
//! up a new device: 2 to 7 tries, with the spellings that programs guess, then silence or success.
//! In one month of five the server itself refuses right passwords for 5 to 40 minutes.

use super::book::{Book, Service};
use super::names::Names;
use super::nets::{Kind, World};
use super::people::{DAY, Person, Town};
use super::rng::Rng;
use super::{START, Stale, Who};
use std::net::IpAddr;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Thing {
    Phone,
    HomePc,
    Office,
    Script,
    Fetcher,
}

/// An account whose password changes at a time.
pub struct Change {
    pub account: usize,
    pub at: f64,
    /// The owner was robbed: it is the phone that fails, and only for hours or days.
    pub after_theft: bool,
}

/// The ordinary password changes of the month.
pub fn changes(rng: &mut Rng, people: &[Person], span: f64) -> Vec<Change> {
    let mut list = Vec::new();
    for (account, person) in people.iter().enumerate() {
        let unused = person.active.0 >= span;
        if rng.chance(if unused { 0.12 } else { 0.05 }) {
            let at = if unused || rng.chance(0.1) { 0.0 } else { rng.between(0.02, 0.95) * span };
            list.push(Change { account, at, after_theft: false });
        }
    }
    list
}

pub struct Clinic<'a> {
    pub world: &'a World,
    pub town: &'a Town,
    pub names: &'a Names,
    pub book: &'a mut Book,
    pub rng: Rng,
    pub span: f64,
}

impl Clinic<'_> {
    pub fn stale(&mut self, change: &Change, people: &mut [Person]) -> Stale {
        let person = &mut people[change.account];
        let mut thing = match self.rng.weighted(&[0.4, 0.25, 0.15, 0.12, 0.08]) {
            _ if change.after_theft => Thing::Phone,
            0 => Thing::Phone,
            1 => Thing::HomePc,
            2 => Thing::Office,
            3 => Thing::Script,
            _ => Thing::Fetcher,
        };
        if thing == Thing::Office && person.office.is_none() {
            thing = Thing::HomePc;
        }
        let longest = if change.after_theft { 2.0 } else { 21.0 };
        let mut length = self.rng.skewed(0.125, longest) * DAY;
        if change.at == 0.0 {
            length = self.span;
        }
        let every = self.rng.skewed(120.0, 7200.0).max(length / 1500.0).round();
        let until = (change.at + length).min(self.span);
        if thing == Thing::Phone {
            person.phone_dead.push((change.at, until));
        }
        let rented = *self.rng.pick(&self.world.of_kind(Kind::Hosting));
        let server = self.world.v4(&mut self.rng, rented);
        let cloud = *self.rng.pick(&self.world.of_kind(Kind::Cloud));
        let farm: Vec<IpAddr> = (0..12).map(|_| self.world.v4(&mut self.rng, cloud)).collect();
        let nights = thing != Thing::Phone && self.rng.chance(0.6);
        let tool = self.tool();
        let (mut t, mut tries, mut first) = (change.at, 0, None);
        while t < until {
            let hour = (t / 3600.0 + self.world.zone).rem_euclid(24.0);
            let awake = nights || (7.0..23.0).contains(&hour) || thing == Thing::Phone;
            let from = match thing {
                Thing::Phone => self.phone(person, t, hour, change.account),
                Thing::HomePc => person.at_home(t, change.account as u64 + 900, &mut self.rng),
                Thing::Office => person.office.unwrap_or(server),
                Thing::Script => server,
                Thing::Fetcher => *self.rng.pick(&farm),
            };
            if awake {
                tries += self.fail(change.account, t, from, tool);
                first.get_or_insert(from);
            }
            t += every + self.rng.between(0.0, 5.0);
            if !nights && self.rng.chance(0.01) {
                t += self.rng.skewed(1800.0, 30_000.0);
            }
        }
        self.record(change, first, until, every as u32, tries)
    }

    fn record(
        &self,
        change: &Change,
        first: Option<IpAddr>,
        until: f64,
        every: u32,
        tries: usize,
    ) -> Stale {
        let net = first.and_then(|a| self.world.find(a)).map(|i| &self.world.nets[i]);
        Stale {
            account: self.names.accounts[change.account].name.clone(),
            asn: net.map_or(0, |n| n.asn),
            network: net.map_or(String::new(), |n| n.organisation.clone()),
            from: START + change.at as u64,
            until: START + until as u64,
            every,
            tries,
        }
    }

    fn phone(&mut self, person: &Person, t: f64, hour: f64, account: usize) -> IpAddr {
        if let Some(trip) = person.travelling(t) {
            return trip.phone.as_ref().unwrap_or(&person.phone).at(t);
        }
        let night = !(7.5..18.5).contains(&hour);
        let home = if night { 0.9 } else { 0.15 };
        // The same answer for a whole hour: a phone does not change its place at every try.
        let place = Rng::new((t / 3600.0) as u64 ^ ((account as u64) << 32)).unit();
        match person.office {
            _ if place < home => person.at_home(t, account as u64 + 7, &mut self.rng),
            Some(office) if !night && place > 0.6 => office,
            _ => person.phone.at(t),
        }
    }

    /// How the device logs in: by IMAP, by SMTP, or by both.
    fn tool(&mut self) -> (Option<Service>, bool) {
        match self.rng.below(4) {
            0 => (Some(Service::Submission), false),
            1 => (Some(Service::Smtps), false),
            2 => (None, true),
            _ => (Some(Service::Submission), true),
        }
    }

    fn fail(
        &mut self,
        account: usize,
        t: f64,
        from: IpAddr,
        tool: (Option<Service>, bool),
    ) -> usize {
        let user = &self.names.accounts[account].name;
        let who = Who::Own { account };
        let mut tries = 0;
        if tool.1 {
            let n = if self.rng.chance(0.15) { 2 } else { 1 };
            self.book.failed_session(t, from, user, "PLAIN", n, who);
            tries += n as usize;
        }
        if let Some(service) = tool.0 {
            self.book.failed(t + 1.5, from, user, service, "PLAIN", who);
            tries += 1;
        }
        tries
    }

    /// New devices, with the spellings that mail programs guess.
    pub fn setups(&mut self, people: &[Person]) {
        for (account, person) in people.iter().enumerate() {
            if !self.rng.chance(0.06) {
                continue;
            }
            let days = (self.span / DAY) as usize;
            let hour = self.rng.between(8.0, 22.0) - self.world.zone;
            let mut t = self.rng.below(days) as f64 * DAY + hour * 3600.0;
            let from = match person.office {
                Some(office) if self.rng.chance(0.3) => office,
                _ if self.rng.chance(0.3) => person.phone.at(t),
                _ => person.at_home(t, account as u64, &mut self.rng),
            };
            if !person.reads_mail(t) {
                continue;
            }
            let who = Who::Own { account };
            for _ in 0..self.rng.range(2, 7) {
                let name = self.names.accounts[account].name.clone();
                let wrong = self.names.mistyped(&mut self.rng, account);
                let user = if self.rng.chance(0.5) { name } else { wrong };
                if self.rng.chance(0.6) {
                    self.book.failed_session(t, from, &user, "PLAIN", 1, who);
                } else {
                    let service =
                        *self.rng.pick(&[Service::Submission, Service::Smtps, Service::Port25]);
                    let mechanism = *self.rng.pick(&["PLAIN", "LOGIN", "CRAM-MD5"]);
                    self.book.failed(t, from, &user, service, mechanism, who);
                }
                t += self.rng.skewed(1.0, 90.0);
            }
            if self.rng.chance(0.8) {
                self.book.login(t, from, &self.names.accounts[account].name);
            }
        }
    }

    /// The server's own fault: for some minutes half of the right passwords are refused, and the
    /// log does not say why. Behind an office's address many accounts fail at once.
    pub fn outage(&mut self, people: &[Person]) {
        if !self.rng.chance(0.2) {
            return;
        }
        let days = (self.span / DAY) as usize;
        let hour = self.rng.between(7.0, 21.0) - self.world.zone;
        let start = self.rng.below(days) as f64 * DAY + hour * 3600.0;
        let end = start + self.rng.skewed(300.0, 2400.0);
        for (account, person) in people.iter().enumerate() {
            if !person.reads_mail(start) || self.rng.chance(0.6) {
                continue;
            }
            let from = match person.office {
                Some(office) if hour < 17.0 && self.rng.chance(0.7) => office,
                _ if self.rng.chance(0.5) => person.phone.at(start),
                _ => person.at_home(start, account as u64, &mut self.rng),
            };
            let tool = self.tool();
            let mut t = start + self.rng.gap(200.0);
            while t < end {
                self.fail(account, t, from, tool);
                t += self.rng.skewed(30.0, 900.0);
            }
        }
    }

    /// Connections without an attempt, for the mass of lines that mean nothing here.
    pub fn scanners(&mut self) {
        let hosts = self.world.of_kind(Kind::Hosting);
        let mut t = 0.0;
        while t < self.span {
            let net = *self.rng.pick(&hosts);
            let from = self.world.v4(&mut self.rng, net);
            self.book.probe(t, from);
            t += self.rng.gap(2400.0);
        }
        let gateway = *self.rng.pick(&self.town.gateway);
        self.book.probe(self.span / 2.0, gateway);
    }
}
