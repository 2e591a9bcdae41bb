//! Fuzzes the line parser with whole blocks of lines.
//!
//! Whatever the bytes: a line that has the form of a failure is taken for one, each part that is
//! read is a slice of its line, the address is the one in the first brackets after `warning: NAME`,
//! the user is the end of the line, and a scan of the block finds what reading line by line finds,
//! wherever the block is cut.

#![no_main]

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use maillogsentinel::event::{Failure, Findings, Services};
use maillogsentinel::parse::postfix::{self, Attempt, Message};
use maillogsentinel::parse::rule::Rule;
use maillogsentinel::parse::syslog::{self, Header};
use maillogsentinel::parse::time::{Chronology, Stamp};
use maillogsentinel::parse::{self, Outage, Reading, Scanner, Stop};
use maillogsentinel::untrusted::Untrusted;

fuzz_target!(|block: &[u8]| {
    for (_, line) in lines(block) {
        check(line);
    }
    check_scan(block);
});

/// The lines of `block` and where they start, cut the slow way.
fn lines(block: &[u8]) -> Vec<(usize, &[u8])> {
    let mut found = Vec::new();
    let mut start = 0;
    for at in 0..=block.len() {
        if at == block.len() || block[at] == b'\n' || block[at] == 0 {
            if at > start {
                found.push((start, &block[start..at]));
            }
            start = at + 1;
        }
    }
    found
}

/// Checks what is read in one line against the line.
fn check(line: &[u8]) {
    match parse::read(line) {
        Reading::NoHeader(stop) => {
            assert!(is_end(line, stop.rest));
            assert!(!stop.expected.is_empty());
        }
        Reading::Line(header, message) => {
            let Header { stamp: (_, stamp), host, program, process, message: text, .. } = header;
            for part in [stamp, host, program, process] {
                assert!(is_in(line, part));
            }
            // `message repeated 2 times: [ ...]` ends in a bracket of syslog's own.
            let repeated = line.windows(17).any(|words| words == b"message repeated ");
            assert!(is_in(line, text) && (repeated || is_end(line, text)));
            assert!(header.times == 1 || repeated);
            if postfix::is_smtpd(program) && is_failure(text) {
                let refused = matches!(message, Ok(Message::Refused(_)));
                assert!(refused, "missed: {}", text.escape_ascii());
            }
            match message {
                Ok(Message::Refused(attempt)) => check_refused(line, &header, &attempt),
                Ok(Message::Accepted(attempt)) => check_accepted(line, &header, &attempt),
                Ok(Message::Unrelated(_)) => {}
                Err(near) => assert!(is_in(line, near.rest)),
            }
        }
    }
}

/// Whether `text` has the form that every failure has, read without any regard to other messages:
/// `warning: NAME[ADDRESS][:PORT]: SASL MECHANISM authentication failed: REASON`.
fn is_failure(text: &[u8]) -> bool {
    let text = text.iter().map(|b| char::from(*b)).collect::<String>();
    let read = || {
        let (name, rest) = text.strip_prefix("warning: ")?.split_once('[')?;
        let (address, rest) = rest.split_once(']')?;
        address.parse::<IpAddr>().ok().filter(|_| !name.is_empty() && !name.contains(' '))?;
        let (port, rest) = rest.split_once(": SASL ")?;
        let digits = port.strip_prefix(':').filter(|port| !port.is_empty());
        let digits = if port.is_empty() { "" } else { digits? };
        let (mechanism, reason) = rest.split_once(" authentication failed: ")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let plain = digits.chars().all(|c| c.is_ascii_digit()) && mechanism.chars().all(plain);
        let (reason, _) = reason.split_once(", sasl_username=").unwrap_or((reason, ""));
        let starts = [
            "Connection lost to authentication server",
            "Can't connect to authentication server",
            "Temporary authentication failure",
        ];
        let temporary = reason == "generic failure" || starts.iter().any(|s| reason.starts_with(s));
        Some(plain && !mechanism.is_empty() && !temporary)
    };
    read().unwrap_or(false)
}

/// What Dovecot says of a session; `rip=` of the client's own comes before the true one.
fn check_dovecots(line: &[u8], attempt: &Attempt<'_>) {
    check_parts(line, attempt);
    assert!(is_in(line, attempt.protocol) && attempt.times > 0);
    let written = [b", rip=", attempt.written_address].concat();
    assert!(line.windows(written.len()).any(|words| words == written));
    assert!(parse::looks_like_login(line));
}

fn check_refused(line: &[u8], header: &Header<'_>, attempt: &Attempt<'_>) {
    if attempt.rule.is_dovecots() {
        return check_dovecots(line, attempt);
    }
    check_parts(line, attempt);
    let text = header.message.strip_prefix(b"warning: ").expect("a failure is a warning");
    assert_eq!(attempt.address, first_bracket(text));
    assert!(text.starts_with(&[attempt.client, b"[", attempt.written_address, b"]"].concat()));
    assert!(!attempt.client.iter().any(|b| b" [".contains(b)), "a name is one word");
    // Whatever the words in between, the user runs to the end of the line.
    if let Some(user) = attempt.user {
        assert!(header.message.ends_with(user));
        assert_ne!(user, b"(unavailable)");
        assert_eq!(attempt.rule, Rule::SaslFailed);
        assert!(attempt.mechanism.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)));
        let key = b", sasl_username=";
        assert!(!attempt.reason.windows(key.len()).any(|w| w == key), "the first key counts");
    }
    assert!(parse::looks_like_login(line));
    assert!(postfix::is_smtpd(header.program) || header.program.starts_with(b"postfix"));
}

fn check_accepted(line: &[u8], header: &Header<'_>, attempt: &Attempt<'_>) {
    if attempt.rule.is_dovecots() {
        return check_dovecots(line, attempt);
    }
    check_parts(line, attempt);
    let at = header.message.iter().position(|b| *b == b'=').expect("client=");
    assert_eq!(attempt.address, first_bracket(&header.message[at..]));
    assert!(attempt.user.is_some());
    assert!(parse::looks_like_login(line));
}

fn check_parts(line: &[u8], attempt: &Attempt<'_>) {
    let Attempt { client, written_address, mechanism, reason, user, .. } = attempt;
    for part in [*client, written_address, mechanism, reason, user.unwrap_or_default()] {
        assert!(is_in(line, part));
    }
}

/// The address in the first brackets of `text`.
fn first_bracket(text: &[u8]) -> IpAddr {
    let text = String::from_utf8_lossy(text).into_owned();
    let (_, rest) = text.split_once('[').expect("a bracket");
    let (written, _) = rest.split_once(']').expect("a closing bracket");
    let address = written.split('%').next().unwrap_or_default();
    address.parse::<IpAddr>().expect("an address").to_canonical()
}

/// Scans `block` at once and in two parts, and compares both with its lines.
fn check_scan(block: &[u8]) {
    let (whole, stop) = scan(&[block]);
    if stop == Some(Stop::NotALog) {
        assert!(lines(block).iter().all(|(_, line)| syslog::stamp(line).is_none()));
        return;
    }
    assert_eq!(whole.lines, count_lines(block));
    compare(block, &whole);
    // Years are guessed from the lines before; other ones than today's lead astray, cut or not.
    if lines(block).iter().any(|(_, line)| is_of_another_age(line)) {
        return;
    }
    let middle = block.len() / 2;
    let Some(end) = block[middle..].iter().position(|b| matches!(b, b'\n' | 0)) else { return };
    let (first, second) = block.split_at(middle + end + 1);
    let (parts, stop) = scan(&[first, second]);
    if stop != Some(Stop::NotALog) {
        let known = |found: &Findings| found.failures.iter().map(known).collect::<Vec<_>>();
        assert_eq!(known(&parts), known(&whole), "cut after {}", first.len());
        assert_eq!(parts.puzzles, whole.puzzles);
        assert_eq!(parts.logins.total(), whole.logins.total());
    }
}

fn is_of_another_age(line: &[u8]) -> bool {
    let age = 2020..2027;
    match syslog::stamp(line) {
        Some(Stamp::Instant(time)) => !age.contains(&time.to_zoned(TimeZone::UTC).year()),
        Some(Stamp::Local(local)) => !age.contains(&local.year()),
        _ => false,
    }
}

/// Lines as `wc -l` counts them, and one more for a last line without its end.
fn count_lines(block: &[u8]) -> u64 {
    let ends = block.split(|b| *b == b'\n').count() as u64 - 1;
    ends + u64::from(!block.ends_with(b"\n") && !block.ends_with(b"\0"))
}

fn scan(blocks: &[&[u8]]) -> (Findings, Option<Stop>) {
    let modified = Timestamp::from_second(1_800_000_000).expect("a time in 2027");
    let chronology = Chronology::new(TimeZone::UTC, modified, None, 0);
    let mut scanner = Scanner::new(chronology, Outage::default(), ("here", 0));
    scanner.count_services(Services { postfix: true, dovecot: true });
    let mut found = Findings::default();
    let (mut position, mut stopped) = (0, None);
    for block in blocks {
        stopped = stopped.or(scanner.scan(block, position, &mut found).err());
        position += block.len() as u64;
    }
    (found, stopped)
}

/// Position and number, address, user, manner.
type Known = ((u64, u32), IpAddr, Option<Untrusted>, [Untrusted; 4]);

/// All of a failure but its time, which in BSD stamps hangs on the lines before.
fn known(failure: &Failure) -> Known {
    let manner = &*failure.manner;
    let manner = [&manner.server, &manner.service, &manner.mechanism, &manner.reason];
    let place = (failure.position, failure.times);
    (place, failure.address, failure.user.clone(), manner.map(Clone::clone))
}

/// Compares what a scan found with what each line says by itself.
fn compare(block: &[u8], found: &Findings) {
    let (mut failures, mut logins, mut puzzles) = (Vec::new(), 0, 0);
    let (mut outage, mut nameless) = (false, Vec::new());
    for (start, line) in lines(block) {
        let reading = parse::read(line);
        if !parse::looks_like_login(line) {
            continue;
        }
        let Reading::Line(header, Ok(message)) = reading else {
            puzzles += 1;
            continue;
        };
        match message {
            Message::Refused(attempt) => {
                nameless.extend(attempt.is_nameless.then_some(start as u64));
                failures.push(expected(start as u64, &header, &attempt));
            }
            Message::Accepted(_) => logins += 1,
            Message::Unrelated(rule) => outage |= rule == Rule::AuthServiceDown,
        }
    }
    // A user that the line does not name may come from another one.
    let named = |failure: &Failure| {
        let mut known = known(failure);
        known.2 = known.2.filter(|_| !nameless.contains(&failure.position));
        known
    };
    let scanned: Vec<_> = found.failures.iter().map(named).collect();
    let logged_in = found.logins.total();
    // While the auth service is down some failures are none, and a date far in the future has no
    // place in a file of today; but nothing is made up, and nothing is left out in silence.
    let mut all = failures.iter();
    assert!(scanned.iter().all(|one| all.any(|other| other == one)), "{scanned:?} {failures:?}");
    if !outage {
        let undated = found.puzzles - puzzles;
        let missing = failures.len() as u64 - scanned.len() as u64 + (logins - logged_in);
        assert_eq!(missing, undated, "{scanned:?} {failures:?}");
    }
}

fn expected(start: u64, header: &Header<'_>, attempt: &Attempt<'_>) -> Known {
    let host = if matches!(header.host, b"" | b"-") { b"here" } else { header.host };
    let service = header.program.strip_suffix(b"/smtpd").unwrap_or(header.program);
    // What is the same for many failures is kept up to a length that no server's own words have.
    let dovecots = [b"dovecot/", attempt.protocol].concat();
    let service = if attempt.protocol.is_empty() { service } else { &dovecots };
    let manner = [host, service, attempt.mechanism, attempt.reason];
    let manner = manner.map(|part| part.get(..512).unwrap_or(part).into());
    ((start, header.times.saturating_mul(attempt.times)), attempt.address, attempt.user.map(Into::into), manner)
}

/// Whether `part` is a slice of `line`; an empty one may be anywhere.
fn is_in(line: &[u8], part: &[u8]) -> bool {
    let (line, part) = (line.as_ptr_range(), part.as_ptr_range());
    part.start == part.end || (line.start <= part.start && part.end <= line.end)
}

/// Whether `part` is the end of `line`, but for a carriage return.
fn is_end(line: &[u8], part: &[u8]) -> bool {
    line.strip_suffix(b"\r").unwrap_or(line).ends_with(part) && is_in(line, part)
}
