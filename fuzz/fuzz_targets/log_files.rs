//! A log and its rotations on disk, and beside them what was written to each.

use std::collections::VecDeque;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

/// When the first event happens: 2026-11-22. Files of the same second would look the same.
const START: Duration = Duration::from_secs(1_795_305_600);

/// A file in the life of the log.
#[derive(Default)]
struct Generation {
    /// What was written to it.
    content: Vec<u8>,
    /// How much of it a run has read.
    read: usize,
    kept: Kept,
}

/// How a rotation is kept.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kept {
    #[default]
    Plain,
    Gzip,
    /// Both: `gzip` is at work.
    Both,
}

/// The files.
pub struct LogFiles {
    path: PathBuf,
    clock: Duration,
    live: Generation,
    /// Newest first: `mail.log.1`, `mail.log.2`, …
    rotated: VecDeque<Generation>,
    deleted: Vec<Generation>,
    /// The next text goes to the newest rotation.
    late: bool,
    started: usize,
    restored: bool,
}

impl LogFiles {
    /// An empty log at `path`.
    pub fn new(path: PathBuf) -> Self {
        write_file(&path, &[]);
        Self {
            path,
            clock: START,
            live: Generation::default(),
            rotated: VecDeque::new(),
            deleted: Vec::new(),
            late: false,
            started: 0,
            restored: false,
        }
    }

    /// Appends `text`; to a new file, after a line that no other file has.
    pub fn write(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let late = std::mem::take(&mut self.late);
        let newest = self.rotated.front_mut().filter(|newest| {
            late && newest.kept == Kept::Plain && !newest.content.iter().all(|b| *b == 0)
        });
        if let Some(newest) = newest {
            newest.content.extend_from_slice(text);
            let path = self.rotated_path(1);
            append(&path, text);
            return self.touch(&path);
        }
        let mut text = text.to_vec();
        if self.live.content.iter().all(|b| *b == 0) {
            text.splice(0..0, self.first_line());
            if !self.live.content.is_empty() {
                // Beyond the end of a file that was truncated: the hole reads as NUL bytes.
                let length = self.live.content.len() as u64;
                let file = OpenOptions::new().write(true).open(&self.path).expect("the log");
                file.set_len(length).expect("room for a hole");
            }
        }
        self.live.content.extend_from_slice(&text);
        append(&self.path, &text);
        self.touch(&self.path.clone());
    }

    /// `rename` and `create` of logrotate.
    pub fn rename_and_create(&mut self) {
        self.make_room();
        fs::rename(&self.path, self.rotated_path(1)).expect("a rename");
        write_file(&self.path, &[]);
        self.touch(&self.path.clone());
        self.rotated.push_front(std::mem::take(&mut self.live));
    }

    /// `copytruncate` of logrotate; `hole`: the writer goes on at its old place.
    pub fn copy_and_truncate(&mut self, hole: bool) {
        self.make_room();
        write_file(&self.rotated_path(1), &self.live.content);
        self.touch(&self.rotated_path(1));
        write_file(&self.path, &[]);
        self.touch(&self.path.clone());
        let length = if hole { self.live.content.len() } else { 0 };
        self.rotated.push_front(std::mem::take(&mut self.live));
        self.live.content.resize(length, 0);
    }

    /// `compress` of logrotate: of the newest rotation.
    pub fn compress(&mut self) {
        self.compress_beside(1);
        self.end_compression();
    }

    /// `gzip` at work on the newest rotation: so far it has written one of `parts` parts.
    pub fn compress_beside(&mut self, parts: usize) {
        let plain = self.rotated_path(1);
        let path = gz(&plain);
        let Some(newest) = self.rotated.front_mut() else { return };
        if newest.kept == Kept::Gzip {
            return;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&newest.content).expect("memory");
        let bytes = encoder.finish().expect("memory");
        write_file(&path, &bytes[..bytes.len() / parts]);
        newest.kept = Kept::Both;
        if parts == 1 {
            // gzip gives it the time of the plain file.
            let modified = fs::metadata(&plain).and_then(|meta| meta.modified()).expect("a time");
            set_time(&path, modified);
        } else {
            self.touch(&path);
        }
    }

    /// Deletes the oldest rotation.
    pub fn delete_oldest(&mut self) {
        self.end_compression();
        let oldest = self.rotated_path(self.rotated.len());
        let Some(generation) = self.rotated.pop_back() else { return };
        let gzip = generation.kept == Kept::Gzip;
        fs::remove_file(if gzip { gz(&oldest) } else { oldest }).expect("the oldest rotation");
        self.deleted.push(generation);
    }

    /// Brings a backup of the log back: its first half, in a file of its own. The log goes on there.
    pub fn restore(&mut self) {
        let half = whole_lines(&self.live.content[..self.live.content.len() / 2]);
        let content = self.live.content.split_off(half);
        let read = self.live.read.saturating_sub(half);
        self.live.read -= read;
        self.deleted.push(Generation { content, read, kept: Kept::Plain });
        let backup = self.path.with_file_name("backup");
        write_file(&backup, &self.live.content);
        fs::rename(backup, &self.path).expect("a rename");
        self.restored = true;
        let next = self.first_line();
        self.write(&next);
    }

    /// Whether a backup was brought back.
    pub fn was_restored(&self) -> bool {
        self.restored
    }

    /// Lets the next text go to the newest rotation, if that is a plain file.
    pub fn write_to_rotated(&mut self) {
        self.late = true;
    }

    /// Notes that a run read all there was to read.
    pub fn was_read(&mut self) {
        self.live.read = whole_lines(&self.live.content);
        for (at, rotated) in self.rotated.iter_mut().enumerate() {
            let may_grow = at == 0 && rotated.kept != Kept::Gzip;
            let length = rotated.content.len();
            rotated.read = if may_grow { whole_lines(&rotated.content) } else { length };
        }
    }

    /// The text that is there, or was read before it went.
    pub fn read_or_there(&self) -> Vec<Vec<u8>> {
        let there = self.rotated.iter().chain([&self.live]).map(|g| g.content.clone());
        there.chain(self.deleted.iter().map(|g| g.content[..g.read].to_vec())).collect()
    }

    /// The text that went before a run that was not stopped had read it.
    pub fn lost(&self) -> Vec<Vec<u8>> {
        self.deleted.iter().map(|g| g.content[g.read..].to_vec()).collect()
    }

    /// A line that comes only once.
    fn first_line(&mut self) -> Vec<u8> {
        self.started += 1;
        let stamp = format!("2026-11-22T21:28:{:02}+00:00", self.started);
        format!("{stamp} mx1 postfix/smtpd[1]: connect from unknown[192.0.2.1]\n").into_bytes()
    }

    /// Gives each rotation the next number.
    fn make_room(&mut self) {
        self.end_compression();
        self.late = false;
        for number in (1..=self.rotated.len()).rev() {
            let (from, to) = (self.rotated_path(number), self.rotated_path(number + 1));
            let gzip = self.rotated[number - 1].kept == Kept::Gzip;
            let done = if gzip { fs::rename(gz(&from), gz(&to)) } else { fs::rename(from, to) };
            done.expect("a rename");
        }
    }

    fn end_compression(&mut self) {
        if self.rotated.front().is_some_and(|newest| newest.kept == Kept::Both) {
            self.compress_beside(1);
            fs::remove_file(self.rotated_path(1)).expect("the plain file");
            self.rotated[0].kept = Kept::Gzip;
        }
    }

    fn rotated_path(&self, number: usize) -> PathBuf {
        self.path.with_file_name(format!("mail.log.{number}"))
    }

    /// Gives `path` the time of this moment; each is a minute after the last.
    fn touch(&mut self, path: &Path) {
        self.clock += Duration::from_secs(60);
        set_time(path, SystemTime::UNIX_EPOCH + self.clock);
    }
}

/// The length of all lines of `content` that have an end.
fn whole_lines(content: &[u8]) -> usize {
    content.iter().rposition(|b| matches!(b, b'\n' | 0)).map_or(0, |end| end + 1)
}

fn gz(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

fn set_time(path: &Path, modified: SystemTime) {
    let file = OpenOptions::new().append(true).open(path).expect("a file");
    file.set_times(FileTimes::new().set_modified(modified)).expect("its time can be set");
}

fn append(path: &Path, text: &[u8]) {
    let file = OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| file.write_all(text)).expect("a file that can be written");
}

fn write_file(path: &Path, bytes: &[u8]) {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("a file that can be written");
}
