//! The clock: what a run records is as right as the time it has.

use super::{Scene, Told, systemd};
use crate::programs;

pub(super) fn check(_: &Scene, told: &Told) {
    if !programs::has_systemd() {
        return told.unknown("without systemd it cannot be told whether the clock is kept by NTP");
    }
    match systemd::clock("NTPSynchronized").as_deref() {
        Ok("yes") => told.ok("kept by NTP"),
        Ok("no") => told.warning(
            "the clock is not kept by NTP: times of lines and of reports may be wrong",
            "sudo timedatectl set-ntp true, or install chrony or systemd-timesyncd",
        ),
        Ok(_) => told.unknown("timedatectl does not say whether the clock is kept by NTP"),
        Err(error) => told.unknown(&format!("it cannot be told whether NTP keeps it: {error}")),
    }
}
