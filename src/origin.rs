//! The nouns of enrichment: who was behind an address when it was looked up.

use crate::untrusted::Untrusted;

/// All that is known of an address besides its own bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What reverse DNS said.
    pub reverse_dns: ReverseDns,
    /// Where it is said to be.
    pub country: Option<Country>,
    /// The network that announces it.
    pub network: Option<AutonomousSystem>,
}

/// What reverse DNS said of an address; the numbers are those of netdb.h.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReverseDns {
    /// It has this name, without the last dot.
    Name(Untrusted),
    /// 1: NXDOMAIN, there is no such name.
    NotFound,
    /// 2: SERVFAIL, or no answer in time.
    ServerFailed,
    /// 3: REFUSED, or another final error.
    Refused,
    /// 4: there is no PTR record, nothing could be sent, or nobody was asked.
    #[default]
    NoName,
}

impl ReverseDns {
    /// As `reverse_dns_status` of the CSV has it.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Name(_) => "OK",
            Self::NotFound => "Errno 1",
            Self::ServerFailed => "Errno 2",
            Self::Refused => "Errno 3",
            Self::NoName => "Errno 4",
        }
    }

    /// The name, if there is one.
    pub fn name(&self) -> Option<&Untrusted> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// A country by its two letters (ISO 3166-1 alpha-2), in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two letters, capital or small; `None` for anything else.
    pub fn parse(code: &[u8]) -> Option<Self> {
        let letters: [u8; 2] = code.try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(letters.map(|l| l.to_ascii_uppercase())))
    }

    /// The two letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A network by its number in BGP (RFC 4271) and the organisation that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutonomousSystem {
    /// Its number, never 0.
    pub number: u32,
    /// Who runs it, as the database says; may be empty.
    pub organisation: Untrusted,
}
