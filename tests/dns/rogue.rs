//! A name server that does what a test tells it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A datagram or message sent in reply, and how long after the question.
pub(crate) type Reply = (Duration, Vec<u8>);

/// What is replied to these octets from there, by TCP or not.
type Script = dyn Fn(&[u8], SocketAddr, bool) -> Vec<Reply> + Send + Sync;

/// A question as it came.
pub(crate) struct Asked {
    /// The message.
    pub(crate) octets: Vec<u8>,
    /// Who asked; the port is that of the socket.
    pub(crate) from: SocketAddr,
    /// Whether it came by TCP.
    pub(crate) by_stream: bool,
    /// How often this name was asked for before.
    pub(crate) before: usize,
}

impl Asked {
    /// The last octet of the IPv4 address asked for.
    pub(crate) fn host(&self) -> u8 {
        let length = usize::from(self.octets[12]);
        std::str::from_utf8(&self.octets[13..13 + length]).unwrap().parse().unwrap()
    }

    /// An answer with these flags (RFC 1035, 4.1.1) and data of PTR records.
    pub(crate) fn answer(&self, flags: u16, data: &[&[u8]]) -> Vec<u8> {
        let mut octets = self.octets.clone();
        octets[2..4].copy_from_slice(&flags.to_be_bytes());
        octets[6..8].copy_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        for data in data {
            octets.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60]);
            octets.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            octets.extend_from_slice(data);
        }
        octets
    }

    /// The name `hostN.example`.
    pub(crate) fn name(&self) -> Vec<u8> {
        let label = format!("host{}", self.host());
        self.answer(0x8180, &[&wire(&[label.as_bytes(), b"example"])])
    }
}

/// A name in wire format.
pub(crate) fn wire(labels: &[&[u8]]) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in labels {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend_from_slice(label);
    }
    octets.push(0);
    octets
}

/// Now.
pub(crate) fn at_once(octets: Vec<u8>) -> Vec<Reply> {
    vec![(Duration::ZERO, octets)]
}

/// A server; its threads end with the test program.
pub(crate) struct Rogue {
    pub(crate) address: SocketAddr,
    /// Ids and ports of the questions so far.
    pub(crate) seen: Arc<Mutex<Vec<(u16, u16)>>>,
}

impl Rogue {
    /// Sends what `script` says to each question, by the way it came.
    pub(crate) fn start(script: impl Fn(&Asked) -> Vec<Reply> + Send + Sync + 'static) -> Self {
        // TCP first: the same port of UDP is free unless another test is very unlucky.
        let (listener, socket) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
                break (listener, Arc::new(socket));
            }
        };
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let names = Mutex::new(HashMap::<Vec<u8>, usize>::new());
        let noted = Arc::clone(&seen);
        let script = Arc::new(move |octets: &[u8], from: SocketAddr, by_stream| {
            let id = u16::from_be_bytes([octets[0], octets[1]]);
            noted.lock().unwrap().push((id, from.port()));
            let mut names = names.lock().unwrap();
            let count = names.entry(octets[12..].to_vec()).or_default();
            let before = std::mem::replace(count, *count + 1);
            drop(names);
            script(&Asked { octets: octets.to_vec(), from, by_stream, before })
        });
        let by_stream = Arc::clone(&script);
        thread::spawn(move || serve_streams(&listener, &*by_stream));
        thread::spawn(move || serve_datagrams(&socket, &*script));
        Self { address, seen }
    }

    /// One that never says anything.
    pub(crate) fn silent() -> Self {
        Self::start(|_| Vec::new())
    }

    /// One that answers every question with its name.
    pub(crate) fn kind() -> Self {
        Self::start(|asked| at_once(asked.name()))
    }

    /// One that sets these flags and nothing else.
    pub(crate) fn saying(flags: u16) -> Self {
        Self::start(move |asked| at_once(asked.answer(flags, &[])))
    }
}

fn serve_datagrams(socket: &Arc<UdpSocket>, script: &Script) {
    let (later, due) = std::sync::mpsc::channel::<(Instant, Vec<u8>, SocketAddr)>();
    let sender = Arc::clone(socket);
    // Replies of one script have one delay in all tests, so that they are due in order.
    thread::spawn(move || {
        for (at, octets, to) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let _ = sender.send_to(&octets, to);
        }
    });
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        for (delay, octets) in script(&buffer[..length], from, false) {
            if delay.is_zero() {
                let _ = socket.send_to(&octets, from);
            } else {
                let _ = later.send((Instant::now() + delay, octets, from));
            }
        }
    }
}

/// Each message is sent as it is, so that a script can lie about its length.
fn serve_streams(listener: &TcpListener, script: &Script) {
    thread::scope(|scope| {
        while let Ok((mut stream, from)) = listener.accept() {
            scope.spawn(move || {
                let mut length = [0; 2];
                if stream.read_exact(&mut length).is_err() {
                    return;
                }
                let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
                if stream.read_exact(&mut octets).is_err() {
                    return;
                }
                for (delay, octets) in script(&octets, from, true) {
                    thread::sleep(delay);
                    let _ = stream.write_all(&octets);
                }
            });
        }
    });
}
