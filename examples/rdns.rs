//! Measures reverse look-ups against a name server of its own that is slow, or silent.
//!
//!     cargo run --release --example rdns -- COUNT [DELAY_MS [SILENT_PERCENT [TIMEOUT_MS]]]
//!
//! So many of a hundred addresses are never answered. The time budget is 30 s.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement should stop at the first surprise, and talk"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use maillogsentinel::enrich::rdns::{Resolver, Settings};

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (count, delay, silent) = (number(0, 2000), number(1, 50), number(2, 0));
    let server = serve(Duration::from_millis(delay.into()), silent);
    let settings = Settings {
        nameservers: Some(vec![server]),
        timeout: Duration::from_millis(number(3, 2000).into()),
        concurrency: 64,
    };
    let addresses: Vec<IpAddr> =
        (0..count).map(|host| Ipv4Addr::from(0x0900_0000 + host).into()).collect();
    let start = Instant::now();
    let answers =
        Resolver::new(settings).look_up(&addresses, start + Duration::from_secs(30), &|| false);
    let took = start.elapsed();
    println!("{count} addresses, {delay} ms, {silent} % silent: {took:.2?}");
    let mut tally = BTreeMap::<_, u32>::new();
    for answer in &answers {
        *tally.entry((answer.outcome.status(), answer.settled)).or_default() += 1;
    }
    for ((status, settled), count) in tally {
        println!("{count:8} {status}{}", if settled { "" } else { ", to be asked again" });
    }
}

/// Answers each question with a name, after `delay`.
fn serve(delay: Duration, silent: u32) -> SocketAddr {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = socket.local_addr().unwrap();
    let (later, due) = mpsc::channel::<(Instant, Vec<u8>, SocketAddr)>();
    let sender = Arc::clone(&socket);
    thread::spawn(move || {
        for (at, octets, to) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let _ = sender.send_to(&octets, to);
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut octets = buffer[..length].to_vec();
            // The same addresses are silent each time they are asked for.
            let sum: u32 = octets[12..].iter().map(|octet| u32::from(*octet)).sum();
            if sum * 37 % 100 < silent {
                continue;
            }
            octets[2..4].copy_from_slice(&[0x81, 0x80]);
            octets[7] = 1;
            octets.extend(b"\xc0\x0c\0\x0c\0\x01\0\0\0\x3c\0\x0e\x04mail\x07example\0");
            let _ = later.send((Instant::now() + delay, octets, from));
        }
    });
    address
}
