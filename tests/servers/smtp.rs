//! A mail server on loopback that answers what a test tells it to, and keeps what it hears.
#![allow(dead_code, reason = "each of those who start it uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::tls;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Instead of an answer: hangs up.
pub(crate) const CUT: &str = "\0cut";
/// Instead of an answer: says nothing more, and keeps the connection.
pub(crate) const SILENT: &str = "\0silent";

/// What a client said and sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Its commands, those over TLS with a `*` before them.
    pub(crate) commands: Vec<String>,
    /// The messages, up to the dot, as they came.
    pub(crate) messages: Vec<Vec<u8>>,
}

pub(crate) struct Smtp {
    pub(crate) port: u16,
    heard: Arc<Mutex<Heard>>,
}

/// Answers by the start of a command; `""` is the greeting, `.` the end of a message, `354 ` stands
/// for what is said while the message comes.
type Answers = Vec<(String, String)>;

impl Smtp {
    /// A polite server, but for these answers. The first that fits is taken.
    pub(crate) fn new(answers: &[(&str, &str)]) -> Self {
        Self::start("127.0.0.1", answers, None, false)
    }

    /// The same on another address of this machine.
    pub(crate) fn on(address: &str, answers: &[(&str, &str)]) -> Self {
        Self::start(address, answers, None, false)
    }

    /// One that has TLS: from the start, or after STARTTLS.
    pub(crate) fn secure(answers: &[(&str, &str)], pair: (&Path, &Path), at_once: bool) -> Self {
        Self::start("127.0.0.1", answers, Some(tls::config(pair)), at_once)
    }

    fn start(
        address: &str,
        answers: &[(&str, &str)],
        tls: Option<Arc<ServerConfig>>,
        at_once: bool,
    ) -> Self {
        let answers: Answers =
            answers.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Self::raw_on(address, move |stream, heard| {
            let talk = |mut stream: &mut dyn Both, greet, mark: &str| {
                Talk { answers: &answers, heard, mark, tls: tls.is_some() }.run(&mut stream, greet)
            };
            let mut stream = stream;
            if !at_once && !talk(&mut stream, true, "") {
                return;
            }
            let Some(tls) = &tls else { return };
            let connection = ServerConnection::new(tls.clone()).unwrap();
            talk(&mut StreamOwned::new(connection, stream), at_once, "*");
        })
    }

    /// Does with each connection what `serve` does.
    pub(crate) fn raw(serve: impl Fn(TcpStream, &Mutex<Heard>) + Send + Sync + 'static) -> Self {
        Self::raw_on("127.0.0.1", serve)
    }

    fn raw_on(
        address: &str,
        serve: impl Fn(TcpStream, &Mutex<Heard>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Heard>>::default();
        let (kept, serve) = (Arc::clone(&heard), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (heard, serve) = (Arc::clone(&kept), Arc::clone(&serve));
                thread::spawn(move || serve(stream.unwrap(), &heard));
            }
        });
        Self { port, heard }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    /// The only message that came, as it was before its dots were doubled.
    pub(crate) fn message(&self) -> Vec<u8> {
        let heard = self.heard();
        assert_eq!(heard.messages.len(), 1, "{:?}", heard.commands);
        let lines = heard.messages[0].split_inclusive(|byte| *byte == b'\n');
        lines.flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect()
    }
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

struct Talk<'a> {
    answers: &'a Answers,
    heard: &'a Mutex<Heard>,
    mark: &'a str,
    tls: bool,
}

impl Talk<'_> {
    /// Until the client asks for TLS (true), or the end.
    fn run(&self, stream: &mut dyn Both, greet: bool) -> bool {
        let mut stream = BufReader::with_capacity(64 * 1024, stream);
        if greet && !self.answer(stream.get_mut(), "") {
            return false;
        }
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                return false;
            }
            assert!(line.ends_with(b"\r\n"), "a bare LF: {line:?}");
            let command = String::from_utf8(line).unwrap().trim_end_matches("\r\n").to_owned();
            self.heard.lock().unwrap().commands.push(format!("{}{command}", self.mark));
            let goes_on = self.answer(stream.get_mut(), &command);
            if !goes_on || command == "QUIT" {
                return false;
            }
            let refused =
                |word: &str| self.special(word).is_some_and(|it| !it.starts_with(['2', '3']));
            if command == "STARTTLS" && self.tls && !refused("STARTTLS") {
                return true;
            }
            if command == "DATA" && !refused("DATA") {
                if self.special("354 ").is_some() && !self.answer(stream.get_mut(), "354 ") {
                    return false;
                }
                let Some(message) = data(&mut stream) else { return false };
                self.heard.lock().unwrap().messages.push(message);
                if !self.answer(stream.get_mut(), ".") {
                    return false;
                }
            }
        }
    }

    fn special(&self, command: &str) -> Option<&str> {
        let fits = |start: &str| {
            if start.is_empty() { command.is_empty() } else { command.starts_with(start) }
        };
        self.answers.iter().find(|(start, _)| fits(start)).map(|(_, answer)| answer.as_str())
    }

    /// Whether the conversation goes on.
    fn answer(&self, stream: &mut dyn Write, command: &str) -> bool {
        let tls = if self.tls && self.mark.is_empty() { "250-STARTTLS\r\n" } else { "" };
        let polite = match command.split(' ').next().unwrap_or_default() {
            "" => "220 test ESMTP",
            "EHLO" => &format!("250-test\r\n{tls}250-AUTH PLAIN LOGIN\r\n250 SIZE 50000000"),
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            "STARTTLS" => "220 go on",
            "AUTH" => "235 welcome",
            _ => "250 ok",
        };
        match self.special(command).unwrap_or(polite) {
            CUT => false,
            SILENT => loop {
                thread::park();
            },
            answer => {
                let answer = format!("{answer}\r\n");
                stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_ok()
            }
        }
    }
}

fn data(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let before = message.len();
        if stream.read_until(b'\n', &mut message).unwrap_or(0) == 0 {
            return None;
        }
        if message[before..] == *b".\r\n" {
            message.truncate(before);
            return Some(message);
        }
    }
}
