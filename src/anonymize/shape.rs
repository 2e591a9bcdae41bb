//! Tells by its looks what a piece of text is: an address, a host name, a queue id, a code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memchr;

/// Letters for Postfix's long queue ids: no vowels, so that no word comes out.
const CONSONANTS: &[u8] = b"BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
/// The longest IPv6 address that has an IPv4 one in it.
const LONGEST_V6: usize = 45;
/// Endings of the names of files, some of which are countries too.
const FILES: [&[u8]; 24] = [
    b"cf", b"conf", b"log", b"c", b"h", b"so", b"db", b"pem", b"crt", b"key", b"sock", b"gz",
    b"lua", b"lmdb", b"cdb", b"hash", b"pid", b"lock", b"tmp", b"txt", b"cache", b"dat", b"index",
    b"sieve",
];

/// For each byte, whether it may be part of a word, a name or the local part of a mail address.
const OF_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "< 256")]
        {
            let b = byte as u8;
            table[byte] =
                b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+' | b'@' | 0x80..);
        }
        byte += 1;
    }
    table
};

/// Whether `byte` may be part of a word.
pub(super) fn is_of_word(byte: u8) -> bool {
    OF_WORD.get(usize::from(byte)).is_some_and(|of| *of)
}

/// How many bytes at the start of `text` are a word.
pub(super) fn word(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_of_word(*byte)).unwrap_or(text.len())
}

/// What starts with hexadecimal digits and colons.
pub(super) enum Colons {
    /// An address, and how many bytes it takes.
    Address(Ipv6Addr, usize),
    /// A fingerprint of a key, or an address of hardware.
    Code(usize),
}

/// Reads an IPv6 address, or what looks like a longer one, at the start of `text`.
pub(super) fn colons(text: &[u8]) -> Option<Colons> {
    // Most words end here: a colon comes after four digits at most.
    let digits = text.iter().take(5).take_while(|b| b.is_ascii_hexdigit()).count();
    if digits > 4 || text.get(digits) != Some(&b':') {
        return None;
    }
    let of_address = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    let length = text.iter().position(|b| !of_address(b)).unwrap_or(text.len());
    let run = text.get(..length)?;
    let goes_on = text.get(length).is_some_and(|b| is_of_word(*b));
    let run = run.strip_suffix(b".").unwrap_or(run);
    let run = if run.ends_with(b"::") { run } else { run.strip_suffix(b":").unwrap_or(run) };
    let colons = memchr::memchr_iter(b':', run).count();
    if colons >= 2 && run.len() <= LONGEST_V6 && !goes_on {
        let address = std::str::from_utf8(run).ok().and_then(|run| run.parse().ok());
        if let Some(address) = address {
            return Some(Colons::Address(address, run.len()));
        }
    }
    (colons >= 5 && run.len() >= 17).then_some(Colons::Code(run.len()))
}

/// Reads `word` as an IPv4 address, in the one form that the parser knows too.
pub(super) fn quad(word: &[u8]) -> Option<Ipv4Addr> {
    let (mut bits, mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in word {
        match byte {
            b'0'..=b'9' if digits < 3 && (digits == 0 || octet > 0) => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet < 256 && dots < 3 => {
                bits = bits << 8 | octet;
                (octet, digits, dots) = (0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && octet < 256).then(|| Ipv4Addr::from_bits(bits << 8 | octet))
}

/// Reads `text` as an address of either kind, as the standard library does.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    if let Some(v4) = quad(text) {
        return Some(v4.into());
    }
    // Most texts that are asked for are names.
    memchr(b':', text)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether `word` is of digits and marks between them; `None` if not, else how many groups.
pub(super) fn groups_of_digits(word: &[u8]) -> Option<usize> {
    let is_mark = |b: &u8| matches!(b, b'.' | b'-' | b'_' | b'+');
    word.iter()
        .all(|b| b.is_ascii_digit() || is_mark(b))
        .then(|| word.split(is_mark).filter(|group| !group.is_empty()).count())
}

/// Whether `word` is a host name with a domain.
pub(super) fn is_host_name(word: &[u8]) -> bool {
    let Some(dot) = word.iter().rposition(|b| *b == b'.') else { return false };
    let last = word.get(dot + 1..).unwrap_or_default();
    let is_top = last.len() >= 2 && last.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80)
        || last.starts_with(b"xn--");
    is_top && !word.iter().any(|b| matches!(b, b'+' | b'@')) && !word.starts_with(b".")
}

/// Whether the last part of a dotted `word` is the ending of a file's name.
pub(super) fn ends_as_file(word: &[u8]) -> bool {
    let ending = word.rsplit(|b| *b == b'.').next().unwrap_or_default();
    FILES.contains(&ending)
}

/// Whether `word` has one of the two forms of Postfix's queue ids.
pub(super) fn is_queue_id(word: &[u8]) -> bool {
    let has_digit = word.iter().any(u8::is_ascii_digit);
    let has_letter = word.iter().any(u8::is_ascii_uppercase);
    let short = || {
        (6..=20).contains(&word.len())
            && word.iter().all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'))
    };
    // Six characters of seconds, four of microseconds, `z`, and the file's number.
    let long = || {
        (12..=25).contains(&word.len())
            && word.get(10) == Some(&b'z')
            && word.iter().all(|b| b.is_ascii_digit() || memchr(*b, CONSONANTS).is_some())
    };
    has_digit && has_letter && (short() || long())
}

/// Whether `word` can be a queue id where only one stands: at the start of a message.
pub(super) fn may_be_queue_id(word: &[u8]) -> bool {
    (6..=32).contains(&word.len())
        && word.iter().all(u8::is_ascii_alphanumeric)
        && (word.iter().any(u8::is_ascii_digit) || word.iter().all(|b| matches!(b, b'A'..=b'F')))
}

/// How many bytes at the start of `text` look like base64, its padding included.
///
/// Paths look so too, but for capitals.
pub(super) fn code(text: &[u8]) -> Option<usize> {
    let of_code = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let length = text.iter().position(|b| !of_code(b)).unwrap_or(text.len());
    let run = text.get(..length)?;
    let rest = text.get(length..).unwrap_or_default();
    let padding = rest.iter().take(2).take_while(|b| **b == b'=').count();
    let least = if run.contains(&b'/') { 16 } else { 10 };
    let mixed = run.len() >= least
        && !run.starts_with(b"/")
        && run.iter().any(u8::is_ascii_uppercase)
        && run.iter().any(u8::is_ascii_lowercase)
        && (padding > 0 || run.iter().any(|b| !b.is_ascii_alphabetic()));
    let mut after = rest.iter().skip(padding).skip_while(|b| **b == b'.');
    let goes_on = after.next().is_some_and(|b| is_of_word(*b));
    (mixed && !goes_on).then_some(length + padding)
}

/// Whether `code` is the server's question for user name or password in base64: no secret.
pub(super) fn is_prompt(code: &[u8]) -> bool {
    let Ok(plain) = STANDARD_NO_PAD.decode(
        code.strip_suffix(b"=").map_or(code, |code| code.strip_suffix(b"=").unwrap_or(code)),
    ) else {
        return false;
    };
    let end = plain.iter().rposition(|b| !matches!(b, b':' | b' ' | 0 | b'\r' | b'\n'));
    let words = end.and_then(|end| plain.get(..=end)).unwrap_or_default();
    [&b"username"[..], b"user name", b"password", b"login"]
        .iter()
        .any(|prompt| words.eq_ignore_ascii_case(prompt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_times_and_fingerprints() {
        let read = |text: &str| match colons(text.as_bytes()) {
            Some(Colons::Address(address, length)) => format!("{address} {length}"),
            Some(Colons::Code(length)) => format!("code {length}"),
            None => "none".to_owned(),
        };
        assert_eq!(read("2001:db8::1]: x"), "2001:db8::1 11");
        assert_eq!(read("2001:db8::1: x"), "2001:db8::1 11");
        assert_eq!(read("::1, y"), "::1 3");
        assert_eq!(read("::ffff:1.2.3.4)"), "::ffff:1.2.3.4 14");
        assert_eq!(read("fe80::1%eth0"), "fe80::1 7");
        assert_eq!(read("AA:BB:CC:DD:EE:FF:00:11:22:33"), "code 29");
        for other in ["21:28:34", "from: x", "dead: x", "::string", "add", "12", "a:b"] {
            assert_eq!(read(other), "none", "{other}");
        }
    }

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        for text in
            ["1.2.3.4", "256.1.1.1", "01.2.3.4", "1.2.3", "1.2.3.4.5", "", "::1", "1.2.3.4 "]
        {
            assert_eq!(address(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn queue_ids_codes_and_prompts_are_told_from_words() {
        for id in ["A59429CE8C1", "4343C9CE892", "4T2x5k2KzyzXYZ1"] {
            assert!(is_queue_id(id.as_bytes()), "{id}");
        }
        for word in ["statistics", "warning", "FACADE", "12345678", "AES256", "R22CzuRgcE3AAAIg"] {
            assert!(!is_queue_id(word.as_bytes()), "{word}");
        }
        assert_eq!(code(b"R22CzuRgcE3AAAIg Saved"), Some(16));
        assert_eq!(code(b"AGJvYgBzZWNyZXQ= x"), Some(16));
        assert_eq!(code(b"Disconnected: x"), None);
        for prompt in ["UGFzc3dvcmQ6", "VXNlcm5hbWU6", "VXNlciBOYW1lAA==", "UGFzc3dvcmQ="] {
            assert!(is_prompt(prompt.as_bytes()), "{prompt}");
        }
        assert!(!is_prompt(b"AGJvYgBzZWNyZXQ="));
    }

    #[test]
    fn host_names_end_in_letters() {
        for name in ["mx1.example.org", "56.2.0.192.bc.example", "a.xn--p1ai", "my_host-1.a.net"] {
            assert!(is_host_name(name.as_bytes()), "{name}");
        }
        for other in ["mx1", "5.7.8", "TLSv1.3", "bob@example.org", ".x"] {
            assert!(!is_host_name(other.as_bytes()), "{other}");
        }
    }
}
