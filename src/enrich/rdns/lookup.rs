//! One address: whom to ask next, and when to give up.

use std::io;
use std::mem;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::exchange::{Heard, Question};
use super::message::{ReverseName, Said};
use super::server::{Readiness, Server};
use crate::enrich::scope::Scope;
use crate::origin::ReverseDns;

/// Servers asked about one address.
const MOST_SERVERS: usize = 3;

/// How the look-up of an address ended.
pub(super) enum Verdict {
    /// A server said so.
    Said(ReverseDns),
    /// The question was sent, and nobody said a word.
    Silence,
    /// This machine could not send anything.
    NotSent(io::Error),
}

/// The look-up of one address.
pub(super) struct Lookup {
    /// Its place among the addresses.
    pub(super) place: usize,
    /// The questions we wait for, one for each server at most.
    pub(super) questions: Vec<Question>,
    name: ReverseName,
    scope: Scope,
    timeout: Duration,
    /// When to ask the next server.
    next_at: Instant,
    /// When to give up, whatever is open.
    end: Instant,
    asked: Vec<usize>,
    repeated: bool,
    /// The first server's excuse.
    excuse: Option<ReverseDns>,
    /// Why the last server could not be sent anything.
    unsent: Option<io::Error>,
    sent: bool,
}

/// The first server that can be asked about addresses of this scope and is not among `asked`.
pub(super) fn next_server(
    servers: &mut [Server],
    scope: Scope,
    asked: &[usize],
    now: Instant,
) -> (Readiness, usize) {
    let mut best = Readiness::Dead;
    for (at, server) in servers.iter_mut().enumerate() {
        if !server.serves(scope) || asked.contains(&at) {
            continue;
        }
        match server.readiness(now) {
            Readiness::Ready => return (Readiness::Ready, at),
            Readiness::Busy => best = Readiness::Busy,
            Readiness::Dead => {}
        }
    }
    (best, 0)
}

impl Lookup {
    /// Asks nobody yet. `None` never happens.
    pub(super) fn new(
        place: usize,
        address: IpAddr,
        timeout: Duration,
        now: Instant,
    ) -> Option<Self> {
        Some(Self {
            place,
            questions: Vec::new(),
            name: ReverseName::of(address)?,
            scope: Scope::of(address),
            timeout,
            next_at: now,
            end: now + timeout * 5 / 2,
            asked: Vec::new(),
            repeated: false,
            excuse: None,
            unsent: None,
            sent: false,
        })
    }

    /// Does what is due: listens, gives up waiting, asks on.
    pub(super) fn go_on(&mut self, servers: &mut [Server], now: Instant) -> Option<Verdict> {
        if let Some(outcome) = self.listen(servers, now) {
            self.close(servers, now);
            return Some(Verdict::Said(outcome));
        }
        self.expire(servers, now);
        if now < self.end && (self.questions.is_empty() || now >= self.next_at) {
            self.ask_on(servers, now);
        }
        if !self.questions.is_empty() {
            return None;
        }
        Some(match (self.excuse.take(), self.unsent.take()) {
            (Some(excuse), _) => Verdict::Said(excuse),
            (None, Some(error)) if !self.sent => Verdict::NotSent(error),
            (None, _) => Verdict::Silence,
        })
    }

    /// When something is due, if nothing is heard before.
    pub(super) fn due(&self) -> Instant {
        let ends = self.questions.iter().map(|question| question.time.end);
        ends.fold(self.next_at, Instant::min)
    }

    /// Hangs up. A server that had its time to answer counts as silent.
    pub(super) fn close(&mut self, servers: &mut [Server], now: Instant) {
        for question in self.questions.drain(..) {
            let Some(server) = servers.get_mut(question.server) else { continue };
            if now >= question.time.start + self.timeout / 2 {
                server.silent(question.number, now);
            } else {
                server.dropped();
            }
        }
    }

    /// The final answer, if there is one; else makes the next step due where it is.
    fn listen(&mut self, servers: &mut [Server], now: Instant) -> Option<ReverseDns> {
        let mut outcome = None;
        for mut question in mem::take(&mut self.questions) {
            let heard = if question.ready { question.listen(&self.name) } else { Heard::Nothing };
            let Some(server) = servers.get_mut(question.server) else { continue };
            match heard {
                Heard::Nothing => self.questions.push(question),
                Heard::Nobody => {
                    server.silent(question.number, now);
                    self.next_at = now;
                }
                Heard::Answer(said) => {
                    server.answered(question.number);
                    match said {
                        Said::Final(it) => outcome = Some(it),
                        Said::Failed(excuse) => self.excused(excuse, now),
                        Said::Truncated => {
                            let time = now..self.end.min(now + self.timeout);
                            match question.by_stream(server.address, time) {
                                Ok(mut question) => {
                                    question.number = server.asked();
                                    self.questions.push(question);
                                }
                                Err(_) => self.excused(ReverseDns::ServerFailed, now),
                            }
                        }
                    }
                }
            }
        }
        outcome
    }

    fn excused(&mut self, excuse: ReverseDns, now: Instant) {
        self.excuse.get_or_insert(excuse);
        self.next_at = now;
    }

    fn expire(&mut self, servers: &mut [Server], now: Instant) {
        for question in self.questions.extract_if(.., |question| now >= question.time.end) {
            if let Some(server) = servers.get_mut(question.server) {
                server.silent(question.number, now);
            }
        }
    }

    /// Asks the next server, or the only one again.
    fn ask_on(&mut self, servers: &mut [Server], now: Instant) {
        self.next_at = now + self.timeout / 2;
        while self.asked.len() < MOST_SERVERS
            && let (Readiness::Ready, at) = next_server(servers, self.scope, &self.asked, now)
            && let Some(server) = servers.get_mut(at)
        {
            self.asked.push(at);
            let time = now..self.end.min(now + self.timeout);
            match Question::send(&self.name, at, server.address, time) {
                Ok(mut question) => {
                    question.number = server.asked();
                    self.questions.push(question);
                    self.sent = true;
                    return;
                }
                Err(error) => self.unsent = Some(error),
            }
        }
        if let [only] = self.questions.as_slice()
            && !mem::replace(&mut self.repeated, true)
        {
            only.repeat();
        }
    }
}
