//! Slow, silent and dead servers: how long we wait, and what we say then.

use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use maillogsentinel::enrich::rdns::{Answer, Resolver, Settings};
use maillogsentinel::origin::ReverseDns;

use crate::rogue::{Rogue, at_once};
use crate::{HASTY, PATIENT, ask, in_seconds, look_up, many, name, resolver, settled, unsettled};

/// How long to wait where some servers answer and others do not.
const WHILE: Duration = Duration::from_secs(3);

/// A port of the loopback where nobody listens, and what keeps others from taking it: a socket
/// connected elsewhere is none for our questions.
fn nobody() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect("127.0.0.1:1").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn named(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.outcome.name().is_some()).count()
}

#[test]
fn answers_stand_in_the_order_of_the_addresses() {
    let server = Rogue::start(|asked| {
        let delay = Duration::from_millis(u64::from(asked.host() % 2) * 20);
        vec![(delay, asked.name())]
    });
    let addresses = many(200);
    let answers =
        resolver(&[server.address], PATIENT).look_up(&addresses, in_seconds(120), &|| false);
    for (host, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, name(&format!("host{host}.example")));
    }
    assert_eq!(resolver(&[server.address], PATIENT).look_up(&[], in_seconds(1), &|| false), []);
}

#[test]
#[expect(clippy::print_stdout, reason = "the time is told, not tested")]
fn two_thousand_addresses_are_asked_for_side_by_side() {
    let server = Rogue::start(|asked| vec![(Duration::from_millis(50), asked.name())]);
    let start = Instant::now();
    let answers =
        resolver(&[server.address], PATIENT).look_up(&many(2000), in_seconds(120), &|| false);
    let took = start.elapsed();
    println!("2,000 addresses at 50 ms each: {took:?}");
    assert_eq!(named(&answers), 2000);
    // One after the other they would take 100 s.
    assert!(took < Duration::from_secs(50), "{took:?}");
}

#[test]
fn a_lost_question_is_sent_again() {
    let server = Rogue::start(|asked| match asked.before {
        0 => Vec::new(),
        _ => at_once(asked.name()),
    });
    let answer = look_up(&mut resolver(&[server.address], WHILE), &["9.0.0.1"]);
    assert_eq!(answer, [name("host1.example")]);
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1], "the same question, or there would be two to guess at");
}

#[test]
fn a_silent_zone_is_a_failure_of_its_addresses_only() {
    let server = Rogue::start(|asked| match asked.host() {
        0..=99 => Vec::new(),
        _ => at_once(asked.name()),
    });
    let answers =
        resolver(&[server.address], WHILE).look_up(&many(200), in_seconds(120), &|| false);
    assert_eq!(named(&answers), 100);
    assert_eq!(answers[..100], vec![settled(ReverseDns::ServerFailed); 100]);
}

#[test]
fn a_dead_server_is_given_up_after_the_first_batch() {
    let server = Rogue::silent();
    let mut resolver = resolver(&[server.address], HASTY);
    let answers = resolver.look_up(&many(2000), in_seconds(120), &|| false);
    assert!(answers.iter().all(|answer| *answer == unsettled(ReverseDns::ServerFailed)));
    let asked = server.seen.lock().unwrap().len();
    assert!(asked <= 128, "64 addresses, twice each, but {asked} questions");
    let again = resolver.look_up(&many(2000), in_seconds(120), &|| false);
    assert!(again == answers);
    // The machine may be so slow that probes are due.
    let asked = server.seen.lock().unwrap().len();
    assert!(asked <= 128 + 8, "remembered as dead, but {asked} questions");
}

#[test]
fn the_deadline_ends_it_whatever_servers_do() {
    let server = Rogue::silent();
    let start = Instant::now();
    let deadline = start + Duration::from_millis(200);
    let answers = resolver(&[server.address], PATIENT).look_up(&many(2000), deadline, &|| false);
    assert!(start.elapsed() < PATIENT / 2, "{:?}", start.elapsed());
    assert!(answers.iter().all(|answer| *answer == unsettled(ReverseDns::ServerFailed)));
    let late = resolver(&[server.address], PATIENT).look_up(&many(3), start, &|| false);
    assert_eq!(late, vec![unsettled(ReverseDns::ServerFailed); 3]);
}

#[test]
fn a_wish_to_stop_ends_it_and_keeps_what_was_heard() {
    let server = Rogue::start(|asked| match asked.host() {
        1 => at_once(asked.name()),
        _ => Vec::new(),
    });
    let polls = Cell::new(0);
    let start = Instant::now();
    let answers = resolver(&[server.address], PATIENT).look_up(&many(3), in_seconds(120), &|| {
        polls.set(polls.get() + 1);
        polls.get() > 100
    });
    assert!(start.elapsed() < PATIENT / 2, "{:?}", start.elapsed());
    let failed = unsettled(ReverseDns::ServerFailed);
    assert_eq!(answers, [failed.clone(), name("host1.example"), failed]);
}

#[test]
fn the_next_server_is_asked_when_one_is_silent_dead_or_failing() {
    let kind = Rogue::kind();
    let silent = Rogue::silent();
    let (_held, nobody) = nobody();
    for first in [silent.address, nobody, Rogue::saying(0x8182).address] {
        let mut resolver = resolver(&[first, kind.address], WHILE);
        let answers = resolver.look_up(&many(300), in_seconds(120), &|| false);
        assert_eq!(named(&answers), 300);
    }
    let asked = silent.seen.lock().unwrap().len();
    assert!(asked <= 140, "asked {asked} times though it is dead");
    let three = [silent.address, nobody, kind.address];
    assert_eq!(look_up(&mut resolver(&three, WHILE), &["9.0.0.1"]), [name("host1.example")]);
}

#[test]
fn the_first_word_stands_when_no_server_knows_better() {
    let (refusing, failing) = (Rogue::saying(0x8185), Rogue::saying(0x8182));
    let silent = Rogue::silent();
    for (servers, expected) in [
        ([refusing.address, failing.address], ReverseDns::Refused),
        ([failing.address, refusing.address], ReverseDns::ServerFailed),
        ([silent.address, refusing.address], ReverseDns::Refused),
        ([refusing.address, silent.address], ReverseDns::Refused),
    ] {
        let answers = look_up(&mut resolver(&servers, WHILE), &["9.0.0.1"]);
        assert_eq!(answers, [settled(expected)]);
    }
}

#[test]
fn a_port_where_nobody_listens_fails_at_once() {
    let (_held, nobody) = nobody();
    assert_eq!(ask(&[nobody], "9.0.0.1"), settled(ReverseDns::ServerFailed));
    let answers = resolver(&[nobody], PATIENT).look_up(&many(2000), in_seconds(120), &|| false);
    assert!(answers.iter().all(|answer| *answer == unsettled(ReverseDns::ServerFailed)));
}

#[test]
fn what_cannot_be_sent_has_no_name_for_the_time_being() {
    // The kernel refuses to send there, as it does when there is no network.
    let nowhere: SocketAddr = "255.255.255.255:53".parse().unwrap();
    let answers = resolver(&[nowhere], PATIENT).look_up(&many(2000), in_seconds(120), &|| false);
    assert!(answers.iter().all(|answer| *answer == unsettled(ReverseDns::NoName)));
    assert_eq!(ask(&[nowhere, Rogue::kind().address], "9.0.0.1"), name("host1.example"));
    let (_held, nobody) = nobody();
    assert_eq!(ask(&[nowhere, nobody], "9.0.0.1"), settled(ReverseDns::ServerFailed));
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let alive = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&alive);
    let server = Rogue::start(move |asked| {
        if switch.load(Ordering::Relaxed) { at_once(asked.name()) } else { Vec::new() }
    });
    let mut resolver = resolver(&[server.address], HASTY);
    let answers = resolver.look_up(&many(100), in_seconds(120), &|| false);
    assert_eq!(named(&answers), 0);
    alive.store(true, Ordering::Relaxed);
    let start = Instant::now();
    while named(&resolver.look_up(&many(100), in_seconds(120), &|| false)) < 100 {
        assert!(start.elapsed() < Duration::from_secs(100), "never asked again");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn without_nameservers_of_our_own_private_addresses_are_nobodys() {
    let settings = Settings { nameservers: None, timeout: HASTY, concurrency: 0 };
    let answers = look_up(&mut Resolver::new(settings), &["10.0.0.1", "::1", "fe80::1"]);
    assert_eq!(answers, vec![settled(ReverseDns::NoName); 3]);
}
