//! A name server, and whether it is worth asking.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::enrich::scope::{Scope, is_own};

/// How often a dead server is asked again, and how many questions.
const PROBE_AFTER: Duration = Duration::from_secs(10);
const PROBES: usize = 4;
/// A server is not called dead for fewer unanswered questions than this.
const FEWEST: usize = 8;

/// Whether a question may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It may.
    Ready,
    /// The answers to earlier questions will tell.
    Busy,
    /// The server is dead.
    Dead,
}

/// A name server in the course of a run.
///
/// It has as many lives as questions are asked at once. Each unanswered question costs one, any
/// answer restores them, and no more questions are open than it has lives. A question sent before
/// one that was answered costs nothing: the unanswered stay open longest, so that in the end all
/// places may be taken by them though the server answered every other question in between.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Whether it may be asked about addresses of the site.
    own: bool,
    most_lives: usize,
    lives: usize,
    open: usize,
    /// The number of the question sent last.
    last: u64,
    /// The number of the latest question that was answered.
    last_answered: u64,
    probe_at: Option<Instant>,
}

impl Server {
    /// One that the administrator named.
    pub(super) fn configured(address: SocketAddr, concurrency: usize) -> Self {
        let lives = concurrency.max(FEWEST);
        Self {
            address,
            own: is_own(address.ip()),
            most_lives: lives,
            lives,
            open: 0,
            last: 0,
            last_answered: 0,
            probe_at: None,
        }
    }

    /// One that the system asks: a forwarder on this machine passes questions on to strangers.
    pub(super) fn of_the_system(address: SocketAddr, concurrency: usize) -> Self {
        Self { own: false, ..Self::configured(address, concurrency) }
    }

    /// Whether it can know the names of such addresses.
    pub(super) fn serves(&self, scope: Scope) -> bool {
        self.own || scope == Scope::Public
    }

    /// Whether it may be asked.
    pub(super) fn readiness(&mut self, now: Instant) -> Readiness {
        if self.lives == 0 && self.probe_at.is_some_and(|at| at <= now) {
            self.lives = PROBES;
        }
        match self.lives {
            0 => Readiness::Dead,
            lives if lives > self.open => Readiness::Ready,
            _ => Readiness::Busy,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.lives == 0
    }

    /// A question was sent; returns its number. It ends with one of the three below.
    pub(super) fn asked(&mut self) -> u64 {
        self.open += 1;
        self.last += 1;
        self.last
    }

    /// It answered the question of this number, whatever it said.
    pub(super) fn answered(&mut self, number: u64) {
        self.open = self.open.saturating_sub(1);
        self.last_answered = self.last_answered.max(number);
        self.lives = self.most_lives;
    }

    /// It left the question of this number unanswered.
    pub(super) fn silent(&mut self, number: u64, now: Instant) {
        self.open = self.open.saturating_sub(1);
        if self.lives > 0 && number > self.last_answered {
            self.lives -= 1;
            self.probe_at = Some(now + PROBE_AFTER);
        }
    }

    /// We stopped listening before it could be expected to answer.
    pub(super) fn dropped(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server::configured(([127, 0, 0, 1], 53).into(), 64)
    }

    #[test]
    fn a_server_silent_to_a_whole_batch_is_dead_until_a_probe_is_answered() {
        let now = Instant::now();
        let mut server = server();
        let mut numbers = Vec::new();
        for _ in 0..64 {
            assert_eq!(server.readiness(now), Readiness::Ready);
            numbers.push(server.asked());
        }
        assert_eq!(server.readiness(now), Readiness::Busy);
        for number in numbers {
            assert!(!server.is_dead());
            server.silent(number, now);
        }
        assert_eq!(server.readiness(now), Readiness::Dead);
        let later = now + PROBE_AFTER;
        let mut last = 0;
        for _ in 0..PROBES {
            assert_eq!(server.readiness(later), Readiness::Ready);
            last = server.asked();
        }
        assert_eq!(server.readiness(later), Readiness::Busy, "four probes, not more");
        server.answered(last);
        assert_eq!(server.readiness(later), Readiness::Ready);
        assert!(!server.is_dead());
    }

    #[test]
    fn unanswered_questions_that_took_all_places_one_by_one_do_not_kill() {
        let now = Instant::now();
        let mut server = server();
        let mut silent = Vec::new();
        for _ in 0..63 {
            silent.push(server.asked());
            let kind = server.asked();
            server.answered(kind);
        }
        for number in silent {
            server.silent(number, now);
        }
        assert_eq!(server.readiness(now), Readiness::Ready);
        assert_eq!(server.lives, 64);
    }
}
