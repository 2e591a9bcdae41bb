//! What systemd is told, by `sd_notify(3)`: that we are ready, what we do, and that we are alive.
//!
//! The protocol is one datagram for each message and is there to be spoken by anybody ("Notes" of its
//! manual page), so there is no library for it. Where nobody listens, nothing is said.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::untrusted::for_terminal;

/// Longer than anything takes.
const HOUR: Duration = Duration::from_secs(3600);

pub(super) struct Systemd {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear from us.
    interval: Option<Duration>,
    due: Instant,
    said: String,
}

impl Systemd {
    pub(super) fn new(host: &Host) -> Self {
        let socket = host.notify.as_ref().and_then(|(name, _)| {
            let address = match name.as_bytes().strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(name),
            };
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            socket.connect_addr(&address.ok()?).ok()?;
            Some(socket)
        });
        let watchdog = host.notify.as_ref().and_then(|(_, watchdog)| *watchdog);
        // A third of it: one that is late does no harm.
        let interval = watchdog.filter(|_| socket.is_some()).map(|time| time / 3);
        Self { socket, interval, due: Instant::now(), said: String::new() }
    }

    /// Says it, unless it was said last.
    pub(super) fn say(&mut self, message: &str) {
        if message != self.said {
            message.clone_into(&mut self.said);
            self.send(message);
        }
    }

    /// Says that we are alive, if that is due; gives when it is due next.
    pub(super) fn alive(&mut self, now: Instant) -> Option<Instant> {
        let interval = self.interval?;
        if now >= self.due {
            self.due = now + interval;
            self.send("WATCHDOG=1");
        }
        Some(self.due)
    }

    /// Does what takes long and cannot say meanwhile that we are alive.
    pub(super) fn patiently(&self, work: impl FnOnce()) {
        let wait = |time: Duration| {
            if self.interval.is_some() {
                self.send(&format!("WATCHDOG_USEC={}", time.as_micros()));
            }
        };
        wait(HOUR);
        work();
        wait(self.interval.unwrap_or_default() * 3);
    }

    fn send(&self, message: &str) {
        // Each line is an assignment: no text may have more of them than we mean.
        let lines = message.split('\n').map(|line| for_terminal(line.as_bytes()));
        let message = lines.collect::<Vec<_>>().join("\n");
        if let Some(socket) = &self.socket {
            // Nobody could be told of a failure, and systemd misses what it does not hear.
            let _ = socket.send(message.as_bytes());
        }
    }
}
