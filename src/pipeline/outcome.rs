//! What a line is taken for, as far as it must be the same when names are replaced.

use crate::parse::postfix::Message;
use crate::parse::rule::Rule;
use crate::parse::time::Stamp;
use crate::parse::{Reading, looks_like_login, read, syslog};

/// What a line is taken for.
#[derive(PartialEq, Eq)]
pub(super) enum Outcome {
    /// Without a header, or nearest to this rule; whether it looks like a login makes it a puzzle.
    Nothing { stamp: Option<Stamp>, near: Option<Rule>, looks_like_login: bool },
    /// By this rule, so often, at that time; whether a user is named.
    Line { stamp: Stamp, times: u32, rule: Rule, names_user: bool },
}

impl Outcome {
    pub(super) fn of(line: &[u8], reading: &Reading<'_>) -> Self {
        match reading {
            Reading::NoHeader(_) => {
                let looks_like_login = looks_like_login(line);
                Self::Nothing { stamp: syslog::stamp(line), near: None, looks_like_login }
            }
            Reading::Line(header, Err(near)) => {
                let looks_like_login = looks_like_login(line);
                let stamp = Some(header.stamp.0);
                Self::Nothing { stamp, near: Some(near.rule), looks_like_login }
            }
            Reading::Line(header, Ok(message)) => {
                let (rule, names_user, attempts) = match message {
                    Message::Unrelated(rule) => (*rule, false, 1),
                    Message::Refused(attempt) | Message::Accepted(attempt) => {
                        (attempt.rule, attempt.user.is_some(), attempt.times)
                    }
                };
                let times = header.times.saturating_mul(attempts);
                Self::Line { stamp: header.stamp.0, times, rule, names_user }
            }
        }
    }

    /// Whether it is that of the line that starts at `start` of `out`.
    pub(super) fn is_of(&self, out: &[u8], start: usize) -> bool {
        let line = out.get(start..).unwrap_or_default();
        *self == Self::of(line, &read(line))
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing { looks_like_login: false, .. })
    }
}
