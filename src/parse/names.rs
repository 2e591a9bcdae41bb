//! Recovers the user that Postfix before 3.7.8 and 3.8.3 leaves out of its line.
//!
//! Where Dovecot judges for Postfix and logs it (`auth_verbose`), a line of its auth service came a
//! few seconds before: same host, same client, no session. Nothing else joins the two lines, so
//! that a user is taken only where there is one attempt that it can be. Where there may have been
//! two at once, or one of the two lines is missing, the client's attempts stay without a user until
//! it has been quiet for as long as an answer may take.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::dovecot::auth::asked;
use super::postfix::{Message, refused_client, was_judged};
use super::rule::Rule;
use super::syslog::Header;

/// Longer than Dovecot holds back the answer to a failure (`auth_failure_delay = 2 secs`).
const ANSWER: SignedDuration = SignedDuration::from_secs(10);
/// How many clients are remembered.
const CLIENTS: usize = 4096;
/// How many databases may be asked about one attempt.
const DATABASES: usize = 8;
/// Marks a database that a worker asked.
const WORKER: &[u8] = b"worker:";
/// The databases of Dovecot. Each attempt asks the same ones in the same order, so that another of
/// them belongs to the same attempt; where a mechanism stands instead (`cram-md5`), it may not.
const KNOWN: [&[u8]; 12] = [
    b"bsdauth",
    b"cache",
    b"checkpassword",
    b"imap",
    b"ldap",
    b"lua",
    b"pam",
    b"passwd",
    b"passwd-file",
    b"shadow",
    b"sql",
    b"vpopmail",
];

/// What was tried of late, by host and client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    clients: HashMap<(Box<[u8]>, IpAddr), Client>,
    /// What was before is not known, so that until then nothing is clear.
    blind_until: Option<Timestamp>,
}

/// A client that tried something of late.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Client {
    last: Timestamp,
    waiting: Waiting,
}

/// What the auth service was asked and Postfix has not logged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing.
    Nobody,
    /// One attempt, or several with the same user.
    One {
        user: Option<Box<[u8]>>,
        /// The databases that were asked about it, in this order.
        by: Vec<Box<[u8]>>,
        /// One was asked twice: it may be more than one attempt.
        several: bool,
    },
    /// It cannot be told.
    Unclear,
}

impl Names {
    /// For lines of which those before are not known; the first is of `time`.
    pub fn blind_from(time: Timestamp) -> Self {
        let mut names = Self::default();
        names.blind(time);
        names
    }

    /// Forgets what was, and takes nothing for clear for a while.
    pub fn blind(&mut self, time: Timestamp) {
        self.clients.clear();
        self.blind_until = time.checked_add(ANSWER).ok();
    }

    /// Whether at `time` nothing is clear yet.
    pub fn is_blind(&self, time: Timestamp) -> bool {
        self.blind_until.is_some_and(|until| time < until)
    }

    /// Remembers that `time` came: who could see once is not blind again if the clock is set back.
    pub fn reach(&mut self, time: Timestamp) {
        if !self.is_blind(time) {
            self.blind_until = None;
        }
    }

    /// Learns from a line, of the kind that [`read`] gives; gives the user of an attempt whose line
    /// names none.
    ///
    /// [`read`]: super::read
    pub fn join(
        &mut self,
        header: &Header<'_>,
        message: &Message<'_>,
        time: Timestamp,
    ) -> Option<Box<[u8]>> {
        match message {
            Message::Unrelated(Rule::DovecotAuth) => {
                for asked in asked(header.message) {
                    let client = self.client((header.host, asked.address), time);
                    client.ask(asked.user.as_deref(), asked.by, (time, header.times > 1));
                }
                None
            }
            // Its attempt had a line of the auth service or not; nobody can tell whose that was.
            Message::Unrelated(Rule::TemporaryFailure) => {
                let client = self.client((header.host, refused_client(header.message)?), time);
                (client.last, client.waiting) = (time, Waiting::Unclear);
                None
            }
            Message::Refused(attempt) if was_judged(attempt) => {
                let client = self.client((header.host, attempt.address), time);
                client.last = time;
                let user = client.answer(attempt.mechanism);
                user.filter(|_| attempt.is_nameless && header.times == 1)
            }
            _ => None,
        }
    }

    /// What matters of it after `time`, to go on with in a later run; empty for nothing.
    pub fn to_bytes(&self, time: Option<Timestamp>) -> Vec<u8> {
        let Some(time) = time else { return Vec::new() };
        let mut lines = Vec::new();
        lines.extend(
            self.blind_until
                .filter(|until| time < *until)
                .map(|until| format!("blind {}", until.as_second()).into_bytes()),
        );
        for ((host, address), client) in &self.clients {
            let (how, by, user) = match &client.waiting {
                _ if client.is_quiet(time) => continue,
                Waiting::Nobody => continue,
                Waiting::Unclear => ("unclear", &[][..], None),
                Waiting::One { user, by, several: true } => ("several", &**by, user.as_deref()),
                Waiting::One { user, by, several: false } => ("one", &**by, user.as_deref()),
            };
            let (by, last) = (by.join(&b','), client.last.as_second());
            let start = format!(" {address} {last} {how} ");
            let user = user.map(|user| [b" ", user].concat()).unwrap_or_default();
            lines.push([host, start.as_bytes(), &by, &user].concat());
        }
        lines.sort();
        lines.join(&b'\n')
    }

    /// Undoes [`Names::to_bytes`]; a line that is none is left out.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut names = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if names.add(line).is_none()
                && let Some(until) = line.strip_prefix(b"blind ")
            {
                names.blind_until = second(until);
            }
        }
        names
    }

    fn add(&mut self, line: &[u8]) -> Option<()> {
        let mut parts = line.splitn(6, |byte| *byte == b' ');
        let (host, address, last) = (parts.next()?, parts.next()?, second(parts.next()?)?);
        let address = std::str::from_utf8(address).ok()?.parse().ok()?;
        let (how, by, user) = (parts.next()?, parts.next()?, parts.next().map(Into::into));
        let by = by.split(|byte| *byte == b',').map(Into::into).collect();
        let waiting = match how {
            b"unclear" => Waiting::Unclear,
            _ => Waiting::One { user, by, several: how == b"several" },
        };
        self.clients.insert((host.into(), address), Client { last, waiting });
        Some(())
    }

    fn client(&mut self, (host, address): (&[u8], IpAddr), time: Timestamp) -> &mut Client {
        if self.clients.len() >= CLIENTS {
            self.clients.retain(|_, client| !client.is_quiet(time));
            if self.clients.len() >= CLIENTS {
                self.blind(time);
            }
        }
        self.reach(time);
        let waiting = if self.is_blind(time) { Waiting::Unclear } else { Waiting::Nobody };
        let new = Client { last: time, waiting };
        let client = self.clients.entry((host.into(), address)).or_insert_with(|| new.clone());
        if client.is_quiet(time) {
            *client = new;
        }
        client
    }
}

/// Whether a database is meant, by a worker or not, and no mechanism.
fn is_known(by: &[u8]) -> bool {
    KNOWN.contains(&by.strip_prefix(WORKER).unwrap_or(by))
}

fn second(digits: &[u8]) -> Option<Timestamp> {
    Timestamp::from_second(std::str::from_utf8(digits).ok()?.parse().ok()?).ok()
}

impl Client {
    fn is_quiet(&self, time: Timestamp) -> bool {
        time.duration_since(self.last).abs() > ANSWER
    }

    /// The auth service was asked about `user`.
    fn ask(
        &mut self,
        user: Option<&[u8]>,
        (database, is_worker): (&[u8], bool),
        (time, is_summed_up): (Timestamp, bool),
    ) {
        // The next database is asked at once.
        let is_later = time.duration_since(self.last).abs() > SignedDuration::from_secs(1);
        self.last = time;
        let is_other = is_summed_up || is_later || !is_known(database);
        let mark: &[u8] = if is_worker { WORKER } else { b"" };
        let asked: Box<[u8]> = [mark, database].concat().into();
        self.waiting = match std::mem::replace(&mut self.waiting, Waiting::Unclear) {
            Waiting::Nobody => {
                let (user, several) = (user.map(Into::into), is_summed_up);
                Waiting::One { user, by: vec![asked], several }
            }
            Waiting::One { user: Some(same), mut by, several } if user == Some(&*same) => {
                let several = several
                    || is_other
                    || by.contains(&asked)
                    || !by.iter().all(|by| is_known(by))
                    || by.len() >= DATABASES;
                if !several {
                    by.push(asked);
                }
                Waiting::One { user: Some(same), by, several }
            }
            _ => Waiting::Unclear,
        };
    }

    /// Postfix logs an attempt.
    fn answer(&mut self, mechanism: &[u8]) -> Option<Box<[u8]>> {
        let fits = |by: &[u8]| is_known(by) || by.eq_ignore_ascii_case(mechanism);
        match std::mem::replace(&mut self.waiting, Waiting::Unclear) {
            Waiting::One { by, .. } if !by.iter().all(|by| fits(by)) => None,
            Waiting::One { user, several, .. } => {
                if !several {
                    self.waiting = Waiting::Nobody;
                }
                user
            }
            // If its line is still to come, it must not be taken for one of the next attempt.
            Waiting::Nobody | Waiting::Unclear => None,
        }
    }
}
