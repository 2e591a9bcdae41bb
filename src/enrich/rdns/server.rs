//! A name server, and whether it is worth asking.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::scope::{Scope, is_own};

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
/// answer restores them, and no more questions are open than it has lives.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Whether it may be asked about addresses of the site.
    own: bool,
    most_lives: usize,
    lives: usize,
    open: usize,
    probe_at: Option<Instant>,
}

impl Server {
    /// One that the administrator named.
    pub(super) fn configured(address: SocketAddr, concurrency: usize) -> Self {
        let lives = concurrency.max(FEWEST);
        let own = is_own(address.ip());
        Self { address, own, most_lives: lives, lives, open: 0, probe_at: None }
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

    /// A question was sent. It ends with one of the three below.
    pub(super) fn asked(&mut self) {
        self.open += 1;
    }

    /// It answered, whatever it said.
    pub(super) fn answered(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.lives = self.most_lives;
    }

    /// It left a question unanswered.
    pub(super) fn silent(&mut self, now: Instant) {
        self.open = self.open.saturating_sub(1);
        if self.lives > 0 {
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

    fn exhausted(now: Instant) -> Server {
        let mut server = Server::configured(([127, 0, 0, 1], 53).into(), 64);
        for _ in 0..64 {
            assert_eq!(server.readiness(now), Readiness::Ready);
            server.asked();
        }
        assert_eq!(server.readiness(now), Readiness::Busy);
        for _ in 0..64 {
            server.silent(now);
        }
        server
    }

    #[test]
    fn a_server_silent_to_a_whole_batch_is_dead_until_a_probe_is_answered() {
        let now = Instant::now();
        let mut server = exhausted(now);
        assert_eq!(server.readiness(now), Readiness::Dead);
        let later = now + PROBE_AFTER;
        for _ in 0..PROBES {
            assert_eq!(server.readiness(later), Readiness::Ready);
            server.asked();
        }
        assert_eq!(server.readiness(later), Readiness::Busy, "four probes, not more");
        server.answered();
        assert_eq!(server.readiness(later), Readiness::Ready);
        assert!(!server.is_dead());
    }

    #[test]
    fn one_answer_makes_up_for_all_silence() {
        let now = Instant::now();
        let mut server = Server::configured(([127, 0, 0, 1], 53).into(), 64);
        for _ in 0..1000 {
            for _ in 0..63 {
                server.asked();
                server.silent(now);
            }
            server.asked();
            server.answered();
        }
        assert_eq!(server.readiness(now), Readiness::Ready);
    }
}
