//! Parses a stretch of a log before those in front of it are parsed, and joins it to them.

use jiff::Timestamp;

use super::candidates::lines;
use super::joining::Known;
use super::manners::Manners;
use super::{Outage, Scanner, container, syslog};

/// What a scanner knows of the lines so far; see [`Scanner::ahead`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    time: Option<Timestamp>,
    /// Whether a line had a stamp, so that this is a log.
    dated: bool,
    /// What is known of attempts that are under way.
    joining: Known,
}

impl Scanner {
    /// A scanner for a later stretch of the same file, on the assumption that all that matters of
    /// the lines between is told by the last of them, `before`. It counts lines from 0.
    ///
    /// For the stretch that comes next, `before` is empty.
    #[must_use]
    pub fn ahead(&self, before: &[u8]) -> Self {
        let mut chronology = self.chronology.clone();
        let joining = self.joining.ahead(before, &chronology);
        if let Some(stamp) = lines(before).next_back().and_then(syslog::stamp) {
            chronology.skip_to(stamp);
        }
        Self {
            services: self.services,
            needles: self.needles.clone(),
            chronology,
            outage: Outage::default(),
            joining,
            is_split: lines(before).next_back().map_or(self.is_split, container::is_split),
            host: self.host.clone(),
            logins_after: self.logins_after,
            lines: 0,
            // Whether this is a log is for the first stretch to say, and checked when they join.
            dated: self.dated || !before.is_empty(),
            first_time: None,
            day: self.day,
            manners: Manners::default(),
        }
    }

    /// How many bytes before a stretch tell what matters to [`Scanner::ahead`], besides its last line.
    pub fn matters_before(&self) -> usize {
        self.joining.matters_before()
    }

    /// What matters of the lines so far for those that follow, besides the auth service.
    pub fn state(&self) -> State {
        let joining = self.joining.known(self.chronology.seen());
        State { time: self.last_time(), dated: self.dated, joining }
    }

    /// Goes on where `later`, made by [`Scanner::ahead`], stopped; false if what it `assumed` is
    /// not how things are: then it is void.
    pub fn join(&mut self, assumed: &State, later: Self) -> bool {
        let right = self.state() == *assumed
            && self.outage.is_over()
            && self.joining.append(&assumed.joining, later.joining);
        if right {
            self.is_split = later.is_split;
            self.chronology = later.chronology;
            self.outage = later.outage;
            self.lines += later.lines;
            self.dated |= later.dated;
            self.first_time = self.first_time.or(later.first_time);
            self.day = later.day;
        }
        right
    }
}
