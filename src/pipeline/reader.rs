//! The reading side of a run: one file after another, from bytes to findings.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use memchr::memrchr;

use crate::event::{Findings, Services};
use crate::host::Host;
use crate::parse::time::{Chronology, YEARS};
use crate::parse::{Outage, Scanner, Stop};
use crate::position::{Progress, Stamp};
use crate::source::SourceError;
use crate::source::block::Block;
use crate::source::file::{self, From, Opened, Reading};
use crate::store::Novelty;

use super::commit::File;
use super::pieces::Stopped;

/// Whose logins are recorded, and until when successful ones were counted in another kind of source.
pub(super) type Reads = (Services, Option<Timestamp>);

/// A file to read, and where its findings go.
pub(super) struct Job {
    pub(super) reading: Reading,
    pub(super) reads: Reads,
    /// How many threads may read it.
    pub(super) threads: usize,
    pub(super) sender: SyncSender<Message>,
}

/// What a reader says of its file.
pub(super) enum Message {
    /// Some findings.
    Found(Findings, Novelty),
    /// All findings so far are void: the file is read again from its start.
    Again,
    /// That was all.
    Ended(Box<Ended>),
}

/// How reading a file ended.
pub(super) struct Ended {
    /// How far it was read; `None` if nothing of it counts.
    pub(super) progress: Option<Progress>,
    /// Where the file is, links resolved.
    pub(super) path: PathBuf,
    /// What it was when it was opened.
    pub(super) stamp: Stamp,
    /// The time of the first line that was read.
    pub(super) first_time: Option<Timestamp>,
    /// What went wrong.
    pub(super) error: Option<SourceError>,
    /// What is worth knowing, though all was read.
    pub(super) complaints: Vec<String>,
}

impl Ended {
    pub(super) fn failed(error: SourceError) -> Self {
        let (path, stamp) = (PathBuf::new(), Stamp::default());
        Self {
            progress: None,
            path,
            stamp,
            first_time: None,
            error: Some(error),
            complaints: vec![],
        }
    }
}

/// Messages that may wait for a file whose turn has not come.
pub(super) const QUEUE: usize = 16;
/// A message is sent when it holds about this much.
const FAILURES: usize = 500;
/// Likewise, bytes of logins.
const LOGIN_BYTES: usize = 1024 * 1024;
/// Likewise, bytes of user names.
const NAME_BYTES: usize = 64 * 1024;

/// Starts the threads that read; gives the files in their order, each with its findings to come,
/// and the jobs that are not handed out yet.
pub(super) fn start_readers(
    (host, reads): (&Host, Reads),
    readings: Vec<Reading>,
    bytes_read: &Arc<AtomicU64>,
) -> (Vec<File>, impl FnMut() + use<>) {
    let mut jobs = VecDeque::new();
    let mut files = Vec::new();
    let threads = if readings.len() > 1 { 1 } else { host.threads };
    for reading in readings {
        let (sender, messages) = sync_channel(QUEUE);
        let ends_takeover = matches!(reading.from, From::TakenOver(bytes) if bytes < u64::MAX);
        let path = reading.path.clone();
        files.push(File { path, ends_takeover, messages, is_journal: false });
        jobs.push_back(Job { reading, reads, threads, sender });
    }
    let (hand_out, handed_out) = channel();
    let handed_out = Arc::new(Mutex::new(handed_out));
    for _ in 0..host.threads.min(files.len()) {
        let (jobs, host, bytes_read) = (handed_out.clone(), host.clone(), bytes_read.clone());
        // Not joined: a thread that waits for standard input must not keep the process from ending.
        std::thread::spawn(move || work(&jobs, &host, &bytes_read));
    }
    // One for each file that is done, so that readers do not fill the memory with what waits.
    let mut next = move || {
        if let Some(job) = jobs.pop_front() {
            // Nobody takes it if all threads died, which is seen where findings are waited for.
            let _ = hand_out.send(job);
        }
    };
    (0..=host.threads).for_each(|_| next());
    (files, next)
}

/// Reads files until no more come.
fn work(jobs: &Mutex<Receiver<Job>>, host: &Host, bytes_read: &Arc<AtomicU64>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { reading, reads, threads, sender }) = job else { return };
        let ended = read((reading, reads, threads), &sender, (host, bytes_read));
        // The other side is gone when the run was interrupted.
        if sender.send(Message::Ended(Box::new(ended))).is_err() {
            return;
        }
    }
}

fn read(
    (mut reading, reads, threads): (Reading, Reads, usize),
    sender: &SyncSender<Message>,
    (host, bytes_read): (&Host, &Arc<AtomicU64>),
) -> Ended {
    // Only a file that is read from its start has a first year to guess.
    let from_start = reading.stream.is_none() && !matches!(reading.from, From::After(_));
    // If no guess fits, some line has a wrong time, and the first guess is the best one.
    let guesses = (0..YEARS).map(|years| (years, from_start)).chain([(0, false)]);
    for (years_back, may_restart) in guesses {
        let again = reading.again();
        let follows = reading.follows || matches!(reading.from, From::TakenOver(_));
        let opened = match file::open(reading, bytes_read) {
            Ok(opened) => opened,
            Err(error) => return Ended::failed(error),
        };
        let mut file = FileReader::new((opened, follows), (host, reads), years_back, sender);
        match file.read(threads, host, may_restart) {
            Flow::YearsTooLate => reading = again,
            Flow::End => return file.end(None),
            Flow::Fail(error) if error.is_passing() => return Ended::failed(error),
            Flow::Fail(error @ SourceError::NotALog(_)) => return Ended::failed(error),
            Flow::Fail(error) => return file.end(Some(error)),
        }
        if sender.send(Message::Again).is_err() {
            break;
        }
    }
    Ended::failed(SourceError::Moved(PathBuf::new()))
}

/// How reading went.
pub(super) enum Flow {
    End,
    YearsTooLate,
    Fail(SourceError),
}

/// An open file on its way through the parser.
pub(super) struct FileReader<'s> {
    pub(super) opened: Opened,
    pub(super) scanner: Scanner,
    sender: &'s SyncSender<Message>,
    novelty: Novelty,
    /// What the Python program had read.
    taken_over: u64,
    pub(super) found: Findings,
}

impl<'s> FileReader<'s> {
    pub(super) fn new(
        (opened, follows): (Opened, bool),
        (host, (services, counted_until)): (&Host, Reads),
        years_back: i16,
        sender: &'s SyncSender<Message>,
    ) -> Self {
        let (mut last_time, mut lines, mut outage) = (None, 0, Outage::default());
        let (mut taken_over, mut novelty, mut logins_after) = (0, Novelty::New, None);
        match &opened.from {
            From::Start => {}
            From::After(progress) => {
                (last_time, lines) = (progress.last_time, progress.lines);
                outage = Outage::resume(progress.outage.clone());
                novelty = opened.known.map_or(Novelty::New, Novelty::Continues);
            }
            From::Again { since } => (novelty, logins_after) = (Novelty::Doubtful, *since),
            From::TakenOver(bytes) => taken_over = *bytes,
        }
        let modified = host.plausible(opened.stamp.modified_ns);
        let chronology = Chronology::new(host.zone.clone(), modified, last_time, years_back);
        let mut scanner = Scanner::new(chronology, outage, (&host.name, lines));
        scanner.count_services(services);
        scanner.count_logins_after(logins_after.max(counted_until));
        match &opened.from {
            From::After(progress) => scanner.resume_names(&progress.names),
            _ if follows => scanner.follow(),
            _ => {}
        }
        Self { opened, scanner, sender, novelty, taken_over, found: Findings::default() }
    }

    pub(super) fn read(&mut self, threads: usize, host: &Host, may_restart: bool) -> Flow {
        // In order, too, is read what comes after a void piece, twice as much each time: where an attack
        // goes on for hours, so many attempts may be under way all the time that no piece is right.
        let mut in_order = host.piece_bytes;
        loop {
            let (is_further, stopped) = if threads > 1 && self.taken_over == 0 {
                self.read_pieces(threads, host, may_restart)
            } else {
                (false, Stopped::Rest)
            };
            in_order = if is_further { host.piece_bytes } else { in_order.saturating_mul(2) };
            let until = match stopped {
                Stopped::Over(flow) => return flow,
                Stopped::Void(end) => end.saturating_add(in_order - host.piece_bytes),
                Stopped::Rest => u64::MAX,
            };
            if let Some(flow) = self.read_in_order(until, host, may_restart) {
                return flow;
            }
        }
    }

    /// Reads up to a position; gives how that went if it was the end.
    fn read_in_order(&mut self, until: u64, host: &Host, may_restart: bool) -> Option<Flow> {
        while !host.stopping() && self.opened.blocks.position() < until {
            let block = match self.opened.blocks.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => return Some(self.whole()),
                Err(error) => return Some(Flow::Fail(self.opened.error(error))),
            };
            let Some(block) = without(block, self.taken_over, &mut self.scanner) else { continue };
            self.found.cut_lines += u64::from(block.cut);
            match self.scanner.scan(block.bytes, block.position, &mut self.found) {
                Err(Stop::NotALog) => {
                    let path = self.opened.path().to_owned();
                    return Some(Flow::Fail(SourceError::NotALog(path)));
                }
                Err(Stop::YearsTooLate) if may_restart => return Some(Flow::YearsTooLate),
                _ => {}
            }
            if is_full(&self.found) && !self.send(false) {
                return Some(self.whole());
            }
        }
        host.stopping().then(|| self.whole())
    }

    /// The file was read, if it is still the same.
    fn whole(&self) -> Flow {
        self.opened.still_the_same().map_or_else(Flow::Fail, |()| Flow::End)
    }

    /// Hands over what was found; false if nobody wants it.
    ///
    /// Logins are kept back while there are few kinds of them: each kind is a row to write.
    pub(super) fn send(&mut self, all: bool) -> bool {
        let mut found = std::mem::take(&mut self.found);
        if !all && found.logins.bytes() < LOGIN_BYTES {
            std::mem::swap(&mut found.logins, &mut self.found.logins);
        }
        self.sender.send(Message::Found(found, self.novelty)).is_ok()
    }

    /// How far it was read.
    pub(super) fn progress(&self) -> Progress {
        let (head, tail) = self.opened.blocks.edges().fingerprints();
        Progress {
            offset: self.opened.blocks.position(),
            lines: self.scanner.lines(),
            head,
            tail,
            unfinished: self.opened.unfinished(),
            last_time: self.scanner.last_time(),
            outage: self.scanner.outage().processes(),
            entry: None,
            names: self.scanner.names(),
        }
    }

    pub(super) fn end(mut self, error: Option<SourceError>) -> Ended {
        self.send(true);
        // After an error of the disk the same file must be looked at again.
        let stamp = match &error {
            Some(SourceError::Io { .. }) => Stamp::default(),
            _ => self.opened.stamp.clone(),
        };
        let path = self.opened.path();
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // A file of which not one line is complete has no identity yet.
        let progress = Some(self.progress()).filter(|progress| progress.offset > 0);
        let first_time = self.scanner.first_time();
        Ended { progress, path, stamp, first_time, error, complaints: vec![] }
    }
}

/// The part of `block` that is not among the first `taken_over` bytes; whole lines.
fn without<'b>(block: Block<'b>, taken_over: u64, scanner: &mut Scanner) -> Option<Block<'b>> {
    let Some(done) = taken_over.checked_sub(block.position).filter(|done| *done > 0) else {
        return Some(block);
    };
    let done = usize::try_from(done).unwrap_or(usize::MAX).min(block.bytes.len());
    let (read, _) = block.bytes.split_at_checked(done)?;
    // A line that was only half there when the Python program read it is read again.
    let end = memrchr(b'\n', read).map_or(0, |end| end + 1);
    let (read, rest) = block.bytes.split_at_checked(end)?;
    scanner.pass_over(read);
    let position = block.position + end as u64;
    (!rest.is_empty()).then_some(Block { bytes: rest, position, cut: block.cut })
}

/// Whether it is time to hand `found` over.
pub(super) fn is_full(found: &Findings) -> bool {
    let names =
        || found.failures.iter().filter_map(|f| f.user.as_ref()).map(|u| u.as_bytes().len());
    found.failures.len() >= FAILURES
        || found.logins.bytes() >= LOGIN_BYTES
        || names().sum::<usize>() >= NAME_BYTES
}
