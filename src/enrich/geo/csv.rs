//! Reads the sorted ranges of sapics/ip-location-db, in each of its forms.
//!
//! `start,end,country` or `start,end,AS number,organisation`, both ends inclusive; or, in its files
//! named `-cidr`, a network in place of the two ends. Addresses are written out or are decimal
//! numbers. Of numbers, a range that ends within 32 bits is taken for IPv4: its IPv6 homonym, `::/96`,
//! is used by nobody. A file may hold both families. IPv4 addresses inside IPv6 (`::ffff:0:0/96`) are
//! IPv4. More columns, as files of cities have, are ignored.
//!
//! A line is a row: a quote that somebody forgot costs one line, not the rest of the file, which is
//! why the `csv` crate is not used here. Format: `IP_FORMAT.md`, `COUNTRY.md` and `ASN.md` of the project.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use memchr::memchr;

use super::Kind;
use super::build::{Builder, Span};
use super::error::Stopped;
use super::notes::Notes;
use crate::untrusted::for_terminal;

/// The longest real line has 200 bytes.
const LONGEST_LINE: usize = 4096;
/// How much of a hostile field a message repeats, in bytes.
const SHOWN: usize = 40;
const MAPPED: u128 = 0xffff_0000_0000;

/// Why a line cannot be used.
#[derive(Debug, PartialEq, Eq)]
struct Fault<'a> {
    what: &'static str,
    field: Option<Cow<'a, [u8]>>,
}

impl<'a> Fault<'a> {
    fn plain(what: &'static str) -> Self {
        Self { what, field: None }
    }

    fn of(field: Cow<'a, [u8]>, what: &'static str) -> Self {
        Self { what, field: Some(field) }
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            let shown = field.get(..SHOWN).unwrap_or(field);
            let more = if field.len() > SHOWN { "..." } else { "" };
            write!(f, "\"{}{more}\" ", for_terminal(shown))?;
        }
        f.write_str(self.what)
    }
}

/// Reads all rows of `source`.
pub(super) fn read(mut source: impl BufRead, kind: Kind) -> Result<(Builder, Notes), Stopped> {
    let (mut builder, mut notes) = (Builder::default(), Notes::default());
    let mut line = Vec::with_capacity(LONGEST_LINE + 1);
    let mut header = Vec::new();
    loop {
        let whole = read_line(&mut source, &mut line).map_err(Stopped::Read)?;
        if line.is_empty() {
            return Ok((builder, notes));
        }
        notes.lines += 1;
        // A byte order mark stands where files were joined, too.
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.trim_ascii().is_empty() || text == header {
            continue;
        }
        if !whole {
            notes.bad(notes.lines, Fault::plain("the line is too long"));
            continue;
        }
        match row(text, kind) {
            Ok((span, number, name)) => {
                builder.push(span, (number, &name), notes.lines)?;
                notes.ranges += 1;
            }
            Err(_) if notes.ranges + notes.bad == 0 && header.is_empty() && names(text) => {
                header = text.to_vec();
            }
            Err(fault) => notes.bad(notes.lines, fault),
        }
    }
}

/// Reads the next line with its end; empty at the end of the file. False if it is too long: then
/// `line` is its beginning, and the rest is skipped.
fn read_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    source.by_ref().take(LONGEST_LINE as u64).read_until(b'\n', line)?;
    if line.len() < LONGEST_LINE || line.ends_with(b"\n") {
        return Ok(true);
    }
    loop {
        let rest = source.fill_buf()?;
        let (used, end) = match memchr(b'\n', rest) {
            Some(at) => (at + 1, true),
            None => (rest.len(), rest.is_empty()),
        };
        source.consume(used);
        if end {
            return Ok(false);
        }
    }
}

/// Whether a line names columns: its first field is a word, such as `ip_range_start`.
fn names(text: &[u8]) -> bool {
    let first = Fields(Some(text)).next().and_then(Result::ok).map(trim).unwrap_or_default();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_- ".contains(byte);
    first.first().is_some_and(u8::is_ascii_alphabetic) && first.iter().all(word)
}

type Row<'a> = (Span, u32, Cow<'a, [u8]>);

/// Reads one line: the range, the number that stands for what is said of it, the organisation.
fn row(text: &[u8], kind: Kind) -> Result<Row<'_>, Fault<'_>> {
    let mut fields = Fields(Some(text));
    let few = || Fault::plain("the line has too few fields");
    let mut next = || fields.next().ok_or_else(few)?.map(trim);
    let start = next()?;
    let span = if start.contains(&b'/') { network(start)? } else { range(start, next()?)? };
    let said = next()?;
    match kind {
        Kind::Countries => match country_number(&said) {
            Some(number) => Ok((span, number, Cow::Borrowed(b""))),
            None => Err(Fault::of(said, "is not a country of two letters")),
        },
        Kind::Networks => match as_number(&said) {
            Some(number) => {
                let name = fields.next().transpose()?.unwrap_or_default();
                Ok((span, number, if is_nobody(&name) { Cow::Borrowed(b"") } else { name }))
            }
            None => Err(Fault::of(said, "is not an AS number")),
        },
    }
}

fn trim(field: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match field {
        Cow::Borrowed(field) => Cow::Borrowed(field.trim_ascii()),
        Cow::Owned(field) => Cow::Owned(field.trim_ascii().to_vec()),
    }
}

/// Two letters as a number, 0 if the country is unknown; `None` if it is no country.
pub(super) fn country_number(code: &[u8]) -> Option<u32> {
    match code {
        [b'Z' | b'z', b'Z' | b'z'] => Some(0),
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Some(u32::from(u16::from_be_bytes([a.to_ascii_uppercase(), b.to_ascii_uppercase()])))
        }
        _ => is_nothing(code).then_some(0),
    }
}

/// An AS number, with or without `AS` before it, 0 if it is unknown; `None` if it is none.
pub(super) fn as_number(text: &[u8]) -> Option<u32> {
    let (prefix, rest) = text.split_at_checked(2).unwrap_or_default();
    let digits = if prefix.eq_ignore_ascii_case(b"as") { rest } else { text };
    if is_nothing(text) { Some(0) } else { u32::try_from(decimal(digits)?).ok() }
}

/// The ways in which databases write that they do not know.
fn is_nothing(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 5] = [b"null", b"n/a", b"unknown", b"\\n", b"--"];
    is_nobody(text) || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a database names no organisation. Not `N/A`: one of them calls itself so.
pub(super) fn is_nobody(name: &[u8]) -> bool {
    let name = name.trim_ascii();
    name.is_empty() || name == b"-" || name.eq_ignore_ascii_case(b"none")
}

fn decimal(digits: &[u8]) -> Option<u128> {
    let number = |sum: u128, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u128::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, number))?
}

fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn range<'a>(start: Cow<'a, [u8]>, end: Cow<'a, [u8]>) -> Result<Span, Fault<'a>> {
    let span = match (decimal(&start), decimal(&end)) {
        (Some(start), Some(end)) => numeric(start, end),
        (Some(_), None) => {
            return Err(Fault::of(end, "is not a number, as the start of the range is"));
        }
        (None, _) => match (address(&start), address(&end)) {
            (None, _) => return Err(Fault::of(start, "is not an address")),
            (_, None) => return Err(Fault::of(end, "is not an address")),
            (Some(IpAddr::V4(start)), Some(IpAddr::V4(end))) => {
                Span::Four(start.to_bits(), end.to_bits())
            }
            (Some(IpAddr::V6(start)), Some(IpAddr::V6(end))) => six(start.to_bits(), end.to_bits()),
            _ => {
                return Err(Fault::plain(
                    "the range starts in IPv4 and ends in IPv6, or the reverse",
                ));
            }
        },
    };
    let inverted = match span {
        Span::Four(start, end) => start > end,
        Span::Six(start, end) => start > end,
    };
    if inverted { Err(Fault::plain("the range ends before it starts")) } else { Ok(span) }
}

fn numeric(start: u128, end: u128) -> Span {
    match (u32::try_from(start), u32::try_from(end)) {
        (Ok(start), Ok(end)) => Span::Four(start, end),
        _ => six(start, end),
    }
}

/// A range of IPv6, or of the IPv4 that is mapped into it.
fn six(start: u128, end: u128) -> Span {
    let four = |address: u128| u32::try_from(address.checked_sub(MAPPED)?).ok();
    match (four(start), four(end)) {
        (Some(start), Some(end)) => Span::Four(start, end),
        _ => Span::Six(start, end),
    }
}

fn network(text: Cow<'_, [u8]>) -> Result<Span, Fault<'_>> {
    match std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
        Some(IpNet::V4(net)) => {
            Ok(Span::Four(Ipv4Addr::to_bits(net.network()), net.broadcast().to_bits()))
        }
        Some(IpNet::V6(net)) => {
            Ok(six(Ipv6Addr::to_bits(net.network()), net.broadcast().to_bits()))
        }
        None => Err(Fault::of(text, "is not a network")),
    }
}

/// The fields of a line, RFC 4180. Blanks may stand around quotes.
struct Fields<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Cow<'a, [u8]>, Fault<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.take()?;
        if let Some(quoted) = rest.trim_ascii_start().strip_prefix(b"\"") {
            return Some(self.quoted(quoted));
        }
        let end = memchr(b',', rest).unwrap_or(rest.len());
        let (field, rest) = rest.split_at_checked(end)?;
        self.0 = rest.strip_prefix(b",");
        Some(Ok(Cow::Borrowed(field)))
    }
}

impl<'a> Fields<'a> {
    fn quoted(&mut self, text: &'a [u8]) -> Result<Cow<'a, [u8]>, Fault<'a>> {
        let open = || Fault::plain("a quoted field does not end");
        let (mut at, mut doubled) = (0, false);
        loop {
            at += text.get(at..).and_then(|rest| memchr(b'"', rest)).ok_or_else(open)?;
            match text.get(at + 1) {
                Some(b'"') => (at, doubled) = (at + 2, true),
                _ => break,
            }
        }
        let (field, rest) = text.split_at_checked(at).ok_or_else(open)?;
        let rest = rest.strip_prefix(b"\"").unwrap_or(rest).trim_ascii_start();
        self.0 = rest.strip_prefix(b",");
        if self.0.is_none() && !rest.is_empty() {
            return Err(Fault::plain("text follows a quoted field"));
        }
        if !doubled {
            return Ok(Cow::Borrowed(field));
        }
        let mut plain = Vec::with_capacity(field.len());
        let mut bytes = field.iter().copied();
        while let Some(byte) = bytes.next() {
            plain.push(byte);
            if byte == b'"' {
                bytes.next();
            }
        }
        Ok(Cow::Owned(plain))
    }
}
