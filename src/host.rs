//! The outside world as one struct, built once in `main` and passed down, so that tests choose it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// December 1998, in seconds since 1970.
const POSTFIX_BORN: i64 = 913_000_000;

/// What we ask of the machine.
#[derive(Clone)]
pub struct Host {
    /// The clock.
    pub now: fn() -> Timestamp,
    /// The zone of time stamps that carry none, and of the CSV's dates.
    pub zone: TimeZone,
    /// The machine's name, for log lines that carry none.
    pub name: String,
    /// How many files to read at once.
    pub threads: usize,
    /// A file of twice this size and more is read by several threads, in pieces of about so many
    /// bytes: enough to be worth handing to a thread, and few enough that its findings fit in memory
    /// if every line is one. At least [`FINGERPRINT_BYTES`](crate::position::FINGERPRINT_BYTES).
    pub piece_bytes: u64,
    /// Set by SIGTERM and SIGINT: finish within a second.
    pub stop: Arc<AtomicBool>,
    /// Whether those signals end the process at once instead, for there is nothing to finish.
    pub dies_at_once: Arc<AtomicBool>,
}

/// The system's zone: tzset(3) takes the file's own rules unless TZ names others. Going by the
/// zone's name instead would cost a walk through the whole database at each start.
fn zone() -> TimeZone {
    let rules = std::env::var_os("TZ").is_none().then(|| std::fs::read("/etc/localtime").ok());
    let local = rules.flatten().and_then(|rules| TimeZone::tzif("Local", &rules).ok());
    local.unwrap_or_else(TimeZone::system)
}

impl Host {
    /// The real machine.
    pub fn real() -> Self {
        Self {
            now: Timestamp::now,
            zone: zone(),
            name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(4)),
            piece_bytes: 4 * 1024 * 1024,
            stop: Arc::default(),
            dies_at_once: Arc::new(AtomicBool::new(true)),
        }
    }

    /// The time of a file, as long as it may be right: not in the future, and not before there was
    /// a Postfix. Else the clock's.
    pub fn plausible(&self, modified_ns: i64) -> Timestamp {
        let now = (self.now)();
        let modified = Timestamp::from_nanosecond(modified_ns.into()).ok();
        modified.filter(|time| *time <= now && time.as_second() > POSTFIX_BORN).unwrap_or(now)
    }

    /// Whether the run was asked to end.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
