//! Asks who is behind the addresses of a transaction, and what nobody could be asked before.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::config::{Config, NameCache};
use crate::enrich::geo::Databases;
use crate::enrich::rdns::{Answer, Resolver, Settings};
use crate::enrich::scope::special;
use crate::host::Host;
use crate::origin::{AutonomousSystem, Country, Origin, ReverseDns};
use crate::store::{Batch, Store, StoreError};

/// Addresses that are looked up at a time: the slowest of them is waited for, so it is many.
const CHUNK: usize = 32 * 1024;
/// Names that are remembered at least; each takes about 100 bytes.
const CACHE: u64 = 100_000;
/// Addresses that an earlier run had no time for and that one run asks for.
pub(super) const LATE: usize = 10_000;
const DNS_HINT: &str = "see that the servers of /etc/resolv.conf, or of `nameservers` in section \
    [dns] if it is set, answer; `enabled = false` there asks nobody";
/// So few addresses without an answer say nothing about the name servers.
const FEW: usize = 4;
/// How often the look-ups report where they are.
const TICK: Duration = Duration::from_millis(100);

/// All that tells of addresses, for one run.
pub(super) struct Enricher {
    resolver: Option<Resolver>,
    databases: Databases,
    cache: NameCache,
    now: Timestamp,
    /// Names that are late are asked for beside.
    hurries: bool,
    /// What of the time budget is left.
    left: Duration,
    /// How many names were asked for, and how many of them nobody answered.
    asked: usize,
    unanswered: usize,
    /// For how many of them the servers failed.
    failed: usize,
}

impl Enricher {
    pub(super) fn new(host: &Host, config: &Config) -> Self {
        let settings = config.dns.as_ref().map(|dns| Settings {
            nameservers: dns.nameservers.clone(),
            timeout: dns.timeout,
            concurrency: dns.concurrency,
        });
        let (countries, networks) = (config.countries.paths.clone(), config.networks.paths.clone());
        Self {
            resolver: settings.map(Resolver::new),
            databases: Databases::new(countries, networks, Some(config.paths.state_dir.clone())),
            cache: config.name_cache.clone(),
            now: (host.now)(),
            hurries: false,
            left: config.dns.as_ref().map_or(Duration::ZERO, |dns| dns.budget),
            asked: 0,
            unanswered: 0,
            failed: 0,
        }
    }

    /// Waits for all names together no longer than `most`, and does not warn if that was too short.
    pub(super) fn hurry(&mut self, most: Duration) {
        self.left = self.left.min(most);
        self.hurries = true;
    }

    /// How many addresses nobody could be asked about in time.
    pub(super) fn late(&self) -> usize {
        self.unanswered
    }

    /// Notes the origin of every new address of `batch`; false if the run was asked to end.
    pub(super) fn enrich(
        &mut self,
        batch: &Batch<'_>,
        host: &Host,
        tick: &mut dyn FnMut(usize),
    ) -> Result<bool, StoreError> {
        loop {
            let pending = batch.without_origin(CHUNK)?;
            if pending.is_empty() {
                return Ok(true);
            }
            let (mut names, mut unknown) = (Vec::new(), Vec::new());
            for (_, address) in &pending {
                let name = self
                    .resolver
                    .as_ref()
                    .map(|_| batch.name(*address, (self.valid_since(), self.now)));
                let name = name.transpose()?.flatten();
                if name.is_none() {
                    unknown.push(*address);
                }
                names.push(name);
            }
            let mut answers = self.ask(&unknown, host, tick).into_iter();
            if host.stopping() {
                return Ok(false);
            }
            for ((id, address), name) in pending.into_iter().zip(names) {
                let reverse_dns = match name {
                    Some(name) => name,
                    None => self.take(batch, address, answers.next())?,
                };
                let (country, network) = self.databases.look_up(address);
                batch.set_origin(id, &Origin { reverse_dns, country, network })?;
            }
        }
    }

    /// What to record of a fresh answer, which goes to the cache.
    fn take(
        &self,
        batch: &Batch<'_>,
        address: IpAddr,
        answer: Option<Answer>,
    ) -> Result<ReverseDns, StoreError> {
        let Some(Answer { outcome, settled }) = answer else { return Ok(ReverseDns::NoName) };
        if outcome.name().is_none() {
            log::debug!("Reverse lookup failed for IP {address}: {}", outcome.status());
        }
        // Who sets a name server of his own is to see what it says of his network at once.
        if special(address).is_none() || outcome != ReverseDns::NoName {
            batch.remember_name(address, &outcome, settled.then_some(self.now))?;
        }
        Ok(outcome)
    }

    /// Asks for the names of `addresses`, as long as the budget lasts; nothing if nobody is to be
    /// asked.
    fn ask(
        &mut self,
        addresses: &[IpAddr],
        host: &Host,
        tick: &mut dyn FnMut(usize),
    ) -> Vec<Answer> {
        let Some(resolver) = &mut self.resolver else { return Vec::new() };
        if addresses.is_empty() {
            return Vec::new();
        }
        let started = Instant::now();
        let ticking = std::cell::RefCell::new((started, tick));
        let stop = || {
            let (ticked, tick) = &mut *ticking.borrow_mut();
            if ticked.elapsed() >= TICK {
                *ticked = Instant::now();
                tick(addresses.len());
            }
            host.stopping()
        };
        let answers = resolver.look_up(addresses, started + self.left, &stop);
        self.left = self.left.saturating_sub(started.elapsed());
        self.asked += answers.len();
        let failed = |answer: &&Answer| answer.outcome == ReverseDns::ServerFailed;
        self.failed += answers.iter().filter(failed).count();
        self.unanswered += answers.iter().filter(|answer| !answer.settled).count();
        answers
    }

    /// The country and the network of an address.
    pub(super) fn whence(
        &mut self,
        address: IpAddr,
    ) -> (Option<Country>, Option<AutonomousSystem>) {
        self.databases.look_up(address)
    }

    /// Since when an answer in the cache may be believed; this run's own always.
    fn valid_since(&self) -> Timestamp {
        if !self.cache.enabled {
            return self.now;
        }
        self.now.checked_sub(self.cache.ttl).unwrap_or(Timestamp::MIN)
    }

    /// If this run asked for names: asks, while there is time and somebody answers, what earlier
    /// runs had no time for, so that later rows have names; and keeps the cache within its bounds.
    pub(super) fn catch_up(&mut self, store: &mut Store, host: &Host) -> Result<(), StoreError> {
        if self.asked == 0 {
            return Ok(());
        }
        let mut late = Vec::new();
        if self.unanswered == 0 && !self.hurries {
            late = store.names_to_ask(LATE)?;
        }
        let counts = (self.asked, self.unanswered, self.failed);
        let names = self.settle(&late, host);
        // These are of no row of this run.
        (self.asked, self.unanswered, self.failed) = counts;
        self.remember(store, &names)
    }

    /// Asks about `addresses`; gives those of which there is something to remember.
    pub(super) fn settle(
        &mut self,
        addresses: &[IpAddr],
        host: &Host,
    ) -> Vec<(IpAddr, ReverseDns)> {
        let answers = self.ask(addresses, host, &mut |_| {});
        let settled = addresses.iter().zip(answers).filter(|(_, answer)| answer.settled);
        settled.map(|(address, answer)| (*address, answer.outcome)).collect()
    }

    /// Puts `names` into the cache, and keeps that within its bounds.
    pub(super) fn remember(
        &self,
        store: &mut Store,
        names: &[(IpAddr, ReverseDns)],
    ) -> Result<(), StoreError> {
        store.remember_names(names, (self.now, self.cache.size.max(CACHE)))
    }

    /// What there is to tell the administrator, with hints.
    pub(super) fn warnings(&mut self) -> Vec<(String, Option<&'static str>)> {
        let databases = self.databases.warnings().into_iter();
        let mut warnings: Vec<_> = databases.map(|warning| (warning.text, warning.hint)).collect();
        // A few addresses may all be of zones whose servers are dead.
        let all_failed = self.failed == self.asked && self.asked >= FEW;
        let without = if all_failed { self.failed } else { self.unanswered };
        if without > 0 && !self.hurries {
            let what = format!(
                "no name server answered in time about {without} of {} addresses: they are recorded \
                 without a name",
                self.asked
            );
            warnings.push((what, Some(DNS_HINT)));
        }
        warnings
    }
}
