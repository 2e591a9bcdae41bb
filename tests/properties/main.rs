//! Properties that hold whatever the input is, tried with input built from the formats' own tokens.
//!
//! Random letters never find the seam between two fields; `, sasl_username=` in a user name does.
//! What is rendered as a line is rendered as Postfix and rsyslog do it, so that it is known what
//! must be read: the words that a client chose come back as they are, or nowhere at all.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test should stop at the first surprise"
)]

mod anonymize;
mod postfix;
mod dovecot;
mod blocks;
mod csv;
mod sql;
mod times;
mod ini;

use std::fmt;
use std::ops::Deref;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

/// As many cases as a few seconds allow; a case that fails is printed, not kept in a file.
pub fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// The words that our parser looks for, and others that end fields somewhere.
const TOKENS: &[&[u8]] = &[
    b" authentication failed: ",
    b" authentication failed",
    b" authentication aborted",
    b", sasl_username=",
    b", sasl_username=(unavailable)",
    b", sasl_method=",
    b", sasl_sender=",
    b"(unavailable)",
    b"(reason unavailable)",
    b"warning: ",
    b"unknown[203.0.113.66]",
    b"unknown[203.0.113.66]:25",
    b"]: SASL LOGIN",
    b": SASL ",
    b"SASL",
    b"](unavailable)",
    b"A59429CE8C1: client=",
    b"SASL: Connect to Dovecot auth socket",
    b"Connection lost to authentication server",
    b"Temporary authentication failure",
    b"generic failure",
    b"Invalid authentication mechanism",
    b"Nov 22 21:28:34 mx1 postfix/smtpd[12]: ",
    b"2026-11-22T21:28:34+00:00",
    b"<20>1 ",
    b" postfix 12 - - ",
    b"[2001:db8::66]",
    b"[",
    b"]",
    b":",
    b": ",
    b",",
    b", ",
    b";",
    b"=",
    b"\\",
    b"'",
    b" ",
    b"LOGIN",
    b"bob",
    b"x@example.org",
    "müller".as_bytes(),
    "\u{202e}日".as_bytes(),
    b"\xe6\x97",
    b"\x1b[2J",
    b"\t",
    b"\x7f",
    b"?",
];

/// Bytes that a failing case shows as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Words(pub Vec<u8>);

impl Deref for Words {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

/// Text that a client chose.
pub fn hostile() -> impl Strategy<Value = Words> + Clone {
    vec(select(TOKENS), 0..7).prop_map(|tokens| Words(tokens.concat()))
}
