//! DNS messages (RFC 1035): the question for a name, and what an answer says.
//!
//! Whoever runs the zone of an address chose the name, octet by octet, and the records around it:
//! `domain` refuses pointers that do not point back, names over 255 octets, and labels over 63.

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::name::ParsedName;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::Ptr;

use crate::origin::ReverseDns;
use crate::untrusted::Untrusted;

/// The name in `in-addr.arpa` or `ip6.arpa` that stands for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseName(Name<Vec<u8>>);

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// This is how it is.
    Final(ReverseDns),
    /// The server cannot tell; another one may.
    Failed(ReverseDns),
    /// There is more than fits in a datagram.
    Truncated,
}

impl ReverseName {
    /// `None` never happens: such names are far from any limit.
    pub fn of(address: IpAddr) -> Option<Self> {
        let mut name = Name::<Vec<u8>>::reverse_from_addr(address).ok()?;
        // `domain` writes capital hexadecimal digits, where all others write small ones.
        name.make_canonical();
        Some(Self(name))
    }

    /// The message that asks for PTR records, with recursion.
    pub fn question(&self, id: u16) -> Vec<u8> {
        let mut message = MessageBuilder::new_vec();
        message.header_mut().set_id(id);
        message.header_mut().set_rd(true);
        let mut message = message.question();
        // A `Vec` does not run out of room.
        let _ = message.push((&self.0, Rtype::PTR, Class::IN));
        message.finish()
    }

    /// What the message says in answer to `question(id)`; `None`: it is no answer to it.
    pub fn read(&self, id: u16, octets: &[u8]) -> Option<Said> {
        let message = Message::from_slice(octets).ok()?;
        let header = message.header();
        if header.id() != id || !header.qr() || header.opcode() != Opcode::QUERY {
            return None;
        }
        let rcode = header.rcode();
        if message.header_counts().qdcount() == 0 {
            // A server that did not understand us may not repeat the question.
            let failed = !matches!(rcode, Rcode::NOERROR | Rcode::NXDOMAIN);
            return failed.then(|| failure(rcode));
        }
        let question = message.sole_question().ok()?;
        if question.qtype() != Rtype::PTR
            || question.qclass() != Class::IN
            || *question.qname() != self.0
        {
            return None;
        }
        Some(match rcode {
            Rcode::NXDOMAIN => Said::Final(ReverseDns::NotFound),
            Rcode::NOERROR if header.tc() => Said::Truncated,
            Rcode::NOERROR => name(message),
            other => failure(other),
        })
    }
}

fn failure(rcode: Rcode) -> Said {
    Said::Failed(match rcode {
        Rcode::SERVFAIL => ReverseDns::ServerFailed,
        _ => ReverseDns::Refused,
    })
}

/// The name in the answer section, found through aliases (RFC 2317).
fn name(message: &Message<[u8]>) -> Said {
    // Aliases that go in circles lead to no name.
    let Some(owner) = message.canonical_name() else {
        return Said::Final(ReverseDns::NoName);
    };
    let Ok(answer) = message.answer() else {
        return Said::Failed(ReverseDns::ServerFailed);
    };
    let mut smallest: Option<String> = None;
    let mut unreadable = false;
    for record in answer.limit_to_in::<Ptr<ParsedName<&[u8]>>>() {
        match record {
            Ok(record) if *record.owner() == owner => {
                if let Some(name) = presentation(record.data().ptrdname())
                    && smallest.as_ref().is_none_or(|other| name < *other)
                {
                    smallest = Some(name);
                }
            }
            Ok(_) => {}
            Err(_) => unreadable = true,
        }
    }
    match smallest {
        Some(name) => Said::Final(ReverseDns::Name(Untrusted::from(name.as_str()))),
        None if unreadable => Said::Failed(ReverseDns::ServerFailed),
        None => Said::Final(ReverseDns::NoName),
    }
}

/// `None`: the root, which names nothing.
fn presentation(name: &ParsedName<&[u8]>) -> Option<String> {
    (!name.is_root()).then(|| name.to_string().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: u16 = 0x1234;
    const PTR: u16 = 12;
    const CNAME: u16 = 5;

    fn asked() -> ReverseName {
        ReverseName::of("192.0.2.1".parse().unwrap()).unwrap()
    }

    /// Labels in wire format, without compression.
    fn wire(labels: &[&[u8]]) -> Vec<u8> {
        let mut octets = Vec::new();
        for label in labels {
            octets.push(u8::try_from(label.len()).unwrap());
            octets.extend_from_slice(label);
        }
        octets.push(0);
        octets
    }

    fn owner() -> Vec<u8> {
        wire(&[b"1", b"2", b"0", b"192", b"in-addr", b"arpa"])
    }

    fn record(owner: &[u8], rtype: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        let fixed = [0, 0, 0, 60];
        let class = [0, 1];
        [owner, &rtype.to_be_bytes(), &class, &fixed, &length.to_be_bytes(), data].concat()
    }

    /// An answer to our question with these flags (RFC 1035, 4.1.1) and records.
    fn answer(flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut octets = asked().question(ID);
        octets[2..4].copy_from_slice(&flags.to_be_bytes());
        octets[7] = u8::try_from(records.len()).unwrap();
        [octets, records.concat()].concat()
    }

    fn read(octets: &[u8]) -> Option<Said> {
        asked().read(ID, octets)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands beside what `read` returns")]
    fn name(text: &str) -> Option<Said> {
        Some(Said::Final(ReverseDns::Name(Untrusted::from(text))))
    }

    fn named(labels: &[&[u8]]) -> Option<Said> {
        read(&answer(0x8180, &[record(&owner(), PTR, &wire(labels))]))
    }

    #[test]
    fn the_question_is_what_other_programs_send() {
        let mut expected = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        expected.extend(owner());
        expected.extend([0, 12, 0, 1]);
        assert_eq!(asked().question(ID), expected);
        let six = ReverseName::of("2001:db8::567:89ab".parse().unwrap()).unwrap();
        // RFC 3596, 2.5.
        let nibbles = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(six.0.to_string(), nibbles);
    }

    #[test]
    fn each_rcode_has_its_outcome() {
        for (rcode, expected) in [
            (1, Said::Failed(ReverseDns::Refused)),
            (2, Said::Failed(ReverseDns::ServerFailed)),
            (3, Said::Final(ReverseDns::NotFound)),
            (4, Said::Failed(ReverseDns::Refused)),
            (5, Said::Failed(ReverseDns::Refused)),
            (9, Said::Failed(ReverseDns::Refused)),
            (15, Said::Failed(ReverseDns::Refused)),
            (0, Said::Final(ReverseDns::NoName)),
        ] {
            assert_eq!(read(&answer(0x8180 | rcode, &[])), Some(expected), "rcode {rcode}");
        }
    }

    #[test]
    fn what_answers_another_question_is_no_answer() {
        let good = answer(0x8183, &[]);
        assert_eq!(read(&good), Some(Said::Final(ReverseDns::NotFound)));
        let spoilt = |at: usize, octet: u8| {
            let mut octets = good.clone();
            octets[at] = octet;
            read(&octets)
        };
        assert_eq!(spoilt(0, 0x13), None, "another id");
        assert_eq!(spoilt(2, 0x01), None, "a question");
        assert_eq!(spoilt(2, 0xa1), None, "another opcode");
        assert_eq!(spoilt(5, 2), None, "two questions");
        assert_eq!(spoilt(13, b'9'), None, "another name");
        assert_eq!(spoilt(good.len() - 3, 1), None, "another type");
        assert_eq!(spoilt(good.len() - 1, 3), None, "another class");
        assert_eq!(read(&good[..good.len() - 1]), None, "cut off");
        let mut capital = good.clone();
        capital[23] = b'I';
        assert_eq!(read(&capital), Some(Said::Final(ReverseDns::NotFound)), "in another case");
    }

    #[test]
    fn a_failure_need_not_repeat_the_question() {
        let header = |rcode: u8| read(&[0x12, 0x34, 0x80, rcode, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(header(1), Some(Said::Failed(ReverseDns::Refused)));
        assert_eq!(header(2), Some(Said::Failed(ReverseDns::ServerFailed)));
        assert_eq!(header(0), None);
        assert_eq!(header(3), None, "that there is no such name must be said of ours");
    }

    #[test]
    fn a_hostile_name_is_one_line_of_ascii_that_can_be_told_from_any_other() {
        assert_eq!(named(&[b"Mail", b"Example", b"ORG"]), name("mail.example.org"));
        assert_eq!(named(&[b"a.b", b"example"]), name("a\\.b.example"));
        assert_eq!(named(&[b"a\\", b"b"]), name("a\\\\.b"));
        assert_eq!(named(&[b"\0\r\n\x1b[2J", b"\xff"]), name("\\000\\013\\010\\027[2j.\\255"));
        assert_eq!(named(&[b"m\xc3\xbcller", b"\""]), name("m\\195\\188ller.\""));
        assert_eq!(named(&[b"xn--mller-kva", b"de"]), name("xn--mller-kva.de"));
        assert_eq!(named(&[b"=cmd|' /c'", b";"]), name("=cmd|'\\ /c'.;"));
    }

    #[test]
    fn the_longest_name_fits_and_a_longer_one_is_unreadable() {
        let label = [b'a'; 63];
        let most = named(&[&label, &label, &label, &label[..61]]);
        assert_eq!(most, name(&format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61))));
        let failed = Some(Said::Failed(ReverseDns::ServerFailed));
        assert_eq!(named(&[&label, &label, &label, &label[..62]]), failed);
        let label_of_64 = record(&owner(), PTR, &[&[64][..], &[b'a'; 64], &[0]].concat());
        assert_eq!(read(&answer(0x8180, &[label_of_64])), failed);
    }

    #[test]
    fn the_root_and_other_types_and_owners_are_no_name() {
        let none = Some(Said::Final(ReverseDns::NoName));
        assert_eq!(named(&[]), none);
        let other = record(&wire(&[b"2", b"in-addr", b"arpa"]), PTR, &wire(&[b"evil"]));
        assert_eq!(read(&answer(0x8180, &[other])), none);
        let mut chaos = record(&owner(), PTR, &wire(&[b"evil"]));
        chaos[owner().len() + 3] = 3;
        assert_eq!(read(&answer(0x8180, &[chaos])), none);
        assert_eq!(read(&answer(0x8180, &[record(&owner(), 16, b"\x04text")])), none);
    }

    #[test]
    fn of_several_names_the_smallest_is_taken_whatever_their_order() {
        let of = |label: &[u8]| record(&owner(), PTR, &wire(&[label, b"example"]));
        let mut records = vec![of(b"Zeta"), of(b"beta"), record(&owner(), PTR, &[0]), of(b"alpha")];
        assert_eq!(read(&answer(0x8180, &records)), name("alpha.example"));
        records.reverse();
        assert_eq!(read(&answer(0x8180, &records)), name("alpha.example"));
        records.push(record(&owner(), PTR, &[0xc0, 0xff]));
        assert_eq!(read(&answer(0x8180, &records)), name("alpha.example"), "one is unreadable");
    }

    #[test]
    fn aliases_are_followed_in_any_order_and_circles_end() {
        let first = wire(&[b"1", b"0-63", b"2", b"0", b"192", b"in-addr", b"arpa"]);
        let second = wire(&[b"one", b"customer", b"example"]);
        let mut records = vec![
            record(&owner(), CNAME, &first),
            record(&first, CNAME, &second),
            record(&second, PTR, &wire(&[b"mail", b"customer", b"example"])),
        ];
        assert_eq!(read(&answer(0x8180, &records)), name("mail.customer.example"));
        records.reverse();
        assert_eq!(read(&answer(0x8180, &records)), name("mail.customer.example"));
        assert_eq!(
            read(&answer(0x8183, &records[1..])),
            Some(Said::Final(ReverseDns::NotFound)),
            "the code is that of the last alias (RFC 6604)"
        );
        let circle = [record(&owner(), CNAME, &first), record(&first, CNAME, &owner())];
        assert_eq!(read(&answer(0x8180, &circle)), Some(Said::Final(ReverseDns::NoName)));
    }

    #[test]
    fn compression_that_points_at_itself_or_ahead_is_unreadable() {
        let failed = Some(Said::Failed(ReverseDns::ServerFailed));
        let data_at = u16::try_from(answer(0x8180, &[]).len() + owner().len() + 10).unwrap();
        for target in [data_at, data_at + 2, 0x3fff] {
            let pointer = (0xc000 | target).to_be_bytes();
            let records = [record(&owner(), PTR, &pointer)];
            assert_eq!(read(&answer(0x8180, &records)), failed, "pointer to {target}");
        }
        let back = record(&[0xc0, 12], PTR, &[&b"\x04mail"[..], &[0xc0, 22]].concat());
        assert_eq!(read(&answer(0x8180, &[back])), name("mail.in-addr.arpa"));
    }

    #[test]
    fn an_answer_cut_off_is_asked_for_again() {
        let some = [record(&owner(), PTR, &wire(&[b"some"]))];
        assert_eq!(read(&answer(0x8380, &some)), Some(Said::Truncated));
        assert_eq!(read(&answer(0x8383, &[])), Some(Said::Final(ReverseDns::NotFound)));
        let mut cut = answer(0x8180, &some);
        cut.truncate(cut.len() - 1);
        assert_eq!(read(&cut), Some(Said::Failed(ReverseDns::ServerFailed)), "without saying so");
    }

    /// Pieces of messages, for random octets never get past the header.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(owner()),
            (0_u8..=255).prop_map(|low| vec![0xc0, low]),
            (any::<Vec<u8>>(), prop_oneof![Just(PTR), Just(CNAME), Just(1)])
                .prop_map(|(data, rtype)| record(&[0xc0, 12], rtype, &data)),
            (0_u8..=255).prop_map(|low| record(&[0xc0, 12], PTR, &[1, b'a', 0xc0, low])),
            (0_u8..=255).prop_map(|low| record(&[0xc0, low], CNAME, &[0xc0, 12])),
            any::<Vec<u8>>(),
        ]
    }

    /// Splits a name where a reader of master files would.
    fn labels(text: &str) -> Vec<Vec<u8>> {
        let mut labels = vec![Vec::new()];
        let mut rest = text.bytes();
        while let Some(octet) = rest.next() {
            match octet {
                b'.' => labels.push(Vec::new()),
                b'\\' => match rest.next().unwrap() {
                    digit @ b'0'..=b'9' => {
                        let digits = [digit, rest.next().unwrap(), rest.next().unwrap()];
                        let number = std::str::from_utf8(&digits).unwrap().parse().unwrap();
                        labels.last_mut().unwrap().push(number);
                    }
                    other => labels.last_mut().unwrap().push(other),
                },
                other => labels.last_mut().unwrap().push(other),
            }
        }
        labels
    }

    proptest! {
        #[test]
        fn no_octets_make_us_panic_or_hang(octets: Vec<u8>) {
            let _ = read(&octets);
            let header = [&answer(0x8180, &[])[..], &octets].concat();
            let _ = read(&header);
        }

        #[test]
        fn no_mixture_of_records_does_either(
            pieces in prop::collection::vec(piece(), 0..40),
            count: u8,
        ) {
            let mut octets = answer(0x8180, &pieces);
            octets[7] = count;
            if let Some(Said::Final(ReverseDns::Name(name))) = read(&octets) {
                prop_assert!(name.as_bytes().iter().all(|o| (0x20..0x7f).contains(o)));
                prop_assert!(!name.as_bytes().is_empty());
            }
        }

        #[test]
        fn a_name_can_be_read_back(
            labels_sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..=20), 1..8),
        ) {
            let slices: Vec<&[u8]> = labels_sent.iter().map(Vec::as_slice).collect();
            let Some(Said::Final(ReverseDns::Name(name))) = named(&slices) else {
                panic!("no name")
            };
            let small: Vec<_> = labels_sent.iter().map(|l| l.to_ascii_lowercase()).collect();
            prop_assert_eq!(labels(std::str::from_utf8(name.as_bytes()).unwrap()), small);
        }
    }
}
