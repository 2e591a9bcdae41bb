//! The exit statuses that scripts and systemd rely on.

/// What the process tells its parent; the numbers are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Everything that was asked for is done.
    Done = 0,
    /// Something failed, or `doctor` has warnings; stderr and the operational log say what and where.
    Failed = 1,
    /// The command line makes no sense; of `doctor`: it found errors.
    Usage = 2,
    /// Another run holds the lock (sysexits.h `EX_TEMPFAIL`).
    TryLater = 75,
    /// The configuration is wrong (sysexits.h `EX_CONFIG`).
    BadConfig = 78,
}

impl From<Status> for std::process::ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}
