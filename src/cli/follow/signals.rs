//! Signals as something to wait for: what they mean is in flags, and a byte wakes who waits.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

/// The end of the process is asked for by [`crate::host::Host::stop`].
pub(super) struct Signals {
    wakes: UnixStream,
    reload: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let (wakes, woken) = UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let reload = Arc::default();
        // What is registered first is done first: who is woken finds the flags set.
        flag::register(SIGHUP, Arc::clone(&reload))?;
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            pipe::register(signal, woken.try_clone()?)?;
        }
        Ok(Self { wakes, reload })
    }

    /// Takes in what has woken us.
    pub(super) fn take(&self) {
        let mut wakes = &self.wakes;
        while wakes.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
    }

    /// Whether the configuration is to be read again.
    pub(super) fn is_reload(&self) -> bool {
        self.reload.load(Ordering::Relaxed)
    }

    /// The same, once.
    pub(super) fn reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakes.as_fd()
    }
}
