//! One question on its way: a datagram, or a TCP connection (RFC 7766) if the answer was cut off.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::rand::{GetRandomFlags, getrandom};

use super::message::{ReverseName, Said};

/// What comes without EDNS has 512 octets; some more is tolerated.
const DATAGRAM: usize = 4096;
/// Datagrams read before others get their turn.
const IN_A_ROW: usize = 16;

/// What was heard in answer to a question.
pub(super) enum Heard {
    /// Nothing yet.
    Nothing,
    /// This.
    Answer(Said),
    /// Nobody listens there (ICMP said so, or the connection broke).
    Nobody,
}

/// A question that was sent.
pub(super) struct Question {
    /// Whom, as an index into the servers of the run.
    pub(super) server: usize,
    /// Its number there.
    pub(super) number: u64,
    /// When it was sent first, and until when we listen.
    pub(super) time: Range<Instant>,
    /// Whether `poll` saw something.
    pub(super) ready: bool,
    id: u16,
    octets: Vec<u8>,
    carrier: Carrier,
}

enum Carrier {
    /// Connected, so that the kernel drops what others send.
    Datagram(UdpSocket),
    Stream(Stream),
}

/// Eight octets that nobody can foresee.
pub(super) fn random() -> io::Result<u64> {
    let mut octets = [0; 8];
    match getrandom(&mut octets, GetRandomFlags::empty())? {
        8 => Ok(u64::from_ne_bytes(octets)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl Question {
    /// Sends a datagram. An error says that this machine cannot.
    pub(super) fn send(
        name: &ReverseName,
        server: usize,
        address: SocketAddr,
        time: Range<Instant>,
    ) -> io::Result<Self> {
        let [low, high, ..] = random()?.to_ne_bytes();
        let id = u16::from_ne_bytes([low, high]);
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(address)?;
        let octets = name.question(id);
        match socket.send(&octets) {
            // It will be sent again.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => drop(sent?),
        }
        let carrier = Carrier::Datagram(socket);
        Ok(Self { server, number: 0, time, ready: false, id, octets, carrier })
    }

    /// Sends the same datagram once more; the same, for two open questions about one name would
    /// double the chance to guess an answer (RFC 5452, 5).
    pub(super) fn repeat(&self) {
        if let Carrier::Datagram(socket) = &self.carrier {
            // If that fails, the first one may still be answered.
            let _ = socket.send(&self.octets);
        }
    }

    /// Asks the same by TCP.
    pub(super) fn by_stream(self, address: SocketAddr, time: Range<Instant>) -> io::Result<Self> {
        let carrier = Carrier::Stream(Stream::open(address, &self.octets)?);
        Ok(Self { time, carrier, ready: false, ..self })
    }

    /// What `poll` should wait for.
    pub(super) fn watched(&self) -> PollFd<'_> {
        let (socket, flags): (BorrowedFd<'_>, _) = match &self.carrier {
            Carrier::Datagram(socket) => (socket.as_fd(), PollFlags::IN),
            Carrier::Stream(stream) => (stream.socket.as_fd(), stream.waits_for()),
        };
        PollFd::from_borrowed_fd(socket, flags)
    }

    /// Reads what has come. What is no answer to this question is passed over.
    pub(super) fn listen(&mut self, name: &ReverseName) -> Heard {
        let heard = match &mut self.carrier {
            Carrier::Datagram(socket) => datagram(socket, |octets| name.read(self.id, octets)),
            Carrier::Stream(stream) => stream.go_on().map(|message| {
                // What the stream holds is the answer or there is none; nor is it truncated.
                let said = |octets: &Vec<u8>| match name.read(self.id, octets) {
                    None | Some(Said::Truncated) => Heard::Nobody,
                    Some(said) => Heard::Answer(said),
                };
                message.as_ref().map_or(Heard::Nothing, said)
            }),
        };
        match heard {
            Ok(heard) => heard,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Heard::Nothing,
            Err(_) => Heard::Nobody,
        }
    }
}

fn datagram(socket: &UdpSocket, read: impl Fn(&[u8]) -> Option<Said>) -> io::Result<Heard> {
    let mut buffer = [0; DATAGRAM];
    for _ in 0..IN_A_ROW {
        let length = socket.recv(&mut buffer)?;
        if let Some(said) = read(buffer.get(..length).unwrap_or_default()) {
            return Ok(Heard::Answer(said));
        }
    }
    Ok(Heard::Nothing)
}

/// A TCP connection; each message has its length before it.
struct Stream {
    socket: TcpStream,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
}

impl Stream {
    fn open(address: SocketAddr, octets: &[u8]) -> io::Result<Self> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        match connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let length = u16::try_from(octets.len()).unwrap_or_default();
        let out = [&length.to_be_bytes(), octets].concat();
        Ok(Self { socket: socket.into(), out, written: 0, input: Vec::new() })
    }

    fn waits_for(&self) -> PollFlags {
        if self.written < self.out.len() { PollFlags::OUT } else { PollFlags::IN }
    }

    /// Writes and reads as far as it goes; the message, once it is there.
    fn go_on(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(rest @ [_, ..]) = self.out.get(self.written..) {
            self.written += self.socket.write(rest)?;
        }
        let mut buffer = [0; DATAGRAM];
        for _ in 0..IN_A_ROW {
            if let Some((length, message)) = self.input.split_first_chunk() {
                let length = usize::from(u16::from_be_bytes(*length));
                if let Some(message) = message.get(..length) {
                    return Ok(Some(message.to_vec()));
                }
            }
            match self.socket.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.input.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            }
        }
        Ok(None)
    }
}
