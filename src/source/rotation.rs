//! Finds the files of a log, oldest first, and tells what of each is new.
//!
//! logrotate may have renamed the log, copied and truncated it, compressed it, once or several
//! times, since we looked; an administrator may have brought an old copy back. Names give the
//! order, content gives the identity: see [`crate::position`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::SourceError;
use super::block::LastLine;
use super::compressed::Compression;
use super::file::{self, From, Reading};
use super::name::{self, Age, Place};
use crate::position::{FINGERPRINT_BYTES, Generation, Stamp};

/// What to read of one log, in order, and what is wrong with it.
#[derive(Default)]
pub struct Plan {
    /// The files with news, oldest first.
    pub readings: Vec<Reading>,
    /// Known generations without news that are elsewhere now.
    pub moved: Vec<(i64, PathBuf)>,
    /// Lines that cannot be had any more.
    pub gap: Option<Gap>,
    /// The log itself is not there, only rotations, the newest of them changed then (nanoseconds
    /// since 1970).
    pub live_missing: Option<i64>,
    /// What could not be looked at.
    pub errors: Vec<SourceError>,
}

/// A stretch of the log that was rotated away before it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The time of the last line read before it.
    pub since: Option<Timestamp>,
    /// Of the plan's readings, the one that comes after it.
    pub before: usize,
}

/// A file of the log, as the directory shows it.
struct Found {
    path: PathBuf,
    place: Place,
    stamp: Stamp,
}

impl Found {
    /// The number of a numbered rotation.
    fn number(&self) -> Option<u64> {
        match self.place.age {
            Age::Numbered(number) if !self.place.stem.is_empty() => Some(number.0),
            _ => None,
        }
    }
}

/// A file that was looked into.
struct Seen {
    found: Found,
    plain: bool,
    head: Vec<u8>,
    /// Of the known generations: the one it is, and all that start like it.
    known: Option<usize>,
    alike: Vec<usize>,
    from: Option<From>,
}

/// Plans the reading of `log`, of which the generations in `known` were read before.
///
/// `others` are those of other logs: a file that two logs claim is read for one of them.
pub fn plan(log: &Path, known: &[Generation], others: &[Generation]) -> Plan {
    let mut plan = Plan::default();
    let mut found = list(log, known, &mut plan.errors);
    if !found.iter().any(|f| f.place.age == Age::Live) {
        plan.live_missing = found.iter().map(|f| f.stamp.modified_ns).max();
    }
    if found.is_empty() {
        if plan.errors.is_empty() {
            plan.errors.push(SourceError::Missing(log.to_owned()));
        }
        return plan;
    }
    if found.iter().all(|f| f.stamp.size == 0) && known.is_empty() {
        plan.errors.push(SourceError::Empty(log.to_owned()));
    }
    let numbers: BTreeSet<u64> = found.iter().filter_map(Found::number).collect();
    found.retain(|f| f.stamp.size > 0);
    let newest_rotation = found.iter().rposition(|f| f.place.age != Age::Live);
    let mut seen = Vec::new();
    for (at, found) in found.into_iter().enumerate() {
        let may_grow = found.place.age == Age::Live || Some(at) == newest_rotation;
        let last_line = if may_grow { LastLine::Waits } else { LastLine::IsWhole };
        match look(found, (known, others), last_line) {
            Ok(file) => seen.push((file, last_line)),
            Err(error) => plan.errors.push(error),
        }
    }
    drop_copies(&mut seen);
    plan.gap = gap(&seen, known, &numbers);
    let has_past = !known.is_empty();
    for (file, last_line) in seen {
        let known = file.known.and_then(|at| known.get(at));
        let Some(from) = file.from else {
            let moved = known.filter(|generation| generation.path != file.found.path);
            plan.moved.extend(moved.map(|generation| (generation.id, file.found.path)));
            continue;
        };
        let known = known.map(|generation| generation.id);
        let Found { path, stamp, .. } = file.found;
        let follows = has_past || !plan.readings.is_empty();
        plan.readings.push(Reading { path, stamp, stream: None, known, from, last_line, follows });
    }
    plan
}

/// Plans the reading of standard input, which has no name and no past but its content.
pub fn plan_stream(stream: file::Stream, known: Vec<Generation>) -> Plan {
    let reading = Reading {
        path: PathBuf::from("-"),
        stamp: Stamp::default(),
        stream: Some((stream, known)),
        known: None,
        from: From::Start,
        last_line: LastLine::IsWhole,
        follows: false,
    };
    Plan { readings: vec![reading], ..Plan::default() }
}

/// The rotations beside `log` that exist, oldest first, and what could not be looked at.
pub fn beside(log: &Path) -> (Vec<PathBuf>, Vec<SourceError>) {
    let mut errors = Vec::new();
    let mut found = list(log, &[], &mut errors);
    found.retain(|file| file.place.age != Age::Live);
    (found.into_iter().map(|file| file.path).collect(), errors)
}

/// The log and its rotations that exist, oldest first, each file once.
fn list(log: &Path, known: &[Generation], errors: &mut Vec<SourceError>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut add =
        |path: &Path, place: Place, errors: &mut Vec<SourceError>| match fs::metadata(path) {
            Ok(meta) if !meta.is_file() => errors.push(SourceError::NotAFile(path.to_owned())),
            Ok(meta) => {
                let stamp = file::stamp(&meta);
                if !found.iter().any(|other| other.stamp.same_file(&stamp)) {
                    found.push(Found { path: path.to_owned(), place, stamp });
                }
            }
            // Renamed since the directory was read: the next run finds it by its content.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => errors.push(SourceError::io("look at", path, error)),
        };
    // Rotations stand beside the log, or beside the file that it is a link to.
    let target = fs::canonicalize(log).unwrap_or_else(|_| log.to_owned());
    for log in [Some(log), Some(&*target).filter(|target| *target != log)].into_iter().flatten() {
        let (Some(base), parent) = (log.file_name(), parent(log)) else { continue };
        if let Some(place) = name::place(base, base) {
            add(log, place, errors);
        }
        let entries = match fs::read_dir(parent) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                errors.push(SourceError::io("list", parent, error));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    errors.push(SourceError::io("list", parent, error));
                    break;
                }
            };
            if let Some(place) = name::place(base, &entry.file_name())
                && place.age != Age::Live
            {
                add(&entry.path(), place, errors);
            }
        }
    }
    // A link that points elsewhere every day leaves its last target where we saw it.
    if let Some(newest) = known.iter().rfind(|generation| generation.own) {
        let place = Place { age: Age::Numbered(std::cmp::Reverse(0)), stem: Vec::new() };
        add(&newest.path, place, &mut Vec::new());
    }
    sort(&mut found);
    found
}

/// By name; where a log has both dated and numbered rotations, by time, the log itself last.
fn sort(found: &mut [Found]) {
    let dated = found.iter().any(|f| matches!(f.place.age, Age::Dated(_)));
    let numbered = found.iter().any(|f| matches!(f.place.age, Age::Numbered(_)));
    found.sort_by(|a, b| a.place.cmp(&b.place));
    if dated && numbered {
        found.sort_by_key(|f| (f.place.age == Age::Live, f.stamp.modified_ns));
    }
}

/// Looks into a file: which generation it is, and what of it is new.
fn look(
    found: Found,
    (known, others): (&[Generation], &[Generation]),
    last_line: LastLine,
) -> Result<Seen, SourceError> {
    let unchanged = known.iter().rposition(|g| g.stamp == found.stamp);
    if let Some(at) = unchanged {
        let progress = known.get(at).map(|g| &g.progress);
        let done = progress.is_some_and(|p| !p.unfinished || last_line == LastLine::Waits);
        if done {
            let same_start = |g: &Generation| progress.is_some_and(|p| p.head == g.progress.head);
            let alike = (0..).zip(known).filter(|(_, g)| same_start(g)).map(|(at, _)| at).collect();
            let (head, known) = (Vec::new(), Some(at));
            return Ok(Seen { found, plain: true, head, known, alike, from: None });
        }
    }
    let (head, compression) = file::head(&found.path)?;
    let plain = compression == Compression::None;
    let alike = || known.iter().enumerate().rev().filter(|(_, g)| g.progress.head.starts(&head));
    let verified = alike()
        .filter(|(_, g)| !plain || file::ends_as_read(&found.path, &g.progress))
        .max_by_key(|(_, g)| g.progress.offset);
    let (known, from) = match (verified, alike().next()) {
        (Some((at, g)), _) if g.progress.offset == found.stamp.size && plain => (Some(at), None),
        (Some((at, g)), _) => (Some(at), Some(From::After(Box::new(g.progress.clone())))),
        (None, Some((at, g))) => (Some(at), Some(From::Again { since: g.progress.last_time })),
        (None, None) => {
            let same = |g: &Generation| {
                let alike = g.progress.head.starts(&head);
                alike && (!plain || file::ends_as_read(&found.path, &g.progress))
            };
            (None, Some(From::Start).filter(|_| !others.iter().any(same)))
        }
    };
    let alike = alike().map(|(at, _)| at).collect();
    Ok(Seen { found, plain, head, known, alike, from })
}

/// Leaves one of each pair of files that hold the same: `gzip` or `copytruncate` at work.
fn drop_copies(seen: &mut Vec<(Seen, LastLine)>) {
    let mut at = 0;
    while let Some((file, _)) = seen.get(at) {
        let copy = seen.iter().enumerate().position(|(other_at, (other, _))| {
            other_at != at && is_copy(file, other) && better(other, other_at, file, at)
        });
        if copy.is_some() { drop(seen.remove(at)) } else { at += 1 }
    }
}

fn is_copy(one: &Seen, other: &Seen) -> bool {
    let diverged = |file: &Seen| matches!(file.from, Some(From::Again { .. }));
    if one.known.is_some() && one.known == other.known && !diverged(one) && !diverged(other) {
        return true;
    }
    let unread = |file: &Seen| file.known.is_none() || diverged(file);
    let twins = one.found.place.stem == other.found.place.stem && one.plain != other.plain;
    // Two short files that are equal from end to end are one as well: `copytruncate` at work.
    let size = |file: &Seen| {
        (file.plain && file.head.len() as u64 == file.found.stamp.size).then_some(file.head.len())
    };
    let whole = size(one).is_some() && size(one) == size(other);
    let enough = if twins || whole { 1 } else { FINGERPRINT_BYTES };
    let common = one.head.len().min(other.head.len());
    let alike = common >= enough && one.head.get(..common) == other.head.get(..common);
    alike && (twins || (unread(one) && unread(other)))
}

/// Of two copies: the one that is as it was read, else the plain one, else the later one.
fn better(one: &Seen, at: usize, other: &Seen, other_at: usize) -> bool {
    let rank = |file: &Seen, at| (file.from.is_none(), file.plain, at);
    rank(one, at) > rank(other, other_at)
}

/// Whether lines are missing between what was read last and what is there.
///
/// `numbers` are those of all numbered rotations that exist, empty and unreadable ones too.
fn gap(seen: &[(Seen, LastLine)], known: &[Generation], numbers: &BTreeSet<u64>) -> Option<Gap> {
    let last = known.iter().rposition(|generation| generation.own)?;
    let since = known.get(last)?.progress.last_time;
    let mut news = seen.iter().filter(|(file, _)| file.from.is_some());
    let before = news.position(|(file, _)| file.known.is_none());
    let newest = seen.iter().find(|(file, _)| file.alike.contains(&last));
    let complete = newest.is_some_and(|(file, _)| {
        // It is there; so must be all that were rotated after it.
        file.found.number().is_none_or(|own| (1..own).all(|number| numbers.contains(&number)))
    });
    before.filter(|_| !complete).map(|before| Gap { since, before })
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
