//! Fuzzes the reading of DNS answers.
//!
//! The input is what follows the question, after four octets for the flags and the number of
//! records; as a whole it is read, too. A name must be printable ASCII, so that no terminal, file
//! or reader of either can be steered by it.

#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use maillogsentinel::enrich::rdns::message::{ReverseName, Said};
use maillogsentinel::origin::ReverseDns;

const ID: u16 = 0x1234;
/// 255 octets, each as `\DDD`.
const LONGEST: usize = 4 * 255;

fuzz_target!(|input: &[u8]| {
    let name = ReverseName::of(Ipv4Addr::new(192, 0, 2, 1).into()).expect("a name");
    check(&name, input);
    let Some(([flags, rcode, records @ ..], rest)) = input.split_first_chunk::<4>() else { return };
    let mut message = name.question(ID);
    // Mostly an answer, or nothing after the header would be looked at.
    message[2] = flags | 0x80;
    message[3] = *rcode;
    message[6..8].copy_from_slice(records);
    message.extend_from_slice(rest);
    check(&name, &message);
});

fn check(name: &ReverseName, message: &[u8]) {
    let said = name.read(ID, message);
    assert_eq!(said, name.read(ID, message));
    if let Some(Said::Final(ReverseDns::Name(name))) = said {
        let shown = name.as_bytes();
        assert!((1..=LONGEST).contains(&shown.len()));
        assert!(shown.iter().all(|octet| (0x20..0x7f).contains(octet)));
        assert!(!shown.iter().any(u8::is_ascii_uppercase));
    }
}
