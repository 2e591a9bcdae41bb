//! Hands a message to a mail server by SMTP, RFC 5321, and tells exactly what became of it.
//!
//! Our own client, since the server and the network are not trusted, and what libraries for it have
//! (lettre 0.11) does not meet what follows. Each recipient has an answer of its own.
//! Every wait has an end, however slowly an answer drips in. An answer has a largest size, also one
//! without a line end. What was received before TLS is not believed after it. And a connection that
//! broke before the end of the message is told from one that broke after it, when a second attempt
//! may deliver twice.

mod error;
mod reply;
mod session;
mod tls;
mod wire;

use std::time::Duration;

pub use error::SendError;
pub use reply::{Replies, Reply};
pub use tls::Authorities;

use super::address::Address;
use session::Session;

/// How long a server may take for one answer, unless told otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Where messages are handed over.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// Who to log in as, if it is wanted.
    pub login: Option<Login>,
    /// Who vouches for the server.
    pub authorities: Authorities,
    /// This machine's full name, for `EHLO`.
    pub own_name: String,
    /// How long connecting, an answer or a stalled transfer may take. The answer to the whole message
    /// may take ten times as long (RFC 5321, section 4.5.3.2), all together twenty times.
    pub timeout: Duration,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    None,
    /// From the start on, as on port 465.
    Tls,
    /// After a plain greeting. A server that does not offer it gets nothing.
    StartTls,
}

/// A user of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Without the password.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The server has taken the message, for those who are not among the refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How it said so; most servers name the message here.
    pub reply: Reply,
    /// Who does not get it.
    pub refused: Vec<Refusal>,
}

/// A recipient that the server does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who.
    pub to: Address,
    /// Why, in the server's words: with 4 as its first digit only for now, with 5 for good.
    pub reply: Reply,
}

/// Sends `message` from `from` to all of `to` of whom the server takes at least one.
///
/// `stop` is asked several times in a second whether to give up.
pub fn send(
    server: &Server,
    (from, to): (&Address, &[Address]),
    message: &[u8],
    stop: &dyn Fn() -> bool,
) -> Result<Sent, SendError> {
    let mut session = Session::open(server, stop)?;
    let result = session.deliver((from, to), message);
    session.end(result)
}

/// Does all that [`send`] does but for the message: connects, encrypts, logs in, names sender and
/// recipients, and takes that back. Gives the recipients that the server refuses.
pub fn rehearse(
    server: &Server,
    (from, to): (&Address, &[Address]),
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Refusal>, SendError> {
    let mut session = Session::open(server, stop)?;
    let result = session.rehearse((from, to));
    session.end(result)
}
