//! Name servers: whether they answer. What they say of an address does not matter here.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Scene, Told};
use crate::enrich::rdns::{Resolver, Settings, system_servers};
use crate::origin::ReverseDns;

/// A root name server's, a.root-servers.net: public, and known for as long as there is DNS.
const ASKED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 41, 0, 4));
/// A look-up takes two and a half times the time of an answer, which may be a minute.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn check(scene: &Scene, told: &Told) {
    let Some(dns) = &scene.config.dns else {
        return told.ok("not asked: `enabled` in section [dns] is false");
    };
    let servers = dns.nameservers.clone().unwrap_or_else(system_servers);
    let (of, cure) = if dns.nameservers.is_some() {
        ("", "check `nameservers` in section [dns]")
    } else {
        (" of /etc/resolv.conf", "check that file, or set `nameservers` in section [dns]")
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = servers
            .iter()
            .map(|server| {
                let settings = Settings {
                    nameservers: Some(vec![*server]),
                    timeout: dns.timeout,
                    concurrency: 1,
                };
                (server, scope.spawn(move || ask(settings)))
            })
            .collect();
        for (server, thread) in asked {
            match thread.join() {
                Ok(Ok(took)) => told.ok(&format!("{server} answers in {} ms", took.as_millis())),
                Ok(Err(what)) => told.warning(&format!("{server}{of} {what}"), cure),
                Err(_) => told.unknown(&format!("{server} could not be asked")),
            }
        }
    });
}

/// How long an answer took, or what the server does instead.
fn ask(settings: Settings) -> Result<Duration, &'static str> {
    let started = Instant::now();
    let answers = Resolver::new(settings).look_up(&[ASKED], started + PATIENCE, &|| false);
    match answers.first() {
        Some(answer) if answer.outcome == ReverseDns::Refused => {
            Err("refuses to look up names for us")
        }
        Some(answer) if answer.settled && answer.outcome != ReverseDns::ServerFailed => {
            Ok(started.elapsed())
        }
        _ => Err("does not answer, or fails"),
    }
}
