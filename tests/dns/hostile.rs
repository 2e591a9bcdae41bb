//! What servers, and those who pretend to be them, may say.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::time::Duration;

use maillogsentinel::origin::ReverseDns;

use crate::rogue::{Asked, Rogue, at_once, wire};
use crate::{HASTY, ask, in_seconds, look_up, many, name, resolver, settled};

/// As a TCP message, its length first.
fn framed(octets: &[u8]) -> Vec<u8> {
    [&u16::try_from(octets.len()).unwrap().to_be_bytes(), octets].concat()
}

#[test]
fn each_code_has_its_status() {
    for (rcode, expected) in [
        (0, ReverseDns::NoName),
        (1, ReverseDns::Refused),
        (2, ReverseDns::ServerFailed),
        (3, ReverseDns::NotFound),
        (4, ReverseDns::Refused),
        (5, ReverseDns::Refused),
        (9, ReverseDns::Refused),
    ] {
        let server = Rogue::saying(0x8180 | rcode);
        assert_eq!(ask(&[server.address], "9.0.0.1"), settled(expected), "rcode {rcode}");
        assert_eq!(server.seen.lock().unwrap().len(), 1, "a word is enough");
    }
}

#[test]
fn forged_and_broken_answers_are_passed_over_until_the_real_one_comes() {
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = Rogue::start(move |asked| {
        let lie = asked.answer(0x8180, &[&wire(&[b"evil"])]);
        let spoilt = |at: usize| {
            let mut octets = lie.clone();
            octets[at] ^= 1;
            octets
        };
        stranger.send_to(&lie, asked.from).unwrap();
        let last_of_question = asked.octets.len() - 1;
        let lies = [
            spoilt(1),                    // another id
            spoilt(13),                   // another name
            spoilt(last_of_question - 2), // another type
            spoilt(last_of_question),     // another class
            asked.octets.clone(),         // our own question
            b"garbage".to_vec(),
            Vec::new(),
            vec![0xff; 4000],
            asked.name(),
        ];
        lies.map(|octets| (Duration::ZERO, octets)).to_vec()
    });
    assert_eq!(ask(&[server.address], "9.0.0.1"), name("host1.example"));
}

#[test]
fn what_cannot_be_read_is_a_failure_at_once_and_the_next_server_is_asked() {
    let broken: [fn(&Asked) -> Vec<u8>; 4] = [
        // A name that points at itself.
        |asked| {
            let here = u16::try_from(asked.octets.len() + 12).unwrap();
            asked.answer(0x8180, &[&(0xc000 | here).to_be_bytes()])
        },
        // A name too long.
        |asked| asked.answer(0x8180, &[&wire(&[&[b'a'; 63][..]; 5])]),
        // A label too long.
        |asked| asked.answer(0x8180, &[&[&[0x7f][..], &[b'a'; 127], &[0]].concat()]),
        // A record too few.
        |asked| {
            let mut octets = asked.answer(0x8180, &[]);
            octets[7] = 1;
            octets
        },
    ];
    let kind = Rogue::kind();
    for broken in broken {
        let server = Rogue::start(move |asked| at_once(broken(asked)));
        assert_eq!(ask(&[server.address], "9.0.0.1"), settled(ReverseDns::ServerFailed));
        assert_eq!(ask(&[server.address, kind.address], "9.0.0.1"), name("host1.example"));
    }
}

#[test]
fn a_name_of_arbitrary_octets_is_shown_so_that_it_cannot_pass_for_another() {
    let server = Rogue::start(|asked| {
        let labels: &[&[u8]] = match asked.host() {
            1 => &[b"mail.bank.example", b"evil"],
            2 => &[b"a\0\x1b[31m\r\n", b"\xff;\" ", b"Evil"],
            3 => &[b"xn--bcher-kva", b"example"],
            _ => &[],
        };
        at_once(asked.answer(0x8180, &[&wire(labels)]))
    });
    let server = &[server.address];
    assert_eq!(ask(server, "9.0.0.1"), name("mail\\.bank\\.example.evil"));
    assert_eq!(ask(server, "9.0.0.2"), name("a\\000\\027[31m\\013\\010.\\255;\"\\ .evil"));
    assert_eq!(ask(server, "9.0.0.3"), name("xn--bcher-kva.example"));
    assert_eq!(ask(server, "9.0.0.4"), settled(ReverseDns::NoName));
}

#[test]
fn of_several_names_the_same_is_taken_in_whatever_order_they_come() {
    let server = Rogue::start(|asked| {
        let names = [wire(&[b"b"]), wire(&[b"c"]), wire(&[]), wire(&[b"a"])];
        let mut names: Vec<_> = names.iter().map(Vec::as_slice).collect();
        names.rotate_left(asked.before);
        at_once(asked.answer(0x8180, &names))
    });
    for _ in 0..4 {
        assert_eq!(ask(&[server.address], "9.0.0.1"), name("a"));
    }
}

#[test]
fn a_huge_answer_comes_by_tcp_in_pieces() {
    let server = Rogue::start(|asked| {
        if !asked.by_stream {
            return at_once(asked.answer(0x8380, &[]));
        }
        let names: Vec<_> = (0..2000).map(|n| wire(&[format!("n{n:04}").as_bytes()])).collect();
        let names: Vec<_> = names.iter().rev().map(Vec::as_slice).collect();
        let octets = framed(&asked.answer(0x8180, &names));
        octets.chunks(7000).map(|piece| (Duration::from_millis(1), piece.to_vec())).collect()
    });
    assert_eq!(ask(&[server.address], "9.0.0.1"), name("n0000"));
}

#[test]
fn tcp_that_breaks_lies_or_says_nothing_is_a_failure() {
    let server = Rogue::start(|asked| match (asked.by_stream, asked.host()) {
        (false, _) => at_once(asked.answer(0x8380, &[])),
        (true, 1) => Vec::new(),
        (true, 2) => at_once(vec![0xff, 0xff, 1, 2, 3]),
        (true, 3) => at_once(framed(b"garbage")),
        (true, 4) => at_once(framed(&asked.answer(0x8380, &[]))),
        (true, _) => vec![(Duration::from_secs(30), Vec::new())],
    });
    let texts = ["9.0.0.1", "9.0.0.2", "9.0.0.3", "9.0.0.4", "9.0.0.5"];
    let answers = look_up(&mut resolver(&[server.address], HASTY), &texts);
    assert_eq!(answers, vec![settled(ReverseDns::ServerFailed); 5]);
}

#[test]
fn ids_and_ports_cannot_be_foreseen() {
    let server = Rogue::kind();
    let answers =
        resolver(&[server.address], crate::PATIENT).look_up(&many(500), in_seconds(120), &|| false);
    assert!(answers.iter().all(|answer| answer.outcome.name().is_some()));
    let seen = server.seen.lock().unwrap();
    let ids: HashSet<_> = seen.iter().map(|(id, _)| id).collect();
    let ports: HashSet<_> = seen.iter().map(|(_, port)| port).collect();
    // 500 of 65,536 (28,232 ports) have some two (four) doubles.
    assert!(ids.len() > 480 && ports.len() > 450, "{} ids, {} ports", ids.len(), ports.len());
    let steps: HashSet<_> = seen.windows(2).map(|two| two[1].0.wrapping_sub(two[0].0)).collect();
    assert!(steps.len() > 450, "ids are not counted up: {} steps", steps.len());
}

#[test]
fn private_addresses_are_asked_of_the_own_server_only() {
    let server = Rogue::kind();
    let private = ["10.0.0.1", "192.168.1.2", "127.0.0.3", "203.0.113.4", "100.64.0.5"];
    for text in private {
        let expected = format!("host{}.example", text.rsplit('.').next().unwrap());
        assert_eq!(ask(&[server.address], text), name(&expected), "{text}");
        // A documentation address stands for a public server; nothing is sent there.
        let public = "192.0.2.53:53".parse().unwrap();
        assert_eq!(ask(&[public], text), settled(ReverseDns::NoName), "{text}");
        assert_eq!(ask(&[public, server.address], text), name(&expected), "{text}");
    }
}
