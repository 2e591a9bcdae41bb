//! The nouns of a stolen account: signs, and what they amount to.
//!
//! Times are seconds since 1970.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::event::Network;
use crate::untrusted::Untrusted;

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a note: most likely the user himself.
    Low = 1,
    /// Ask the user.
    Medium = 2,
    /// Most likely stolen.
    High = 3,
}

impl Severity {
    /// What the store has for it.
    pub fn of(number: i64) -> Self {
        match number {
            ..=1 => Self::Low,
            2 => Self::Medium,
            _ => Self::High,
        }
    }

    /// As people read it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "HIGH",
        }
    }
}

/// What speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The login came from an attacker, who had tried other accounts or very often.
    Attacker,
    /// It came from an address that had failed on this account, and not on others.
    Guesser,
    /// A country that the account never came from.
    NewCountry,
    /// A network that the account never came from, in a country that it did come from.
    NewNetwork,
    /// The account never logged in before, and hardly any other comes from that country.
    Awakened,
    /// Countries that one person is hardly in at such times.
    Scattered,
    /// A message was sent from a provider at which the account, which reads mail, never did.
    SendsApart,
    /// Bots of a campaign that tries this account are at the same provider in the same country.
    BotsNear,
    /// A campaign tries this account these days.
    UnderAttack,
    /// Many networks within a day that it never came from.
    ManyNetworks,
    /// Many more messages than ever before, from such networks.
    ManyMessages,
    /// Many more messages than ever before, from where it always is.
    Jump,
    /// It came from where a thief had got in, who was seen to.
    Returned,
}

impl Evidence {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 13] = [
        Self::Attacker,
        Self::Guesser,
        Self::NewCountry,
        Self::NewNetwork,
        Self::Awakened,
        Self::Scattered,
        Self::SendsApart,
        Self::BotsNear,
        Self::UnderAttack,
        Self::ManyNetworks,
        Self::ManyMessages,
        Self::Jump,
        Self::Returned,
    ];

    /// What the store and JSON have for it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Attacker => "attacker",
            Self::Guesser => "guesser",
            Self::NewCountry => "new_country",
            Self::NewNetwork => "new_network",
            Self::Awakened => "awakened",
            Self::Scattered => "scattered",
            Self::SendsApart => "sends_apart",
            Self::BotsNear => "bots_near",
            Self::UnderAttack => "under_attack",
            Self::ManyNetworks => "many_networks",
            Self::ManyMessages => "many_messages",
            Self::Jump => "jump",
            Self::Returned => "returned",
        }
    }
}

/// One thing that speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What.
    pub evidence: Evidence,
    /// When.
    pub time: i64,
    /// The network of the login.
    pub network: Network,
    /// Its client.
    pub address: IpAddr,
    /// Its line: file and place.
    pub place: (Option<i64>, Option<i64>),
    /// The campaign that it has to do with.
    pub campaign: Option<i64>,
    /// Failures, networks or messages.
    pub number: u64,
    /// The most messages on a day before.
    pub usual: Option<u64>,
}

/// An account that may be stolen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its row, which people call it by.
    pub id: i64,
    /// The account.
    pub account: Untrusted,
    /// How sure it is.
    pub severity: Severity,
    /// The time of the first sign.
    pub time: i64,
    /// When somebody said that he knows.
    pub acknowledged: Option<i64>,
    /// Whether he said that it was its user, or a thief; `None`: an earlier version did not ask.
    pub was_user: Option<bool>,
    /// What he said.
    pub comment: Option<Untrusted>,
    /// Its signs, in the order of their times.
    pub signs: Vec<Sign>,
}

impl Finding {
    /// The networks from where a thief got in: those of which the signs alone would be high. Where somebody
    /// said that it was one, those of which they would be medium, or else all, as where he used many.
    pub fn stolen_from(&self) -> BTreeSet<Network> {
        let is_theft = self.acknowledged.is_some();
        if is_theft && self.was_user != Some(false) {
            return BTreeSet::new();
        }
        // These two are of the account, wherever it is.
        let is_there =
            |sign: &&Sign| !matches!(sign.evidence, Evidence::Jump | Evidence::UnderAttack);
        let all: BTreeSet<_> =
            self.signs.iter().filter(is_there).map(|sign| sign.network).collect();
        let of = |least: Severity| {
            let is_stolen = |network: &&Network| {
                let there = self.signs.iter().filter(|it| it.network == **network);
                severity(&there.cloned().collect::<Vec<_>>()) >= Some(least)
            };
            all.iter().filter(is_stolen).copied().collect::<BTreeSet<_>>()
        };
        if !is_theft {
            return of(Severity::High);
        }
        let is_everywhere = self.signs.iter().any(|it| it.evidence == Evidence::ManyNetworks);
        let known = of(Severity::Medium);
        if known.is_empty() || is_everywhere { all } else { known }
    }
}

/// So many messages a day from a country that is new to the account are no newsletter of a user who
/// travels, but the list that a thief brought.
const FLOOD: u64 = 300;
/// Signs that are further apart have nothing to do with one another.
pub const TOGETHER: i64 = 3 * 86_400;

/// What signs amount to; `None`: nothing worth a note.
pub fn severity(signs: &[Sign]) -> Option<Severity> {
    let from = |first: &Sign| {
        let near = |sign: &&Sign| (0..=TOGETHER).contains(&(sign.time - first.time));
        together(&signs.iter().filter(near).collect::<Vec<_>>())
    };
    let all: Vec<_> = signs.iter().collect();
    // A thief who tests the password comes back days later.
    let senders = signs.iter().filter(|sign| sign.evidence == Evidence::SendsApart);
    let senders: BTreeSet<_> = senders.map(|sign| sign.network).collect();
    if senders.len() > 1 && is_abroad(&all, Evidence::SendsApart) {
        return Some(Severity::High);
    }
    signs.iter().filter_map(from).max()
}

/// Whether there is such a sign of a network in a country that was new to the account.
fn is_abroad(signs: &[&Sign], evidence: Evidence) -> bool {
    let is_new = |network: &Network| {
        signs.iter().any(|it| it.evidence == Evidence::NewCountry && it.network == *network)
    };
    signs.iter().any(|sign| sign.evidence == evidence && is_new(&sign.network))
}

/// What signs of a few days amount to.
fn together(signs: &[&Sign]) -> Option<Severity> {
    use Evidence::{
        Attacker, Awakened, BotsNear, Guesser, Jump, ManyMessages, ManyNetworks, NewCountry,
        NewNetwork, Returned, Scattered, SendsApart, UnderAttack,
    };
    let has = |evidence| signs.iter().any(|sign| sign.evidence == evidence);
    let floods = signs.iter().any(|it| it.evidence == ManyMessages && it.number >= FLOOD);
    let is_new = has(NewCountry) || has(Awakened);
    let sends_abroad = is_abroad(signs, SendsApart);
    // The first two days of an account are no measure for what comes after them.
    let is_scattered = is_abroad(signs, Scattered);
    if has(Attacker)
        || has(Returned)
        || (has(Guesser) && (has(ManyNetworks) || has(ManyMessages) || sends_abroad))
        || (has(ManyNetworks) && (has(ManyMessages) || sends_abroad))
        || (has(ManyMessages) && is_new && (has(BotsNear) || floods))
        || (sends_abroad && (has(BotsNear) || is_scattered))
    {
        return Some(Severity::High);
    }
    if has(Guesser)
        || has(ManyNetworks)
        || has(ManyMessages)
        || sends_abroad
        || (is_new && has(BotsNear))
        || (has(Jump) && has(UnderAttack))
    {
        return Some(Severity::Medium);
    }
    let is_odd = is_new || has(Scattered) || has(SendsApart) || has(Jump);
    (is_odd || (has(NewNetwork) && has(BotsNear))).then_some(Severity::Low)
}
