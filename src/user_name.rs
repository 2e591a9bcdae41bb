//! What user names are compared by.

use crate::untrusted::Untrusted;

/// How much of a name tells it from others.
const NAME_BYTES: usize = 64;
/// The name of unknown users: none that was logged has a zero byte and no other.
pub const UNKNOWN: &[u8] = b"\0";

/// What a user name is compared by: its local part in small letters.
///
/// Attackers try `user@domain` and `user` in turn, and many servers take both.
pub fn name_of(user: &[u8]) -> Untrusted {
    let local = user.iter().position(|byte| *byte == b'@').unwrap_or(user.len());
    let local = user.get(..local.min(NAME_BYTES)).unwrap_or(user);
    Untrusted::from(&*local.to_ascii_lowercase())
}

/// The domain of a user name, in small letters.
pub fn domain_of(user: &[u8]) -> Option<Vec<u8>> {
    let at = user.iter().position(|byte| *byte == b'@')?;
    Some(user.get(at + 1..)?.to_ascii_lowercase())
}

/// Whether two user names are the same account, however their letters are written.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    name_of(one) == name_of(other) && domain_of(one) == domain_of(other)
}

/// Whether two user names may be the same account: the same name, and no other domain.
pub fn may_be_same(one: &[u8], other: &[u8]) -> bool {
    let domains = domain_of(one).zip(domain_of(other));
    name_of(one) == name_of(other) && domains.is_none_or(|(one, other)| one == other)
}

/// How names are written. A tool that works off a list writes all alike: with their domain, without, or
/// once each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    /// How many failures had a domain,
    pub full: u64,
    /// and how many had none.
    pub bare: u64,
}

/// So many failures tell how a tool writes names.
const TELLING: u64 = 10;

impl Spelling {
    /// Notes how a user was written.
    pub fn add(&mut self, user: Option<&Untrusted>) {
        match user.map(has_domain) {
            Some(true) => self.full += 1,
            Some(false) => self.bare += 1,
            None => {}
        }
    }

    /// Whether `user`, which was just added, is the first that is written otherwise than those before.
    pub fn is_first_of_two(&self, user: Option<&Untrusted>) -> bool {
        match user.map(has_domain) {
            Some(true) => self.full == 1 && self.bare > 0,
            Some(false) => self.bare == 1 && self.full > 0,
            None => false,
        }
    }

    /// The share of `part` of `whole` failures.
    #[must_use]
    pub fn share(&self, part: u64, whole: u64) -> Self {
        let of = |all: u64| all.saturating_mul(part) / whole.max(1);
        Self { full: of(self.full), bare: of(self.bare) }
    }

    /// Whether who writes like this may write `user`, too.
    pub fn takes(&self, user: Option<&Untrusted>) -> bool {
        let (same, other) = match user.map(has_domain) {
            Some(true) => (self.full, self.bare),
            Some(false) => (self.bare, self.full),
            None => return true,
        };
        other < TELLING || same.saturating_mul(12) >= other
    }

    /// Whether two may work off one list.
    pub fn is_like(&self, other: Self) -> bool {
        let (mine, others) = (self.full + self.bare, other.full + other.bare);
        let product = |one: u64, other: u64| u128::from(one) * u128::from(other);
        let apart = product(self.full, others).abs_diff(product(other.full, mine));
        mine.min(others) < TELLING || apart * 20 <= product(mine, others) * 7
    }
}

/// Whether a user name has a domain.
pub fn has_domain(user: &Untrusted) -> bool {
    user.as_bytes().contains(&b'@')
}

/// Names that everybody tries, whoever is behind it.
const COMMON: [&str; 44] = [
    "abuse",
    "accounting",
    "accounts",
    "admin",
    "administrator",
    "backup",
    "billing",
    "contact",
    "demo",
    "devnull",
    "fax",
    "ftp",
    "guest",
    "help",
    "helpdesk",
    "hostmaster",
    "hr",
    "info",
    "job",
    "jobs",
    "mail",
    "manager",
    "marketing",
    "newsletter",
    "no-reply",
    "noreply",
    "office",
    "operator",
    "postfix",
    "postmaster",
    "printer",
    "reception",
    "root",
    "sales",
    "scan",
    "scanner",
    "service",
    "spam",
    "support",
    "test",
    "user",
    "web",
    "webmaster",
    "www",
];

/// Whether a name is one that everybody tries, so that two who do have nothing in common.
pub fn is_common(name: &Untrusted) -> bool {
    std::str::from_utf8(name.as_bytes()).is_ok_and(|name| COMMON.binary_search(&name).is_ok())
}
