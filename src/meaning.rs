//! The nouns of a verdict: whether anybody got in, who attacked, and what to do.

use serde::{Deserialize, Serialize};

/// Whether anybody got in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// No login speaks for it.
    NobodyGotIn,
    /// These accounts are probably stolen; fit for a terminal.
    Stolen {
        /// Their names.
        accounts: Vec<String>,
    },
    /// It cannot be told.
    CannotTell {
        /// Why, in words.
        why: String,
    },
}

impl Verdict {
    /// In words: the first ones of the subject, and of the report.
    pub fn text(&self) -> String {
        match self {
            Self::NobodyGotIn => "NOBODY GOT IN".to_owned(),
            Self::Stolen { accounts } => match accounts.as_slice() {
                [one] => format!("ACCOUNT {one} PROBABLY STOLEN"),
                [one, others @ ..] => {
                    format!("ACCOUNT {one} AND {} MORE PROBABLY STOLEN", others.len())
                }
                [] => "AN ACCOUNT IS PROBABLY STOLEN".to_owned(),
            },
            Self::CannotTell { why } => format!("CANNOT TELL: {why}"),
        }
    }
}

/// What a day's logins mean; all texts are fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// Whether anybody got in.
    pub verdict: Verdict,
    /// Failures of the day that are own users'.
    pub own_failures: u64,
    /// A sentence for each campaign of the day, the largest first.
    pub campaigns: Vec<String>,
    /// A sentence for each own user who cannot log in.
    pub own_users: Vec<String>,
    /// What to do.
    pub to_do: Vec<String>,
}
