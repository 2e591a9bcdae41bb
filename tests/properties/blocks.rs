//! Blocks of lines: wherever a log is cut, the same is found in it.

use std::io::{self, Read};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maillogsentinel::event::Findings;
use maillogsentinel::parse::time::Chronology;
use maillogsentinel::parse::{Outage, Scanner};
use maillogsentinel::source::block::{Blocks, Edges, LastLine};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::postfix::refusal;
use super::{Words, cases, hostile};

/// A log of lines of all kinds, up to days apart, and the time of its file.
fn log() -> impl Strategy<Value = (Words, Timestamp)> {
    let down = "warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: refused";
    let unreached = "warning: x[203.0.113.9]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=(unavailable)";
    let login = "A59429CE8C1: client=x[203.0.113.9], sasl_method=PLAIN, sasl_username=";
    let message = prop_oneof![
        4 => refusal().prop_map(|refusal| refusal.render().0),
        2 => hostile().prop_map(move |user| [login.as_bytes(), user.as_slice()].concat()),
        1 => Just(down.as_bytes().to_vec()),
        2 => Just(unreached.as_bytes().to_vec()),
        3 => Just(b"connect from unknown[203.0.113.9]".to_vec()),
        1 => hostile().prop_map(|words| words.0),
    ];
    let end = select(vec![&b"\n"[..], b"\n", b"\n", b"\r\n", b"\0\0\0", b"\n\n"]);
    let line = (message, 1_u32..3, 0_i64..200_000, end, any::<bool>());
    (0_i64..2_000_000_000, any::<bool>(), vec(line, 1..30)).prop_map(|(mut now, bsd, lines)| {
        let format = if bsd { "%b %e %H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S+00:00" };
        let start =
            |now| Timestamp::from_second(now).unwrap().to_zoned(TimeZone::UTC).strftime(format);
        // Without a stamp at its start it would be no log.
        let mut text = format!("{} mx1 postfix/smtpd[9]: x\n", start(now)).into_bytes();
        for (message, process, wait, end, whole) in lines {
            now += wait;
            let start = format!("{} mx1 postfix/smtpd[{process}]: ", start(now));
            text.extend([if whole { start.as_bytes() } else { b"- " }, &message, end].concat());
        }
        (Words(text), Timestamp::from_second(now).unwrap())
    })
}

fn scanner(modified: Timestamp) -> Scanner {
    let chronology = Chronology::new(TimeZone::UTC, modified, None, 0);
    Scanner::new(chronology, Outage::default(), ("here", 0))
}

/// Gives as many bytes at a time as the sizes say, in turn.
struct Slow<'t>(&'t [u8], std::iter::Cycle<std::vec::IntoIter<usize>>);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.1.next().unwrap().min(buffer.len()).min(self.0.len());
        let (now, later) = self.0.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn blocks_cut_anywhere_give_the_same((text, modified) in log(), sizes in vec(1_usize..600, 1..5)) {
        let mut whole = Findings::default();
        prop_assert_eq!(scanner(modified).scan(&text, 0, &mut whole), Ok(()));
        let input = Slow(text.as_slice(), sizes.into_iter().cycle());
        let mut blocks = Blocks::new(input, 0, Edges::default(), LastLine::IsWhole);
        let (mut parts, mut scanner) = (Findings::default(), scanner(modified));
        while let Some(block) = blocks.next_block().unwrap() {
            prop_assert_eq!(scanner.scan(block.bytes, block.position, &mut parts), Ok(()));
        }
        prop_assert_eq!(blocks.position(), text.len() as u64);
        // A line with a wrong clock is looked at only where a block ends.
        let lines = |findings: &mut Findings| -> u64 {
            std::mem::take(&mut findings.days).values().map(|day| day.lines).sum()
        };
        prop_assert_eq!(lines(&mut parts), lines(&mut whole));
        prop_assert_eq!(parts, whole);
    }
}
