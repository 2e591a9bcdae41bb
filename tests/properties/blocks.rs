//! Blocks of lines: wherever a log is cut, the same is found in it.

use std::io::{self, Read};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maillogsentinel::event::{Findings, Services};
use maillogsentinel::parse::time::Chronology;
use maillogsentinel::parse::{Outage, Scanner};
use maillogsentinel::source::block::{Blocks, Edges, LastLine};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::dovecot::session;
use super::postfix::refusal;
use super::{Words, cases, hostile};

/// A log of lines of all kinds, up to days apart, and the time of its file.
fn log() -> impl Strategy<Value = (Words, Timestamp)> {
    let down = "warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: refused";
    let unreached = "warning: x[203.0.113.9]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=(unavailable)";
    let login = "A59429CE8C1: client=x[203.0.113.9], sasl_method=PLAIN, sasl_username=";
    let smtpd = prop_oneof![
        4 => refusal().prop_map(|refusal| refusal.render().0),
        2 => hostile().prop_map(move |user| [login.as_bytes(), user.as_slice()].concat()),
        1 => Just(down.as_bytes().to_vec()),
        2 => Just(unreached.as_bytes().to_vec()),
        3 => Just(b"connect from unknown[203.0.113.9]".to_vec()),
        6 => Just(b"warning: x[203.0.113.9]: SASL PLAIN authentication failed: ".to_vec()),
        1 => hostile().prop_map(|words| words.0),
    ];
    let dovecot = prop_oneof![
        select(vec!["bob", "eve", "?"]).prop_map(|user| {
            format!("auth: passwd-file({user},203.0.113.9): unknown user").into_bytes()
        }),
        session().prop_map(|session| session.render().0),
        hostile().prop_map(|words| words.0),
    ];
    let message = prop_oneof![
        3 => (Just("postfix/smtpd"), smtpd),
        1 => (Just("dovecot"), dovecot),
    ];
    let end = select(vec![&b"\n"[..], b"\n", b"\n", b"\r\n", b"\0\0\0", b"\n\n"]);
    let wait = prop_oneof![0_i64..5, 0_i64..200_000];
    let line = (message, 1_u32..3, wait, end, proptest::bool::weighted(0.8));
    (0_i64..2_000_000_000, any::<bool>(), vec(line, 1..30)).prop_map(|(mut now, bsd, lines)| {
        let format = if bsd { "%b %e %H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S+00:00" };
        let start =
            |now| Timestamp::from_second(now).unwrap().to_zoned(TimeZone::UTC).strftime(format);
        // Without a stamp at its start it would be no log.
        let mut text = format!("{} mx1 postfix/smtpd[9]: x\n", start(now)).into_bytes();
        for ((program, message), process, wait, end, whole) in lines {
            now += wait;
            let start = format!("{} mx1 {program}[{process}]: ", start(now));
            text.extend([if whole { start.as_bytes() } else { b"- " }, &message, end].concat());
        }
        (Words(text), Timestamp::from_second(now).unwrap())
    })
}

fn scanner(modified: Timestamp) -> Scanner {
    let chronology = Chronology::new(TimeZone::UTC, modified, None, 0);
    let mut scanner = Scanner::new(chronology, Outage::default(), ("here", 0));
    scanner.count_services(BOTH);
    scanner
}

const BOTH: Services = Services { postfix: true, dovecot: true };

/// The scanner of a later run, which knows what the one before it left.
fn later(modified: Timestamp, before: &Scanner) -> Scanner {
    let chronology = Chronology::new(TimeZone::UTC, modified, before.last_time(), 0);
    let outage = Outage::resume(before.outage().processes());
    let mut scanner = Scanner::new(chronology, outage, ("here", before.lines()));
    scanner.count_services(BOTH);
    scanner.resume_names(&before.names());
    scanner
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

    #[test]
    fn runs_that_end_anywhere_give_the_same((text, modified) in log(), share in 0..100_usize) {
        let mut whole = Findings::default();
        prop_assert_eq!(scanner(modified).scan(&text, 0, &mut whole), Ok(()));
        let cut = text.len() * share / 100;
        let cut = text[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (first, second) = text.split_at(cut);
        let (mut parts, mut one) = (Findings::default(), scanner(modified));
        prop_assert_eq!(one.scan(first, 0, &mut parts), Ok(()));
        let mut two = later(modified, &one);
        prop_assert_eq!(two.scan(second, cut as u64, &mut parts), Ok(()));
        prop_assert_eq!(parts.failures, whole.failures);
    }
}

/// What the property above found once: the block's last line has no time, and its auth line is
/// more than an answer's patience after the first.
#[test]
fn an_attempt_is_under_way_although_the_last_line_has_no_time() {
    let before = b"1970-01-01T00:00:00+00:00 mx1 postfix/smtpd[9]: x\n\
        1970-01-01T00:00:11+00:00 mx1 dovecot[1]: auth: passwd-file(bob,203.0.113.9): unknown user\n\
        - connect from unknown[203.0.113.9]\n";
    let after = b"1970-01-01T00:00:11+00:00 mx1 postfix/smtpd[1]: \
        warning: x[203.0.113.9]: SASL PLAIN authentication failed: \n";
    let modified = Timestamp::from_second(11).unwrap();
    let (mut found, mut one) = (Findings::default(), scanner(modified));
    one.scan(before, 0, &mut found).unwrap();
    later(modified, &one).scan(after, before.len() as u64, &mut found).unwrap();
    let user = found.failures.first().and_then(|failure| failure.user.clone()).unwrap();
    assert_eq!(user.as_bytes(), b"bob");
}
