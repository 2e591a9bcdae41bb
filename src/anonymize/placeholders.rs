//! The placeholder of every value: the same one for the same value, different ones for different.
//!
//! `bob` is `user1` and `bob@example.org` is `user1@domain1.example`. Names of hosts are the same in
//! whatever case, since DNS takes them so. User names differ by case, since accounts may; `Bob` and
//! `BOB` are `User1` and `USER1`, so that it is seen what belongs together.

use std::io::Write;
use std::net::IpAddr;

use super::address::Addresses;
use super::key::Key;
use super::table::{Table, write_number};
use super::{Kind, Kinds, shape};

/// How placeholders are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Numbers in the order of appearance.
    Numbered,
    /// Hashes with the key, so that another run with it gives the same.
    Hashed,
}

/// How many different values of a kind were replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// One value, in words.
    pub one: &'static str,
    /// Several, in words.
    pub many: &'static str,
    /// How many.
    pub values: u64,
    /// Whether there were more, which nobody counted.
    pub and_more: bool,
}

/// All values so far and what they became.
pub struct Placeholders {
    kinds: Kinds,
    key: Key,
    addresses: Addresses,
    /// Only to know how many there were.
    seen_mailboxes: Table,
    hosts: Table,
    domains: Table,
    users: Table,
    message_ids: Table,
    queue_ids: Table,
    tokens: Table,
    texts: Table,
    scratch: Vec<u8>,
}

impl Placeholders {
    /// None yet; `kinds` are to be replaced, with placeholders that `key` makes.
    pub fn new(kinds: Kinds, key: Key, naming: Naming) -> Self {
        let numbered = naming == Naming::Numbered;
        let table = |purpose| Table::new(purpose, numbered);
        Self {
            kinds,
            key,
            addresses: Addresses::new(numbered),
            seen_mailboxes: Table::new("mailbox", true),
            hosts: table("host"),
            domains: table("domain"),
            users: table("user"),
            message_ids: table("message-id"),
            queue_ids: table("queue id"),
            tokens: table("token"),
            texts: table("text"),
            scratch: Vec::new(),
        }
    }

    /// Whether values of `kind` are replaced.
    pub(super) fn replaces(&self, kind: Kind) -> bool {
        self.kinds.contains(kind)
    }

    /// The address that stands for `address`.
    pub fn address(&mut self, address: IpAddr) -> IpAddr {
        if !self.replaces(Kind::Addresses) {
            return address;
        }
        self.addresses.replace(&self.key, address)
    }

    /// Writes what stands for `address`, or the address as it was `written` if it stays.
    pub(super) fn write_address(&mut self, address: IpAddr, written: &[u8], out: &mut Vec<u8>) {
        let other = self.address(address);
        if other == address {
            return out.extend_from_slice(written);
        }
        match other {
            IpAddr::V4(other) => {
                for (at, octet) in other.octets().into_iter().enumerate() {
                    if at > 0 {
                        out.push(b'.');
                    }
                    write_number(octet.into(), out);
                }
            }
            // Writing to memory cannot fail.
            IpAddr::V6(other) => write!(out, "{other}").unwrap_or_default(),
        }
    }

    /// Writes what stands for a user name or a mail address.
    pub fn mailbox(&mut self, name: &[u8], out: &mut Vec<u8>) {
        let parts = name.iter().rposition(|b| *b == b'@').and_then(|at| name.split_at_checked(at));
        let parts = parts.map(|(local, rest)| (local, rest.get(1..).unwrap_or_default()));
        let Some((local, domain)) = parts
            .filter(|(local, domain)| !local.is_empty() && !domain.is_empty() && is_domain(domain))
        else {
            return self.user(name, out);
        };
        if self.replaces(Kind::Users) || self.replaces(Kind::Hosts) {
            self.seen_mailboxes.id(&self.key, name);
        }
        self.user(local, out);
        out.push(b'@');
        match domain.strip_prefix(b"[").and_then(|domain| domain.strip_suffix(b"]")) {
            Some(inner) => {
                out.push(b'[');
                self.host(inner, out);
                out.push(b']');
            }
            None => self.host(domain, out),
        }
    }

    fn user(&mut self, name: &[u8], out: &mut Vec<u8>) {
        if name.is_empty() || !self.replaces(Kind::Users) {
            return out.extend_from_slice(name);
        }
        let capitals = name.iter().filter(|b| b.is_ascii_uppercase()).count();
        let small = name.iter().filter(|b| b.is_ascii_lowercase()).count();
        let first = name.first().is_some_and(u8::is_ascii_uppercase);
        let (word, fold): (&[u8], _) = match (capitals, small) {
            (0, _) => (b"user", true),
            (_, 0) => (b"USER", true),
            (1, _) if first => (b"User", true),
            _ => (b"user", false),
        };
        self.scratch.clear();
        self.scratch.extend_from_slice(name);
        if fold {
            self.scratch.make_ascii_lowercase();
        }
        out.extend_from_slice(word);
        self.users.id(&self.key, &self.scratch).write(out);
    }

    /// Writes what stands for a host name, a domain, or an address in the place of one.
    pub fn host(&mut self, name: &[u8], out: &mut Vec<u8>) {
        if let Some(address) = shape::address(name) {
            return self.write_address(address, name, out);
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(name.strip_suffix(b".").unwrap_or(name));
        self.scratch.make_ascii_lowercase();
        let lower = self.scratch.as_slice();
        let stays =
            matches!(lower, b"" | b"unknown" | b"localhost" | b"localhost.localdomain" | b"none");
        if stays || !self.replaces(Kind::Hosts) {
            return out.extend_from_slice(name);
        }
        let domain = domain(lower);
        if domain.len() < lower.len() {
            out.extend_from_slice(b"host");
            self.hosts.id(&self.key, lower).write(out);
        }
        if !domain.is_empty() {
            out.extend_from_slice(if domain.len() < lower.len() { b".domain" } else { b"domain" });
            self.domains.id(&self.key, domain).write(out);
            out.extend_from_slice(b".example");
        }
    }

    /// Writes what stands for a message-id, given without its angle brackets.
    pub(super) fn message_id(&mut self, id: &[u8], out: &mut Vec<u8>) {
        if id.is_empty() || !self.replaces(Kind::MessageIds) {
            return out.extend_from_slice(id);
        }
        out.extend_from_slice(b"id");
        self.message_ids.id(&self.key, id).write(out);
        out.extend_from_slice(b"@message.example");
    }

    /// Writes what stands for a queue id: another one.
    pub(super) fn queue_id(&mut self, id: &[u8], out: &mut Vec<u8>) {
        if id == b"NOQUEUE" || !self.replaces(Kind::QueueIds) {
            return out.extend_from_slice(id);
        }
        self.queue_ids.id(&self.key, id).write_hex(out);
    }

    /// Writes what stands for a session id or another code.
    pub(super) fn token(&mut self, token: &[u8], out: &mut Vec<u8>) {
        if token.is_empty() || !self.replaces(Kind::Tokens) || shape::is_prompt(token) {
            return out.extend_from_slice(token);
        }
        out.extend_from_slice(b"token");
        self.tokens.id(&self.key, token).write(out);
    }

    /// Writes what stands for text that nobody knows.
    pub(super) fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if text.is_empty() || !self.replaces(Kind::Texts) || shape::is_prompt(text) {
            return out.extend_from_slice(text);
        }
        out.extend_from_slice(b"text");
        self.texts.id(&self.key, text).write(out);
    }

    /// How many different values were replaced.
    pub fn counts(&self) -> [Count; 8] {
        let named = |(values, and_more), one, many| Count { one, many, values, and_more };
        let count = |table: &Table, one, many| named(table.count(), one, many);
        let hosts = count(&self.hosts, "name of a host or domain", "names of hosts and domains");
        let domains = count(&self.domains, "", "");
        [
            named(self.addresses.count(), "address", "addresses"),
            Count {
                values: hosts.values + domains.values,
                and_more: hosts.and_more || domains.and_more,
                ..hosts
            },
            count(&self.users, "user name", "user names"),
            count(&self.seen_mailboxes, "mail address", "mail addresses"),
            count(&self.message_ids, "message-id", "message-ids"),
            count(&self.queue_ids, "queue id", "queue ids"),
            count(&self.tokens, "session id or code", "session ids and codes"),
            count(&self.texts, "other text", "other texts"),
        ]
    }

    /// How many networks got another place than their own since that was taken, which another run
    /// with the same key may do differently, and whether some networks may share a place.
    pub fn crowding(&self) -> (u64, bool) {
        self.addresses.crowding()
    }
}

/// Whether what follows an `@` can be a domain.
fn is_domain(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
    match inner {
        Some(inner) => shape::address(inner).is_some(),
        None => text.iter().all(|b| shape::is_of_word(*b) && !matches!(b, b'+' | b'@')),
    }
}

/// The part of `name` that somebody registered, more or less; empty if it has one label only.
///
/// Two labels, or three where the second is as short as those that countries give out (`co.uk`).
fn domain(name: &[u8]) -> &[u8] {
    let mut dots = memchr::memrchr_iter(b'.', name);
    let Some(last) = dots.next() else { return &[] };
    let is_country = name.len() - last == 3;
    let start = match dots.next() {
        Some(second) if is_country && last - second <= 4 => dots.next(),
        other => other,
    };
    name.get(start.map_or(0, |dot| dot + 1)..).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> Placeholders {
        Placeholders::new(Kinds::ALL, Key::of(b"a secret"), Naming::Numbered)
    }

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_keep_their_relations() {
        let mut all = numbered();
        let mut mailbox = |name: &str| shown(|out| all.mailbox(name.as_bytes(), out));
        assert_eq!(mailbox("bob"), "user1");
        assert_eq!(mailbox("bob@example.org"), "user1@domain1.example");
        assert_eq!(mailbox("bob@EXAMPLE.org"), "user1@domain1.example");
        assert_eq!(mailbox("alice@mail.example.org"), "user2@host1.domain1.example");
        assert_eq!((mailbox("Bob"), mailbox("BOB")), ("User1".into(), "USER1".into()));
        assert_eq!((mailbox("bOb"), mailbox("boB")), ("user3".into(), "user4".into()));
        assert_eq!(mailbox("x, sasl_username=victim@y z"), "user5");
        assert_eq!(mailbox("bob@localhost"), "user1@localhost");
        assert_eq!(mailbox("bob@[127.0.0.1]"), "user1@[127.0.0.1]");
        assert_eq!((mailbox(""), mailbox("@")), (String::new(), "user6".into()));
    }

    #[test]
    fn hosts_of_a_domain_stay_in_one() {
        let mut all = numbered();
        let mut host = |name: &str| shown(|out| all.host(name.as_bytes(), out));
        assert_eq!(host("a.example.org"), "host1.domain1.example");
        assert_eq!(host("b.a.EXAMPLE.org."), "host2.domain1.example");
        assert_eq!(host("example.org"), "domain1.example");
        assert_eq!(host("a.b.co.uk"), "host3.domain2.example");
        assert_eq!(host("b.co.uk"), "domain2.example");
        assert_eq!((host("mx1"), host("unknown")), ("host4".into(), "unknown".into()));
    }

    #[test]
    fn with_a_key_placeholders_are_the_same_in_every_run_and_others_with_another() {
        let hashed = |secret: &[u8], name: &[u8]| {
            let mut all = Placeholders::new(Kinds::ALL, Key::of(secret), Naming::Hashed);
            shown(|out| all.mailbox(b"somebody else", out));
            shown(|out| all.mailbox(name, out))
        };
        let one = hashed(b"a secret", b"bob@example.org");
        assert_eq!(hashed(b"a secret", b"bob@example.org"), one);
        assert_eq!(hashed(b"a secret", b"bob"), one.split('@').next().unwrap());
        assert_ne!(hashed(b"another", b"bob@example.org"), one);
    }

    #[test]
    fn what_is_kept_is_kept_as_it_is() {
        let kinds = Kinds::all_but(&[Kind::Users]);
        let mut all = Placeholders::new(kinds, Key::of(b"a secret"), Naming::Numbered);
        assert_eq!(shown(|out| all.mailbox(b"Bob@example.org", out)), "Bob@domain1.example");
        assert_eq!(all.counts().map(|count| count.values), [0, 1, 0, 1, 0, 0, 0, 0]);
    }
}
