//! What the owners do on each day: log in, send, mistype.
//!
//! Assumptions: about 3.6 sessions on a working day, half of that at weekends; a desktop program
//! opens 1 to 3 IMAP connections at once, a phone 1, webmail 2 to 4 (one per page). Work from 7 to
//! 18 in the office, phone in between, home in the evening and at night, where the phone is on
//! Wi-Fi. 0 to 15 messages a day. A password is typed wrongly in 0.5 to 8 % of the sessions in
//! which it is typed (webmail always, desktop seldom): 1 to 4 times in a row, with caps lock 3 to 8
//! times, then right; one in ten gives up and comes back hours later; abroad 2.5 times as often.
//! Six in ten role accounts are shared by 2 to 4 people, each from their own places. Scripts: a
//! monitor that logs in every 5 minutes or every half hour, and a scanner that sends from an
//! office.

use super::Who;
use super::book::{Book, Service};
use super::names::Names;
use super::nets::{Kind, World};
use super::people::{DAY, Person, Town};
use super::rng::Rng;
use std::net::IpAddr;

#[derive(Clone, Copy, PartialEq)]
enum Device {
    Phone,
    Desktop,
    Webmail,
}

pub struct Life<'a> {
    pub world: &'a World,
    pub town: &'a Town,
    pub names: &'a Names,
    pub book: &'a mut Book,
    pub rng: Rng,
}

impl Life<'_> {
    pub fn month(&mut self, people: &[Person], days: u32) {
        for (account, person) in people.iter().enumerate() {
            let mut crew = vec![person];
            if self.names.is_role(account) && self.rng.chance(0.6) {
                for _ in 0..self.rng.range(1, 3) {
                    crew.push(self.rng.pick(people));
                }
            }
            for day in 0..days {
                self.day(account, &crew, day);
            }
        }
    }

    /// `crew`: the owner and those who share the account.
    fn day(&mut self, account: usize, crew: &[&Person], day: u32) {
        let person = crew[0];
        // The month starts on a Thursday.
        let weekend = matches!((day + 3) % 7, 5 | 6);
        let count = self.rng.poisson(person.sessions * if weekend { 0.55 } else { 1.0 });
        let mut mails = self.rng.poisson(person.mails * if weekend { 0.3 } else { 1.2 }).min(15);
        for left in (1..=count).rev() {
            let hour = self.hour(weekend) + person.shift;
            let t = f64::from(day) * DAY + (hour - self.world.zone) * 3600.0;
            let now = if left == 1 { mails } else { self.rng.below(mails + 1) };
            mails -= now;
            let user = *self.rng.pick(crew);
            if person.active.0 <= t && user.reads_mail(t) {
                self.session(account, user, t, weekend, now);
            }
        }
        if let Some(letter) = &person.newsletter
            && letter.days.contains(&day)
        {
            let t = f64::from(day) * DAY + letter.hour * 3600.0;
            let from = letter.server.unwrap_or_else(|| {
                person.office.unwrap_or_else(|| person.at_home(t, account as u64, &mut self.rng))
            });
            self.newsletter(account, t, from);
        }
    }

    fn hour(&mut self, weekend: bool) -> f64 {
        let mix = if weekend { [0.05, 0.3, 0.6, 0.05] } else { [0.15, 0.5, 0.32, 0.03] };
        match self.rng.weighted(&mix) {
            0 => self.rng.bell(7.3, 0.6),
            1 => self.rng.between(8.0, 18.0),
            2 => self.rng.between(17.5, 23.8),
            _ => self.rng.between(0.0, 6.0),
        }
    }

    fn device(&mut self, person: &Person, t: f64, weekend: bool) -> Device {
        if self.rng.chance(person.webmail) {
            return Device::Webmail;
        }
        let hour = (t / 3600.0 + self.world.zone).rem_euclid(24.0);
        let working = !weekend && person.office.is_some() && (8.0..18.0).contains(&hour);
        let desktop = working || person.desktop_at_home;
        if desktop && self.rng.chance(if working { 0.7 } else { 0.45 }) {
            Device::Desktop
        } else {
            Device::Phone
        }
    }

    fn place(&mut self, account: usize, person: &Person, t: f64, device: Device) -> IpAddr {
        if device == Device::Webmail {
            return *self.rng.pick(&self.town.gateway);
        }
        if let Some((service, share, favourite)) = person.vpn
            && self.rng.chance(share)
        {
            let exits = &self.world.exits[service];
            return if self.rng.chance(0.4) { exits[favourite] } else { *self.rng.pick(exits) };
        }
        if device == Device::Phone
            && let Some(cloud) = &person.cloud
        {
            return cloud.at(t);
        }
        if let Some(trip) = person.travelling(t) {
            return match &trip.phone {
                Some(local) if device == Device::Phone => local.at(t),
                None if device == Device::Phone && self.rng.chance(0.6) => person.phone.at(t),
                _ => trip.hotel.at(t),
            };
        }
        let hour = (t / 3600.0 + self.world.zone).rem_euclid(24.0);
        let weekend = matches!(((t / DAY) as u32 + 3) % 7, 5 | 6);
        let key = account as u64 * 7 + device as u64;
        match person.office {
            Some(office) if !weekend && (8.0..18.0).contains(&hour) => {
                let inside = if device == Device::Desktop { 0.92 } else { 0.4 };
                if self.rng.chance(inside) {
                    office
                } else if device == Device::Phone {
                    person.phone.at(t)
                } else {
                    person.at_home(t, key, &mut self.rng)
                }
            }
            _ => {
                let night = !(7.5..18.5).contains(&hour);
                let outside = if device == Device::Desktop { 0.02 } else { 0.55 };
                if self.rng.chance(if night { outside * 0.3 } else { outside }) {
                    person.phone.at(t)
                } else {
                    person.at_home(t, key, &mut self.rng)
                }
            }
        }
    }

    fn session(&mut self, account: usize, person: &Person, t: f64, weekend: bool, mails: usize) {
        let device = self.device(person, t, weekend);
        if device == Device::Phone && !person.phone_works(t) {
            return;
        }
        let from = self.place(account, person, t, device);
        let mut t = t;
        let typed = match device {
            Device::Webmail => 1.0,
            Device::Desktop => 0.5,
            Device::Phone => 0.08,
        };
        let abroad = if person.travelling(t).is_some() { 4.0 } else { 1.6 };
        if self.rng.chance(person.clumsy * typed * abroad) {
            match self.mistype(account, t, from, device) {
                Some(end) => t = end,
                None => return,
            }
        }
        let user = &self.names.accounts[account].name;
        let logins = match device {
            Device::Phone => 1,
            Device::Desktop => self.rng.range(1, 3),
            Device::Webmail => self.rng.range(2, 4),
        };
        for i in 0..logins {
            let pause = if device == Device::Webmail { 40.0 } else { 0.8 };
            self.book.login(t + i as f64 * self.rng.between(0.2, 1.0) * pause, from, user);
        }
        let service = if (account + device as usize).is_multiple_of(3) {
            Service::Smtps
        } else {
            Service::Submission
        };
        let mut sent = t;
        for _ in 0..mails {
            sent += self.rng.skewed(20.0, 900.0);
            self.book.sent(sent, from, user, service);
        }
    }

    /// Wrong passwords until the right one; the time after the last, or None if the user gives up.
    fn mistype(&mut self, account: usize, t: f64, from: IpAddr, device: Device) -> Option<f64> {
        let who = Who::Own { account };
        let caps_lock = self.rng.chance(0.15);
        let tries = if caps_lock { self.rng.range(3, 8) } else { self.rng.range(1, 4) };
        let mut user = self.names.accounts[account].name.clone();
        if self.rng.chance(0.22) {
            user = self.names.mistyped(&mut self.rng, account);
        }
        let smtp = device != Device::Webmail && self.rng.chance(0.35);
        let mut t = t;
        let mut left = tries;
        while left > 0 {
            if smtp {
                let mechanism = if self.rng.chance(0.7) { "PLAIN" } else { "LOGIN" };
                self.book.failed(t, from, &user, Service::Submission, mechanism, who);
                left -= 1;
            } else {
                // Programs ask again on the same connection, webmail opens a new one.
                let n = if device == Device::Webmail { 1 } else { self.rng.range(1, left.min(3)) };
                self.book.failed_session(t, from, &user, "PLAIN", n as u32, who);
                left -= n;
            }
            t += self.rng.skewed(4.0, 60.0);
        }
        (!self.rng.chance(0.1)).then_some(t)
    }

    fn newsletter(&mut self, account: usize, t: f64, from: IpAddr) {
        let user = self.names.accounts[account].name.clone();
        let count = self.rng.skewed(30.0, 200.0) as usize;
        let gap = self.rng.between(1200.0, 3600.0) / count as f64;
        for i in 0..count {
            let at = t + gap * (i as f64 + self.rng.between(0.0, 0.5));
            self.book.sent(at, from, &user, Service::Submission);
        }
    }

    /// A monitor that logs in day and night, and a scanner in an office.
    pub fn scripts(&mut self, days: u32) {
        let watcher = match self.rng.below(3) {
            0 => IpAddr::from([127, 0, 0, 1]),
            _ => {
                let hosts = self.world.at_home(Kind::Hosting);
                self.world.v4(&mut self.rng, hosts[0])
            }
        };
        let every = if self.rng.chance(0.5) { 300.0 } else { 1800.0 };
        let names = self.names;
        let of_role = |role: &str| names.index(role).unwrap_or(names.accounts.len() - 1);
        let watched = &names.accounts[of_role("postmaster")].name;
        let mut t = self.rng.between(0.0, every);
        while t < f64::from(days) * DAY {
            self.book.login(t + self.rng.between(0.0, 2.0), watcher, watched);
            t += every;
        }
        let scanner = &names.accounts[of_role("scanner")].name;
        let office = *self.rng.pick(&self.town.offices);
        for day in 0..days {
            if !matches!((day + 3) % 7, 5 | 6) {
                for _ in 0..self.rng.poisson(4.0) {
                    let hour = self.rng.between(8.0, 17.5) - self.world.zone;
                    let t = f64::from(day) * DAY + hour * 3600.0;
                    self.book.sent(t, office, scanner, Service::Submission);
                }
            }
        }
    }
}
