//! How steadily somebody fails: a device with an old password comes back as its clock says.

/// Failures that are closer than so many seconds are one try.
const AT_ONCE: i64 = 20;
/// So many of them at most, for mail that comes, mail that goes, and a second try of each.
const AT_A_TIME: u64 = 4;
/// A device tries again after so many seconds at least; who guesses is faster.
const PATIENT: i64 = 100;

/// How steadily something is repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The seconds between two, smoothed.
    pub gap: i64,
    /// How many were at such a distance from those before.
    pub regular: u64,
    /// How many distances there were.
    pub gaps: u64,
}

impl Pace {
    /// Notes that `gap` seconds went by. What comes at once is one try, with several answers.
    pub fn add(&mut self, gap: i64) {
        if gap < AT_ONCE {
            return;
        }
        self.gaps += 1;
        if self.gaps == 1 {
            self.gap = gap;
            return;
        }
        // A device that slept, or had no network, is back at a multiple of its time.
        let is_multiple = |long: i64, short: i64| {
            let times = (long + short / 2) / short.max(1);
            let apart = (long - times * short).abs();
            (times >= 1 && apart * 12 <= short).then_some(times)
        };
        if let Some(times) = is_multiple(gap, self.gap) {
            self.regular += 1;
            self.gap += (gap / times - self.gap) / 8;
        } else if is_multiple(self.gap, gap).is_some() {
            self.regular += 1;
            self.gap = gap;
        } else if self.regular == 0 {
            self.gap = gap;
        }
    }

    /// The seconds between two, if that is steady. By chance one gap of six is a multiple.
    pub fn rhythm(&self) -> Option<i64> {
        (self.gaps >= 5 && self.regular * 10 >= self.gaps * 6 && self.gap > 0).then_some(self.gap)
    }

    /// Whether so many failures at this pace are those of a device with an old password.
    pub fn is_device(&self, failures: u64) -> bool {
        let is_patient = self.rhythm().is_some_and(|gap| gap >= PATIENT);
        is_patient && failures <= AT_A_TIME * (self.gaps + 1)
    }
}
