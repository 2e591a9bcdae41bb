//! The outside world as one struct, built once in `main` and passed down, so that tests choose it.

use std::ffi::OsString;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::account;

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
    /// if every line is one.
    pub piece_bytes: u64,
    /// Where systemd put credentials for this process (systemd.exec(5)), if it did.
    pub credentials: Option<PathBuf>,
    /// Who asked for this by sudo(8), if it was.
    pub sudo_user: Option<String>,
    /// Where systemd listens for this process (`sd_notify(3)`), if it does, and how long it may be silent
    /// (`sd_watchdog_enabled(3)`), if not for ever.
    pub notify: Option<(OsString, Option<Duration>)>,
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

/// How long systemd lets this process be silent.
fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var_os(name)?.to_str()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|it| it == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|_| ours).map(Duration::from_micros)
}

/// The first name in `hosts` that is `name` with a domain.
fn full_name(name: &str, hosts: &str) -> String {
    if name.contains('.') {
        return name.to_owned();
    }
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut names = lines.flat_map(|line| line.split_whitespace().skip(1));
    let full = names.find(|full| full.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    full.unwrap_or(name).to_owned()
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
            credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            sudo_user: std::env::var_os("SUDO_USER")
                .and_then(|name| name.into_string().ok())
                .filter(|name| !name.is_empty()),
            notify: std::env::var_os("NOTIFY_SOCKET").map(|socket| (socket, watchdog())),
            stop: Arc::default(),
            dies_at_once: Arc::new(AtomicBool::new(true)),
        }
    }

    /// The machine's name with its domain, if /etc/hosts knows that (hosts(5)).
    pub fn full_name(&self) -> String {
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        full_name(&self.name, &hosts)
    }

    /// The name of the user this runs as, or the number if passwd(5) has none.
    pub fn user(&self) -> String {
        Self::user_name()
    }

    /// The same, where no machine is at hand: who we are does not depend on it.
    pub fn user_name() -> String {
        account::own_name()
    }

    /// The address that the machine reaches others by, if it has a way to any.
    pub fn address(&self) -> Option<IpAddr> {
        // Nothing is sent: connecting a datagram socket asks the kernel for the route only. The
        // addresses are of documentation, RFC 5737 and RFC 3849.
        [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")].iter().find_map(
            |(any, to)| {
                let socket = UdpSocket::bind(any).ok()?;
                socket.connect(to).ok()?;
                socket.local_addr().ok().map(|address| address.ip())
            },
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_a_short_name_is_in_the_file_of_hosts() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1 mx10.example.net mx1.example.org mx1 # mx1.x\n";
        assert_eq!(full_name("mx1", hosts), "mx1.example.org");
        assert_eq!(full_name("mx2", hosts), "mx2");
        assert_eq!(full_name("a.example", hosts), "a.example");
    }
}
