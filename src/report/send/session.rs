//! A conversation with a mail server: greeting, TLS, login, sender, recipients, message.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::address::{Address, domain};
use super::error::SendError;
use super::reply::{Replies, Reply};
use super::tls::{self, Distrust};
use super::wire::{Stop, Wire};
use super::{Login, Refusal, Security, Sent, Server};
use crate::untrusted::for_terminal;

/// How long a goodbye may take; nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(1);
/// A message is sent in pieces of about this size.
const PIECE: usize = 16 * 1024;

/// What the server said that it can do.
#[derive(Default)]
struct Abilities {
    starttls: bool,
    plain: bool,
    login: bool,
    /// Whether it tells a size, and the size if it has one.
    size: Option<u64>,
}

/// A conversation.
pub(super) struct Session<'a> {
    server: &'a Server,
    wire: Wire<'a>,
    replies: Replies,
    abilities: Abilities,
    stop: Stop<'a>,
    /// When all of it must be over.
    end: Instant,
}

impl<'a> Session<'a> {
    /// Connects, encrypts and logs in, as far as the configuration wants it.
    pub(super) fn open(server: &'a Server, stop: Stop<'a>) -> Result<Self, SendError> {
        let now = Instant::now();
        let wire = Wire::connect(&server.host, server.port, now + server.timeout, stop)
            .map_err(|error| broken(server, stop, &error))?;
        let mut session = Self {
            server,
            wire,
            replies: Replies::default(),
            abilities: Abilities::default(),
            stop,
            end: now + server.timeout * 20,
        };
        match session.greet() {
            Ok(()) => Ok(session),
            Err(error) => session.end(Err(error)),
        }
    }

    fn greet(&mut self) -> Result<(), SendError> {
        if self.server.security == Security::Tls {
            self.encrypt()?;
        }
        let greeting = self.reply()?;
        self.yes(greeting, "the connection")?;
        self.hello()?;
        if self.server.security == Security::StartTls {
            if !self.abilities.starttls {
                return Err(self.unfit(
                    "it does not offer STARTTLS, and nothing is sent without it",
                    Some(
                        "set smtp_security = tls for port 465, or none if nobody else is on the \
                         network between",
                    ),
                ));
            }
            self.ask("STARTTLS", "STARTTLS")?;
            // Whoever added this could do so without the server's key.
            if self.replies.has_more() {
                return Err(self.unfit("it went on in plain text after STARTTLS", None));
            }
            self.encrypt()?;
            self.hello()?;
        }
        self.server.login.as_ref().map_or(Ok(()), |login| self.log_in(login))
    }

    fn encrypt(&mut self) -> Result<(), SendError> {
        let unfit = |Distrust { what, hint }| self.unfit(&what, hint);
        let config = tls::config(&self.server.authorities).map_err(unfit)?;
        let name = tls::name(&self.server.host).map_err(unfit)?;
        self.wire.set_deadline(self.in_time(self.server.timeout));
        self.wire.encrypt(config, name).map_err(|error| match tls::distrust(&error) {
            Some(Distrust { what, hint }) => self.unfit(&what, hint),
            None => broken(self.server, self.stop, &error),
        })
    }

    fn hello(&mut self) -> Result<(), SendError> {
        let name = domain(&self.server.own_name);
        // RFC 5321, section 4.1.4: who has no full name gives its address.
        let name = match self.wire.own_address() {
            Some(address) if !name.contains('.') && address.is_ipv6() => {
                format!("[IPv6:{address}]")
            }
            Some(address) if !name.contains('.') => format!("[{address}]"),
            _ => name,
        };
        self.abilities = Abilities::default();
        let reply = self.command(&format!("EHLO {name}"))?;
        if reply.is_final() {
            return self.ask(&format!("HELO {name}"), "our greeting").map(drop);
        }
        let reply = self.yes(reply, "our greeting")?;
        for line in reply.lines().skip(1) {
            let line = String::from_utf8_lossy(line).to_ascii_uppercase();
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("STARTTLS") => self.abilities.starttls = true,
                Some("SIZE") => {
                    let size = words.next().and_then(|size| size.parse().ok());
                    self.abilities.size = Some(size.unwrap_or(0));
                }
                Some("AUTH") => {
                    for mechanism in words {
                        self.abilities.plain |= mechanism == "PLAIN";
                        self.abilities.login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn log_in(&mut self, login: &Login) -> Result<(), SendError> {
        if !self.wire.is_private() {
            return Err(self.unfit(
                "smtp_user is set, and the password would travel unencrypted",
                Some("set smtp_security = starttls or tls"),
            ));
        }
        let Login { user, password } = login;
        let reply = if self.abilities.plain {
            // RFC 4616: the zeros are what stands between the three fields.
            let secret = STANDARD.encode(format!("\0{user}\0{password}"));
            self.command(&format!("AUTH PLAIN {secret}"))?
        } else if self.abilities.login {
            let mut reply = self.command("AUTH LOGIN")?;
            for answer in [user, password] {
                if reply.code == 334 {
                    reply = self.command(&STANDARD.encode(answer))?;
                }
            }
            reply
        } else {
            return Err(self.unfit(
                "smtp_user is set, and it offers no login by PLAIN or LOGIN",
                Some("many servers offer it only after smtp_security = starttls or tls"),
            ));
        };
        let secrets = [
            password.clone(),
            STANDARD.encode(password),
            STANDARD.encode(format!("\0{user}\0{password}")),
        ];
        let repeats = reply.lines().any(|line| {
            secrets.iter().any(|secret| memchr::memmem::find(line, secret.as_bytes()).is_some())
        });
        let reply = if repeats { reply.without_words() } else { reply };
        self.yes(reply, "the login").map(drop)
    }

    /// Hands the message over.
    pub(super) fn deliver(
        &mut self,
        (from, to): (&Address, &[Address]),
        message: &[u8],
    ) -> Result<Sent, SendError> {
        let bytes = message.len() as u64;
        let size = match self.abilities.size {
            Some(most) if most > 0 && bytes > most => {
                return Err(self.unfit(
                    &format!("the message has {bytes} bytes, and it takes {most}"),
                    Some("set attach_csv = today or a smaller attach_max_bytes"),
                ));
            }
            Some(_) => format!(" SIZE={bytes}"),
            None => String::new(),
        };
        let refused = self.envelope((from, to), &size)?;
        if refused.len() == to.len() {
            return Err(self.nobody(&refused));
        }
        let reply = self.command("DATA")?;
        if reply.code / 100 != 3 {
            return Err(self.refusal(reply, "the message"));
        }
        self.body(message)?;
        let reply = self.last_answer()?;
        Ok(Sent { reply, refused })
    }

    /// Names sender and recipients, and takes that back.
    pub(super) fn rehearse(
        &mut self,
        (from, to): (&Address, &[Address]),
    ) -> Result<Vec<Refusal>, SendError> {
        let refused = self.envelope((from, to), "")?;
        self.ask("RSET", "that nothing is sent").map(|_| refused)
    }

    /// Names sender and recipients; gives those that are refused.
    fn envelope(
        &mut self,
        (from, to): (&Address, &[Address]),
        size: &str,
    ) -> Result<Vec<Refusal>, SendError> {
        self.ask(&format!("MAIL FROM:<{from}>{size}"), &format!("the sender {from}"))?;
        let mut refused = Vec::new();
        for to in to {
            let reply = self.command(&format!("RCPT TO:<{to}>"))?;
            // With 421 the server hangs up on all of them.
            if reply.code / 100 == 3 || reply.code == 421 {
                self.yes(reply, &format!("the recipient {to}"))?;
            } else if !reply.is_yes() {
                refused.push(Refusal { to: to.clone(), reply });
            }
        }
        Ok(refused)
    }

    /// All recipients were refused. If one of them only for now, it is worth another attempt.
    fn nobody(&self, refused: &[Refusal]) -> SendError {
        let all: Vec<_> = refused.iter().map(|it| it.to.to_string()).collect();
        let what = format!("mail to {}", all.join(", "));
        let server = self.name();
        let for_now = refused.iter().find(|it| !it.reply.is_final());
        match (for_now, refused.first()) {
            (Some(Refusal { reply, .. }), _) => {
                SendError::Later { server, what, reply: reply.clone() }
            }
            (None, Some(Refusal { reply, .. })) => {
                SendError::Refused { server, what, reply: reply.clone() }
            }
            (None, None) => self.unfit("there are no recipients", Some("set email in [report]")),
        }
    }

    /// Sends all but the dot that ends the message.
    fn body(&mut self, message: &[u8]) -> Result<(), SendError> {
        let mut piece = Vec::with_capacity(PIECE + 1024);
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // RFC 5321, section 4.5.2: a dot more, or a line of one would end the message.
            if line.starts_with(b".") {
                piece.push(b'.');
            }
            piece.extend_from_slice(line);
            piece.extend_from_slice(b"\r\n");
            if piece.len() >= PIECE {
                self.piece(&piece)?;
                piece.clear();
            }
        }
        self.piece(&piece)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.write(bytes).map_err(|error| {
            // A server that hangs up in the middle has often said why.
            self.wire.set_deadline(self.in_time(GOODBYE));
            match self.replies.next(&mut self.wire) {
                Ok(reply) => self.refusal(reply, "the message"),
                Err(_) => broken(self.server, self.stop, &error),
            }
        })
    }

    /// Ends the message. From here on, without an answer, nobody knows what became of it.
    fn last_answer(&mut self) -> Result<Reply, SendError> {
        self.in_step("the message")?;
        let answer = self.write(b".\r\n").and_then(|()| {
            self.wire.set_deadline(self.in_time(self.server.timeout * 10));
            self.replies.next(&mut self.wire)
        });
        let server = self.name();
        match answer {
            Ok(reply) if reply.is_yes() => Ok(reply),
            Ok(reply) if reply.code / 100 == 3 => {
                Err(SendError::Unknown { server, what: format!("it answers {reply}") })
            }
            Ok(reply) => Err(self.refusal(reply, "the message")),
            Err(error) => Err(SendError::Unknown { server, what: told(&error) }),
        }
    }

    /// Says goodbye to a server that still listens; what it answers does not matter.
    pub(super) fn end<T>(mut self, result: Result<T, SendError>) -> Result<T, SendError> {
        use SendError::{Stopped, Unknown, Unreachable};
        if !matches!(result, Err(Stopped { .. } | Unknown { .. } | Unreachable { .. })) {
            self.wire.set_deadline(self.in_time(GOODBYE));
            let _ = self.wire.write_all(b"QUIT\r\n").and_then(|()| self.wire.flush());
            let _ = self.replies.next(&mut self.wire);
        }
        self.wire.close();
        result
    }

    /// Sends a command that must be answered with yes.
    fn ask(&mut self, command: &str, what: &str) -> Result<Reply, SendError> {
        let reply = self.command(command)?;
        self.yes(reply, what)
    }

    fn command(&mut self, command: &str) -> Result<Reply, SendError> {
        self.in_step("more commands")?;
        self.write(format!("{command}\r\n").as_bytes())
            .map_err(|error| broken(self.server, self.stop, &error))?;
        self.reply()
    }

    /// A server that spoke unasked may say that it is going away. Any other answer would be taken
    /// for one to what is asked next.
    fn in_step(&mut self, what: &str) -> Result<(), SendError> {
        if self.replies.has_more() {
            let reply = self.reply()?;
            return Err(self.refusal(reply, what));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.set_deadline(self.in_time(self.server.timeout));
        self.wire.write_all(bytes)?;
        self.wire.flush()
    }

    fn reply(&mut self) -> Result<Reply, SendError> {
        self.wire.set_deadline(self.in_time(self.server.timeout));
        let reply = self.replies.next(&mut self.wire as &mut dyn Read);
        reply.map_err(|error| broken(self.server, self.stop, &error))
    }

    fn in_time(&self, time: Duration) -> Instant {
        (Instant::now() + time).min(self.end)
    }

    /// The reply, if it says yes.
    fn yes(&self, reply: Reply, what: &str) -> Result<Reply, SendError> {
        if reply.is_yes() { Ok(reply) } else { Err(self.refusal(reply, what)) }
    }

    fn refusal(&self, reply: Reply, what: &str) -> SendError {
        let (server, what) = (self.name(), what.to_owned());
        match reply.code / 100 {
            5 => SendError::Refused { server, what, reply },
            4 => SendError::Later { server, what, reply },
            _ => {
                let what = format!("it answers {reply}, which makes no sense here");
                SendError::Unreachable { server, what }
            }
        }
    }

    fn unfit(&self, what: &str, hint: Option<&'static str>) -> SendError {
        SendError::Unfit { server: self.name(), what: what.to_owned(), hint }
    }

    fn name(&self) -> String {
        name(self.server)
    }
}

fn name(server: &Server) -> String {
    format!("{}:{}", for_terminal(server.host.as_bytes()), server.port)
}

fn broken(server: &Server, stop: Stop<'_>, error: &io::Error) -> SendError {
    let server = name(server);
    if stop() {
        SendError::Stopped { server }
    } else {
        SendError::Unreachable { server, what: told(error) }
    }
}

/// The system's words, without those that Rust and libraries add.
fn told(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "it closed the connection".to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    for_terminal(text.as_bytes()).into_owned()
}
