//! The log under construction: events in any order first, lines in order of time at the end.
//!
//! Every event is one line of the shapes in shared/spec/line-formats.md (Postfix with the user name
//! in failure lines, Dovecot 2.3). A failed Dovecot session is one line for all its attempts; an
//! SMTP login without a message leaves no line with a name, so only messages are booked. About one
//! SMTP session in eight also leaves its connect and disconnect lines; the others are left out to
//! keep the month small.

use super::nets::World;
use super::render;
use super::rng::Rng;
use super::{Failed, Who};
use std::net::IpAddr;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    Port25,
    Submission,
    Smtps,
    Imap,
}

pub enum What {
    ImapOk { user: String },
    ImapBad { user: String, mechanism: &'static str, tries: u32, seconds: u32 },
    SmtpOk { user: String, service: Service },
    SmtpBad { user: String, mechanism: &'static str, service: Service },
    Connect { service: Service },
    Disconnect { service: Service, good: bool },
    Lost { service: Service },
    NoAttempt,
}

pub struct Event {
    /// Microseconds after the start of the month.
    pub at: u64,
    pub from: IpAddr,
    pub what: What,
    who: Option<Who>,
}

pub struct Book {
    events: Vec<Event>,
    rng: Rng,
    span: f64,
}

impl Book {
    /// `span`: length of the month in seconds; what would come later is not booked.
    pub fn new(rng: Rng, span: f64) -> Book {
        Book { events: Vec::new(), rng, span }
    }

    fn push(&mut self, at: f64, from: IpAddr, what: What, who: Option<Who>) {
        if at >= 0.0 && at < self.span {
            let at = (at * 1e6) as u64 + self.rng.below(1000) as u64;
            self.events.push(Event { at, from, what, who });
        }
    }

    pub fn login(&mut self, at: f64, from: IpAddr, user: &str) {
        self.push(at, from, What::ImapOk { user: user.to_string() }, None);
    }

    pub fn sent(&mut self, at: f64, from: IpAddr, user: &str, service: Service) {
        if self.rng.chance(0.12) {
            self.push(at - 0.4, from, What::Connect { service }, None);
            let end = at + self.rng.between(0.3, 3.0);
            self.push(end, from, What::Disconnect { service, good: true }, None);
        }
        self.push(at, from, What::SmtpOk { user: user.to_string(), service }, None);
    }

    /// One failed attempt, on any service.
    pub fn failed(
        &mut self,
        at: f64,
        from: IpAddr,
        user: &str,
        service: Service,
        mechanism: &'static str,
        who: Who,
    ) {
        if service == Service::Imap {
            self.failed_session(at, from, user, mechanism, 1, who);
            return;
        }
        if self.rng.chance(0.12) {
            self.push(at - 0.6, from, What::Connect { service }, None);
            let end = at + self.rng.between(0.2, 2.0);
            let what = if self.rng.chance(0.3) {
                What::Lost { service }
            } else {
                What::Disconnect { service, good: false }
            };
            self.push(end, from, what, None);
        }
        let user = user.to_string();
        self.push(at, from, What::SmtpBad { user, mechanism, service }, Some(who));
    }

    /// One Dovecot connection with several failed attempts.
    pub fn failed_session(
        &mut self,
        at: f64,
        from: IpAddr,
        user: &str,
        mechanism: &'static str,
        tries: u32,
        who: Who,
    ) {
        // Dovecot delays each failure by two seconds.
        let seconds = tries * 2 + self.rng.below(4 * tries as usize) as u32;
        let user = user.to_string();
        self.push(at, from, What::ImapBad { user, mechanism, tries, seconds }, Some(who));
    }

    /// Scanners that connect and leave: in every real log, of no meaning here.
    pub fn probe(&mut self, at: f64, from: IpAddr) {
        match self.rng.below(3) {
            0 => self.push(at, from, What::NoAttempt, None),
            1 => {
                let service = Service::Port25;
                self.push(at, from, What::Connect { service }, None);
                self.push(at + 1.0, from, What::Lost { service }, None);
            }
            _ => {
                let service = Service::Port25;
                self.push(at, from, What::Connect { service }, None);
                self.push(at + 2.5, from, What::Disconnect { service, good: true }, None);
            }
        }
    }

    /// The lines, and for each failed attempt the line that shows it.
    pub fn finish(mut self, world: &World) -> (Vec<u8>, Vec<Failed>) {
        self.events.sort_by_key(|e| e.at);
        let mut log = Vec::with_capacity(self.events.len() * 150);
        let mut failures = Vec::new();
        for (line, event) in self.events.iter().enumerate() {
            render::line(&mut log, event, world, &mut self.rng);
            let tries = match event.what {
                What::ImapBad { tries, .. } => tries,
                _ => 1,
            };
            if let Some(who) = event.who {
                failures.extend((0..tries).map(|_| Failed { line, who }));
            }
        }
        (log, failures)
    }
}
