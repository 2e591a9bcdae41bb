//! Makes a log safe to share: what names somebody is replaced, what tells what happened stays.
//!
//! The same value always gets the same placeholder ([`Placeholders`]). Where a field is known, it is
//! replaced whole; all other text goes word by word ([`Redactor::text`]), and only words of a list
//! (`words.txt`) and numbers stay, so that what nobody thought of does not leak. Lines are taken
//! apart by the stage `parse`; `pipeline::anonymize` joins the two.

mod address;
mod angle;
mod fields;
mod key;
mod network;
mod placeholders;
mod redactor;
mod shape;
mod strict;
mod table;
mod text;
mod words;

pub use key::{Key, KeyError};
pub use placeholders::{Count, Naming, Placeholders};
pub use redactor::{Line, Redactor};

/// What a value is; each kind has its own placeholders, and can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 and IPv6 addresses.
    Addresses,
    /// Names of hosts, and domains, those of mail addresses too.
    Hosts,
    /// User names, and what stands before the `@` of mail addresses.
    Users,
    /// Message-ids.
    MessageIds,
    /// Queue ids.
    QueueIds,
    /// Session ids and other long codes; Dovecot's hold the client's address.
    Tokens,
    /// Words that are not of the list.
    Texts,
}

impl Kind {
    /// All kinds, in the order in which they are counted for people.
    pub const ALL: [Self; 7] = [
        Self::Addresses,
        Self::Hosts,
        Self::Users,
        Self::MessageIds,
        Self::QueueIds,
        Self::Tokens,
        Self::Texts,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Hosts => "hosts",
            Self::Users => "users",
            Self::MessageIds => "message-ids",
            Self::QueueIds => "queue-ids",
            Self::Tokens => "tokens",
            Self::Texts => "texts",
        }
    }
}

/// Which kinds are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// All of them.
    pub const ALL: Self = Self(u8::MAX);

    /// Only these.
    pub fn only(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8))
    }

    /// All but these.
    pub fn all_but(kinds: &[Kind]) -> Self {
        Self(!Self::only(kinds).0)
    }

    /// Whether `kind` is among them.
    pub fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}
