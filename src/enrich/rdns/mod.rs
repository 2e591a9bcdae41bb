//! Reverse DNS: the names (PTR records) of many addresses at once, with the outcomes told apart.
//!
//! `getnameinfo` does not tell NXDOMAIN, SERVFAIL, REFUSED and no data apart, so we speak DNS
//! ourselves, as a stub resolver (RFC 1034, 5.3.1). The crate `domain` reads and writes messages
//! (three crates more; hickory-resolver would be 86 and an async runtime), and one thread waits
//! for all answers with `poll`.
//!
//! **Asking.** Servers are asked in their order. Each question has a socket of its own, hence a
//! random port, and a random id (RFC 5452). It is listened to for `timeout`. After half of that,
//! the next server is asked too, or, if there is none, the same one once more. SERVFAIL, REFUSED
//! and their like, and a port where nobody listens, send us to the next server at once; if none
//! knows better, the first word said stands, and without any word it is [`ServerFailed`]. At most
//! three servers are asked about one address, and it is done with within 2½ × `timeout`. A
//! truncated answer is fetched by TCP. There is no EDNS (RFC 6891): a name fits in 512 octets, and
//! more of them come by TCP anyway.
//!
//! **Dead servers.** A server that left as many questions in a row unanswered as are asked at
//! once, but at least eight, is dead. It is asked four questions every ten seconds, to see whether
//! it came back. When all are dead, what remains is given up at once. Addresses are asked in random
//! order, so that an attacker whose zone is silent cannot make a server look dead with his
//! addresses alone.
//!
//! **Names are hostile.** They are shown as in master files (RFC 1035, 5.1), all printable ASCII:
//! a dot or backslash inside a label is `\.` or `\\`, a blank `\ `, any other octet that is not
//! printable `\DDD`. Capital letters become small, for DNS does not tell them apart; `xn--` stays
//! what it is in DNS. The root is no name. Of several names the smallest by its bytes is taken, so
//! that the same zone always gives the same record.
//!
//! [`ServerFailed`]: ReverseDns::ServerFailed

mod exchange;
mod lookup;
pub mod message;
mod resolv_conf;
mod round;
mod server;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::origin::ReverseDns;
use round::Round;
use server::Server;

/// The longest wait for an answer.
const LONGEST: Duration = Duration::from_secs(60);

/// How to ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom to ask, in this order; `None` or empty: whom the system asks (`/etc/resolv.conf`).
    pub nameservers: Option<Vec<SocketAddr>>,
    /// How long to wait for the answer to a question; more than a minute counts as a minute.
    pub timeout: Duration,
    /// How many addresses to ask about at once; 0 counts as 1.
    pub concurrency: usize,
}

/// What became of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What to record.
    pub outcome: ReverseDns,
    /// Whether it stands and may be kept for later runs. False: time ran out, nothing could be
    /// sent, or all servers are dead; a later run should ask again.
    pub settled: bool,
}

/// The name servers that the system asks.
pub fn system_servers() -> Vec<SocketAddr> {
    resolv_conf::system()
}

/// Asks name servers, and remembers during a run which of them are dead.
pub struct Resolver {
    settings: Settings,
    /// `None`: nothing was asked yet.
    servers: Option<Vec<Server>>,
}

impl Resolver {
    /// Opens and reads nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, servers: None }
    }

    /// Looks up all `addresses`; the answers have their order.
    ///
    /// At `deadline`, and within 50 ms of `stop` saying true, what is not answered is
    /// [`ReverseDns::ServerFailed`] and not settled. IPv4-mapped addresses are looked up as IPv4.
    /// Private and reserved addresses (RFC 6890 and the like) are [`ReverseDns::NoName`], unless
    /// `nameservers` has a server that is private or loopback itself: the administrator's own
    /// server may know his hosts, and no other is asked.
    pub fn look_up(
        &mut self,
        addresses: &[IpAddr],
        deadline: Instant,
        stop: &dyn Fn() -> bool,
    ) -> Vec<Answer> {
        let Settings { nameservers, timeout, concurrency } = &self.settings;
        let concurrency = (*concurrency).max(1);
        let servers = self.servers.get_or_insert_with(|| match nameservers {
            Some(own) if !own.is_empty() => {
                own.iter().map(|at| Server::configured(*at, concurrency)).collect()
            }
            _ => resolv_conf::system()
                .into_iter()
                .map(|at| Server::of_the_system(at, concurrency))
                .collect(),
        });
        Round::new(servers, (*timeout).min(LONGEST), concurrency).run(addresses, deadline, stop)
    }
}
