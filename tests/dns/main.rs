//! Reverse look-ups against real name servers on the loopback: dnsmasq, and one that misbehaves.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test should stop at the first surprise"
)]

#[path = "../servers/dnsmasq.rs"]
mod server;

mod dnsmasq;
mod rogue;
mod hostile;
mod patience;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use maillogsentinel::enrich::rdns::{Answer, Resolver, Settings};
use maillogsentinel::origin::ReverseDns;
use maillogsentinel::untrusted::Untrusted;

/// How long a test that expects an answer waits for it; an idle machine needs no thousandth.
const PATIENT: Duration = Duration::from_secs(20);
/// How long a test waits for silence.
const HASTY: Duration = Duration::from_millis(300);

fn resolver(servers: &[SocketAddr], timeout: Duration) -> Resolver {
    let nameservers = Some(servers.to_vec());
    Resolver::new(Settings { nameservers, timeout, concurrency: 64 })
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Looks up without hurry.
fn look_up(resolver: &mut Resolver, texts: &[&str]) -> Vec<Answer> {
    resolver.look_up(&addresses(texts), in_seconds(120), &|| false)
}

/// Looks one address up with a patient resolver of its own.
fn ask(servers: &[SocketAddr], text: &str) -> Answer {
    look_up(&mut resolver(servers, PATIENT), &[text]).remove(0)
}

fn in_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

fn name(text: &str) -> Answer {
    settled(ReverseDns::Name(Untrusted::from(text)))
}

fn settled(outcome: ReverseDns) -> Answer {
    Answer { outcome, settled: true }
}

fn unsettled(outcome: ReverseDns) -> Answer {
    Answer { outcome, settled: false }
}

/// Many public addresses.
fn many(count: u32) -> Vec<IpAddr> {
    (0..count).map(|number| std::net::Ipv4Addr::from(0x0900_0000 + number).into()).collect()
}
