//! A mail address that is safe wherever it is written: in a header and in an SMTP command.
//!
//! Only the plain form is taken, a dot-atom before the `@` and a domain or an address literal after
//! it (RFC 5321, section 4.1.2). Quoted names and letters outside ASCII are not: every server takes
//! what is left.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The most octets of an address, RFC 5321, section 4.5.3.1.3, without its angle brackets.
const LONGEST: usize = 254;

/// An address such as `postmaster@example.org`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// What an administrator wrote; a local account such as `root` gets `host` for its domain.
    ///
    /// `None` if it is not an address, or not one that every server takes.
    pub fn parse(text: &str, host: &str) -> Option<Self> {
        let text = text.trim();
        let (local, place) = match text.rsplit_once('@') {
            Some((local, place)) => (local, place.to_owned()),
            None => (text, domain(host)),
        };
        let literal = place.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let good = local.len() <= 64
            && is_dot_atom(local)
            && literal.map_or_else(|| is_domain(&place), is_literal);
        let whole = format!("{local}@{place}");
        (good && whole.len() <= LONGEST).then_some(Self(whole))
    }

    /// That of a user of this machine. Characters that cannot stand in an address are replaced.
    pub fn of_user(user: &str, host: &str) -> Self {
        let fit = |c: char| if c.is_ascii_alphanumeric() || "-_+.".contains(c) { c } else { '_' };
        let local: String = user.chars().map(fit).take(64).collect();
        let local = if is_dot_atom(&local) { local } else { local.replace('.', "_") };
        let local = if local.is_empty() { "maillogsentinel" } else { &local };
        Self(format!("{local}@{}", domain(host)))
    }

    /// The address as it stands between angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name of a machine, made fit for an address, a Message-ID or `EHLO`.
pub fn domain(host: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let fit: String = host.chars().map(fit).collect();
    let labels: Vec<_> = fit.split('.').filter(|label| !label.is_empty()).collect();
    // What is longer is no name in DNS, RFC 1035, section 2.3.4, and leaves no room for a user.
    let name: String = labels.join(".").chars().take(180).collect();
    let name = name.trim_end_matches('.');
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_dot_atom(text: &str) -> bool {
    // Some readers would decode it as an encoded word.
    !text.contains("=?")
        && text.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
}

fn is_domain(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    })
}

fn is_literal(text: &str) -> bool {
    text.strip_prefix("IPv6:").map_or_else(
        || text.parse::<Ipv4Addr>().is_ok(),
        |address| address.parse::<Ipv6Addr>().is_ok(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_address_is_refused() {
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            "a@b\r\nRCPT TO:<x>",
            "a\n@b",
            "a@b>",
            "\"a b\"@c",
            "a..b@c",
            ".a@c",
            "a@b..c",
            "a@[x]",
            "a@[192.0.2.1]>",
            "a@[192.0.2.1",
            "müller@example.org",
            "a@müller.example",
            "a@b\0",
            "a,b@c",
            "=?utf-8?q?a?=@b",
        ] {
            assert_eq!(Address::parse(text, "host"), None, "{text:?}");
        }
        let long = "a".repeat(65);
        assert_eq!(Address::parse(&format!("{long}@b"), "host"), None);
    }

    #[test]
    fn plain_ones_are_kept_and_local_ones_completed() {
        let parsed = |text: &str| Address::parse(text, "mail.example.org").unwrap().0;
        assert_eq!(parsed("o'neil+x/y=z@example.org"), "o'neil+x/y=z@example.org");
        assert_eq!(parsed(" a@b "), "a@b");
        assert_eq!(parsed("b@[192.0.2.1]"), "b@[192.0.2.1]");
        assert_eq!(parsed("b@[IPv6:2001:db8::1]"), "b@[IPv6:2001:db8::1]");
        assert_eq!(parsed("root"), "root@mail.example.org");
    }

    #[test]
    fn any_user_of_any_host_has_one() {
        for (user, host, expected) in [
            ("sentinel", "mail.example.org", "sentinel@mail.example.org"),
            ("a b\r\nBcc: x", "h\r\nX: y", "a_b__Bcc__x@h--X--y"),
            ("", "", "maillogsentinel@localhost"),
            ("müller", "größe.example.", "m_ller@gr--e.example"),
            ("john.doe", "..", "john.doe@localhost"),
            ("a..b", "mx1", "a__b@mx1"),
            ("=?utf-8?q?x?=", "h", "__utf-8_q_x__@h"),
        ] {
            let address = Address::of_user(user, host);
            assert_eq!(address.as_str(), expected);
            assert_eq!(Address::parse(expected, "").as_ref(), Some(&address));
        }
        let long = Address::of_user(&"a".repeat(300), &"b.".repeat(300));
        assert!(Address::parse(long.as_str(), "").is_some());
    }
}
