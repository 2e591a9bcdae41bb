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

/// Whether two user names may be the same account: the same name, and no other domain.
pub fn may_be_same(one: &[u8], other: &[u8]) -> bool {
    let domains = domain_of(one).zip(domain_of(other));
    name_of(one) == name_of(other) && domains.is_none_or(|(one, other)| one == other)
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
