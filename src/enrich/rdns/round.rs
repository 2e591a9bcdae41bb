//! Many look-ups at once: fills the free places, waits for all sockets, ends in time.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};
use rustix::io::Errno;

use super::Answer;
use super::exchange::{Question, random};
use super::lookup::{Lookup, Verdict, next_server};
use super::server::{Readiness, Server};
use crate::enrich::scope::Scope;
use crate::origin::ReverseDns;

/// How long the run's wish to stop may go unnoticed.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// A set of addresses on its way.
pub(super) struct Round<'a> {
    servers: &'a mut [Server],
    timeout: Duration,
    /// How many look-ups may be open.
    places: usize,
    waiting: Vec<(usize, IpAddr)>,
    open: Vec<Lookup>,
    /// Those of which no server said a word.
    unheard: Vec<usize>,
    answers: Vec<Answer>,
}

impl<'a> Round<'a> {
    pub(super) fn new(servers: &'a mut [Server], timeout: Duration, places: usize) -> Self {
        let (waiting, open, unheard) = (Vec::new(), Vec::new(), Vec::new());
        Self { servers, timeout, places, waiting, open, unheard, answers: Vec::new() }
    }

    /// The answers, in the order of `addresses`.
    pub(super) fn run(
        mut self,
        addresses: &[IpAddr],
        deadline: Instant,
        stop: &dyn Fn() -> bool,
    ) -> Vec<Answer> {
        for (place, address) in addresses.iter().map(IpAddr::to_canonical).enumerate() {
            let known = self.servers.iter().any(|server| server.serves(Scope::of(address)));
            if known {
                self.waiting.push((place, address));
                self.answers.push(Answer { outcome: ReverseDns::ServerFailed, settled: false });
            } else {
                self.answers.push(Answer { outcome: ReverseDns::NoName, settled: true });
            }
        }
        loop {
            let now = Instant::now();
            if now >= deadline || stop() {
                break;
            }
            self.fill(now);
            if self.open.is_empty() || self.wait(now, deadline).is_err() {
                break;
            }
            self.go_on(Instant::now());
        }
        let now = Instant::now();
        for lookup in &mut self.open {
            lookup.close(self.servers, now);
        }
        self.doubt_silence();
        self.answers
    }

    /// Starts look-ups in random order, and gives those up whose servers are all dead.
    fn fill(&mut self, now: Instant) {
        while self.open.len() < self.places && !self.waiting.is_empty() {
            let at = usize::try_from(random().unwrap_or_default()).unwrap_or_default();
            let (place, address) = self.waiting.swap_remove(at % self.waiting.len());
            match next_server(self.servers, Scope::of(address), &[], now).0 {
                Readiness::Dead => continue,
                Readiness::Busy => return self.waiting.push((place, address)),
                Readiness::Ready => {}
            }
            let Some(mut lookup) = Lookup::new(place, address, self.timeout, now) else {
                continue;
            };
            match lookup.go_on(self.servers, now) {
                None => self.open.push(lookup),
                Some(Verdict::NotSent(error)) if is_shortage(&error) && !self.open.is_empty() => {
                    self.places = self.open.len();
                    self.waiting.push((place, address));
                }
                Some(verdict) => self.record(place, verdict),
            }
        }
    }

    /// Waits until something is heard or due.
    fn wait(&mut self, now: Instant, deadline: Instant) -> io::Result<()> {
        let due = self.open.iter().map(Lookup::due).fold(deadline, Instant::min);
        // A millisecond more, for a clock may round down.
        let time = due.saturating_duration_since(now) + Duration::from_millis(1);
        let time = Timespec::try_from(time.min(STOP_CHECK)).map_err(io::Error::other)?;
        let mut watched: Vec<_> =
            self.open.iter().flat_map(|lookup| &lookup.questions).map(Question::watched).collect();
        match poll(&mut watched, Some(&time)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<_> = watched.iter().map(|socket| !socket.revents().is_empty()).collect();
        let questions = self.open.iter_mut().flat_map(|lookup| &mut lookup.questions);
        for (question, ready) in questions.zip(ready) {
            question.ready = ready;
        }
        Ok(())
    }

    fn go_on(&mut self, now: Instant) {
        for mut lookup in std::mem::take(&mut self.open) {
            match lookup.go_on(self.servers, now) {
                None => self.open.push(lookup),
                Some(verdict) => self.record(lookup.place, verdict),
            }
        }
    }

    fn record(&mut self, place: usize, verdict: Verdict) {
        let Some(answer) = self.answers.get_mut(place) else { return };
        *answer = match verdict {
            Verdict::Said(outcome) => Answer { outcome, settled: true },
            Verdict::Silence => {
                self.unheard.push(place);
                Answer { outcome: ReverseDns::ServerFailed, settled: true }
            }
            Verdict::NotSent(_) => Answer { outcome: ReverseDns::NoName, settled: false },
        };
    }

    /// The silence of dead servers says nothing about an address.
    fn doubt_silence(&mut self) {
        if self.servers.iter().all(Server::is_dead) {
            for place in &self.unheard {
                if let Some(answer) = self.answers.get_mut(*place) {
                    answer.settled = false;
                }
            }
        }
    }
}

/// Too many sockets are open, ours or the system's: there will be room when some are closed.
fn is_shortage(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
