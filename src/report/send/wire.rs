//! The connection to a mail server: with or without TLS, and never waited for without end.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How often a wait looks whether it should end.
const LOOK: Duration = Duration::from_millis(200);

/// Whether the program was asked to end.
pub(super) type Stop<'a> = &'a dyn Fn() -> bool;

/// A TCP connection whose reads and writes end at a deadline.
struct Timed<'a> {
    stream: TcpStream,
    deadline: Instant,
    stop: Stop<'a>,
}

impl Timed<'_> {
    /// Does `step` until it has something to tell, the time is up, or the program ends.
    fn wait<T>(&self, mut step: impl FnMut(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        loop {
            // Asked before each step: bytes that drip in one by one are no reason to go on.
            if (self.stop)() {
                return Err(io::Error::other("the program was asked to end"));
            }
            if Instant::now() >= self.deadline {
                return Err(io::Error::new(TimedOut, "it does not answer in time"));
            }
            match step(&self.stream) {
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {}
                other => return other,
            }
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(|mut stream| stream.read(buffer))
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(|mut stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Channel<'a> {
    Plain(Timed<'a>),
    Tls(Box<StreamOwned<ClientConnection, Timed<'a>>>),
    /// After a handshake that failed.
    Closed,
}

/// A connection to the first of the host's addresses that answers.
fn reach(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for (at, address) in addresses.iter().enumerate() {
        // Each gets its share of the time, or a silent first one would use up all of it.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(1);
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(stream) => {
                stream.set_read_timeout(Some(LOOK))?;
                stream.set_write_timeout(Some(LOOK))?;
                // Commands are short and each waits for its answer.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A connection to a server.
pub(super) struct Wire<'a> {
    channel: Channel<'a>,
}

impl<'a> Wire<'a> {
    /// Connects to the first of the host's addresses that answers.
    ///
    /// In a thread: neither a look-up of a name nor a connection can be asked to end.
    pub(super) fn connect(
        host: &str,
        port: u16,
        deadline: Instant,
        stop: Stop<'a>,
    ) -> io::Result<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (sender, receiver) = channel();
        let reach = move || sender.send(reach(&host, port, deadline));
        std::thread::Builder::new().spawn(reach)?;
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(stream) => {
                    let channel = Channel::Plain(Timed { stream: stream?, deadline, stop });
                    return Ok(Self { channel });
                }
                Err(RecvTimeoutError::Timeout) if stop() => {
                    return Err(io::Error::other("the program was asked to end"));
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline + LOOK => {}
                Err(_) => {
                    let why = "its name is not looked up in time";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
            }
        }
    }

    /// From here on all is encrypted.
    pub(super) fn encrypt(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let Channel::Plain(mut timed) = std::mem::replace(&mut self.channel, Channel::Closed)
        else {
            return Err(closed());
        };
        let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut timed)?;
        }
        self.channel = Channel::Tls(Box::new(StreamOwned::new(tls, timed)));
        Ok(())
    }

    /// Whether nobody on the way can read what is sent.
    pub(super) fn is_private(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
            || self
                .timed()
                .and_then(|timed| timed.stream.peer_addr().ok())
                .is_some_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// Our end's address.
    pub(super) fn own_address(&self) -> Option<IpAddr> {
        let address = self.timed()?.stream.local_addr().ok()?;
        Some(address.ip().to_canonical())
    }

    /// Until when reads and writes may wait.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        match &mut self.channel {
            Channel::Plain(timed) => timed.deadline = deadline,
            Channel::Tls(tls) => tls.sock.deadline = deadline,
            Channel::Closed => {}
        }
    }

    /// Ends the connection.
    pub(super) fn close(&mut self) {
        if let Channel::Tls(tls) = &mut self.channel {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        if let Some(timed) = self.timed() {
            let _ = timed.stream.shutdown(Shutdown::Both);
        }
    }

    fn timed(&self) -> Option<&Timed<'a>> {
        match &self.channel {
            Channel::Plain(timed) => Some(timed),
            Channel::Tls(tls) => Some(&tls.sock),
            Channel::Closed => None,
        }
    }
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Plain(timed) => timed.read(buffer),
            Channel::Tls(tls) => tls.read(buffer),
            Channel::Closed => Err(closed()),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Plain(timed) => timed.write(bytes),
            Channel::Tls(tls) => tls.write(bytes),
            Channel::Closed => Err(closed()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.channel {
            Channel::Plain(timed) => timed.flush(),
            Channel::Tls(tls) => tls.flush(),
            Channel::Closed => Err(closed()),
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is closed")
}
