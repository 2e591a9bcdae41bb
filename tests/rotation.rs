//! Random histories of a log, whatever logrotate and administrators do to it, read now and then:
//! in the end every line that was ever written is recorded once, and in the order of the log.
//!
//! The model is the list of what was written. A history that fails is printed with its seed;
//! `ROTATION_SEED=n cargo test --test rotation` runs that one alone, and
//! `ROTATION_HISTORIES=n` runs more than the usual number.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::struct_excessive_bools,
    reason = "a test should stop at the first surprise"
)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use maillogsentinel::config::{self, Config};
use maillogsentinel::host::Host;
use maillogsentinel::pipeline::{self, Progress};

/// How many histories are tried.
const HISTORIES: u64 = 2000;

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let number = |name: &str| std::env::var_os(name).map(|n| n.to_str().unwrap().parse().unwrap());
    if let Some(seed) = number("ROTATION_SEED") {
        return History::new(seed).play();
    }
    let last = number("ROTATION_HISTORIES").unwrap_or(HISTORIES);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        return;
                    }
                    History::new(seed).play();
                }
            });
        }
    });
}

/// How a log is rotated, as logrotate.conf(5) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    Numbers,
    DateExt,
}

/// One log, its writer, logrotate, an administrator, and our program.
struct History {
    seed: u64,
    rng: Rng,
    folder: tempfile::TempDir,
    config: Config,
    host: Host,
    naming: Naming,
    copytruncate: bool,
    compress: bool,
    delaycompress: bool,
    rfc3339: bool,
    clock: Timestamp,
    written: Vec<String>,
    /// The start of a line whose end is still to be written, and the file it is in.
    unfinished: Option<(PathBuf, Vec<u8>)>,
    rotations: u32,
    restored: bool,
    diary: Vec<String>,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let folder = scratch();
        let path = folder.path().display();
        let settings = [
            format!("paths.mail_log={path}/log/mail.log"),
            format!("paths.working_dir={path}/work"),
            format!("paths.state_dir={path}/state"),
            "general.log_file=".to_owned(),
            "dns.enabled=false".to_owned(),
        ];
        let config = config::load(Some(Path::new("/dev/null")), &settings).0.unwrap();
        fs::create_dir(folder.path().join("log")).unwrap();
        let host = Host {
            zone: TimeZone::UTC,
            threads: 1 + rng.usize(..2),
            piece_bytes: 1,
            ..Host::real()
        };
        Self {
            seed,
            folder,
            config,
            host,
            naming: if rng.bool() { Naming::Numbers } else { Naming::DateExt },
            copytruncate: rng.bool(),
            compress: rng.bool(),
            delaycompress: rng.bool(),
            rfc3339: rng.bool(),
            clock: Timestamp::now() - 48.hours(),
            written: Vec::new(),
            unfinished: None,
            rotations: 0,
            restored: false,
            diary: Vec::new(),
            rng,
        }
    }

    fn play(mut self) {
        self.write_lines();
        for _ in 0..self.rng.usize(3..25) {
            match self.rng.u8(..20) {
                0..7 => self.write_lines(),
                7..9 => self.write_half_a_line(),
                9..14 => self.rotate(),
                14..18 => self.run(),
                18 => self.touch(),
                _ => self.restore_a_copy(),
            }
        }
        // A last line of a rotation that never got its end would wait for the next rotation.
        self.finish_line();
        self.run();
        self.run();
        self.compare();
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log/mail.log")
    }

    fn write_lines(&mut self) {
        self.finish_line();
        let lines = self.rng.usize(1..6);
        self.diary.push(format!("write {lines}"));
        for _ in 0..lines {
            let line = self.line();
            append(&self.log(), &line);
        }
    }

    /// A line, whole: mostly a failure, which the model remembers.
    fn line(&mut self) -> Vec<u8> {
        self.clock += self.rng.i64(0..200).seconds();
        let stamp = if self.rfc3339 { "%Y-%m-%dT%H:%M:%S.123456+00:00" } else { "%b %e %H:%M:%S" };
        let stamp = self.clock.strftime(stamp).to_string();
        let head = format!("{stamp} mx1 postfix/smtpd[{}]: ", self.rng.u16(1..));
        let message = match self.rng.u8(..12) {
            0 => b"connect from unknown[192.0.2.1]".to_vec(),
            1 => b"lost connection after AUTH \xff\xfe from unknown[192.0.2.1]".to_vec(),
            2 => b"A1: client=unknown[192.0.2.9], sasl_method=PLAIN, sasl_username=carol".to_vec(),
            3 => vec![b'x'; self.rng.usize(1..3000)],
            4 if self.rng.u8(..10) == 0 => vec![b'y'; 300_000],
            _ => {
                let user = format!("user{}", self.written.len());
                let message = format!(
                    "warning: unknown[203.0.113.{}]: SASL LOGIN authentication failed: \
                     (reason unavailable), sasl_username={user}",
                    self.written.len() % 256
                );
                self.written.push(user);
                message.into_bytes()
            }
        };
        let mut line = [head.as_bytes(), &message, b"\n"].concat();
        if self.rng.u8(..40) == 0 {
            // What a crash of the machine leaves before the next line.
            line.splice(0..0, vec![0; self.rng.usize(1..70_000)]);
        }
        line
    }

    fn write_half_a_line(&mut self) {
        self.finish_line();
        let line = self.line();
        let (now, later) = line.split_at(self.rng.usize(1..line.len()));
        self.diary.push(format!("write {} bytes of a line, {} to come", now.len(), later.len()));
        let log = self.log();
        append(&log, now);
        self.unfinished = Some((log, later.to_vec()));
    }

    /// The writer completes its line, in the file it has open, whatever that is called now.
    fn finish_line(&mut self) {
        if let Some((path, rest)) = self.unfinished.take() {
            append(&path, &rest);
        }
    }

    fn rotate(&mut self) {
        let log = self.log();
        if !log.exists() {
            return;
        }
        // A line torn by the truncation is lost by logrotate, not by us; and no writer keeps a file
        // open over two rotations.
        if self.copytruncate || self.unfinished.as_ref().is_some_and(|(open, _)| *open != log) {
            self.finish_line();
        }
        self.rotations += 1;
        self.diary.push(format!("rotate {}", self.rotations));
        let newest = match self.naming {
            Naming::Numbers => self.shift_numbers(),
            Naming::DateExt => self.path_of(&format!("mail.log-2026{:04}", self.rotations)),
        };
        if self.copytruncate {
            fs::copy(&log, &newest).unwrap();
            fs::File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
        } else {
            fs::rename(&log, &newest).unwrap();
            if self.rng.u8(..4) > 0 {
                fs::File::create(&log).unwrap();
            }
        }
        if let Some((path, _)) = &mut self.unfinished {
            newest.clone_into(path);
            if self.compress && !self.delaycompress {
                self.finish_line();
            }
        }
        if self.compress {
            self.compress_rotations(&newest);
        }
    }

    /// Renames `.1` to `.2` and so on; gives the name of the new `.1`.
    fn shift_numbers(&mut self) -> PathBuf {
        for number in (1..=self.rotations).rev() {
            for ending in ["", ".gz", ".bz2"] {
                let from = self.path_of(&format!("mail.log.{number}{ending}"));
                if from.exists() {
                    let to = self.path_of(&format!("mail.log.{}{ending}", number + 1));
                    fs::rename(&from, &to).unwrap();
                    if let Some((path, _)) = &mut self.unfinished
                        && *path == from
                    {
                        *path = to;
                    }
                }
            }
        }
        self.path_of("mail.log.1")
    }

    fn compress_rotations(&mut self, newest: &Path) {
        let mut plain: Vec<_> = fs::read_dir(self.folder.path().join("log"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                *path != self.log() && path.extension().is_none_or(|e| e != "gz" && e != "bz2")
            })
            .filter(|path| !self.delaycompress || path != newest)
            .collect();
        plain.sort();
        for path in plain {
            if self.unfinished.as_ref().is_some_and(|(open, _)| *open == path) {
                self.finish_line();
            }
            let bytes = fs::read(&path).unwrap();
            let (ending, packed) =
                if self.rng.u8(..4) == 0 { (".bz2", bzip2(&bytes)) } else { (".gz", gzip(&bytes)) };
            let target = PathBuf::from(format!("{}{ending}", path.display()));
            if self.rng.u8(..8) == 0 {
                // Our program comes along while the compressor is at work.
                fs::write(&target, &packed[..self.rng.usize(..packed.len())]).unwrap();
                self.diary.push("run beside a compressor".to_owned());
                self.run_to_its_end();
            }
            fs::write(&target, packed).unwrap();
            if self.rng.u8(..8) == 0 {
                self.run();
            }
            fs::remove_file(&path).unwrap();
        }
    }

    fn run(&mut self) {
        self.diary.push("run".to_owned());
        let summary = self.run_to_its_end();
        assert_eq!(summary.errors, [""; 0], "{}", self.story());
        let missing = summary.warnings.iter().find(|warning| warning.contains("missing"));
        assert_eq!(missing, None, "{}", self.story());
    }

    fn run_to_its_end(&self) -> pipeline::Summary {
        pipeline::run(&self.host, &self.config, &mut Unseen).unwrap()
    }

    /// The file's time changes and nothing else.
    fn touch(&mut self) {
        if let Ok(file) = fs::File::options().append(true).open(self.log()) {
            self.diary.push("touch".to_owned());
            file.set_modified(std::time::SystemTime::from(Timestamp::now())).unwrap();
        }
    }

    /// A copy of the log from before some lines takes its place; those lines were read.
    fn restore_a_copy(&mut self) {
        self.finish_line();
        let log = self.log();
        // An empty one would be a log that was emptied: that is said, for lines may be missing.
        let Some(copy) = fs::read(&log).ok().filter(|copy| !copy.is_empty()) else { return };
        self.write_lines();
        self.run();
        self.diary.push("restore a copy".to_owned());
        let other_file = self.folder.path().join("restored");
        fs::write(&other_file, copy).unwrap();
        if self.rng.bool() {
            fs::rename(&other_file, &log).unwrap();
        } else {
            fs::copy(&other_file, &log).unwrap();
        }
        self.restored = true;
        self.write_lines();
    }

    fn compare(&self) {
        let csv = fs::read_to_string(&self.config.paths.csv).unwrap();
        let users: Vec<_> = csv.lines().skip(1).map(|row| row.split(';').nth(3).unwrap()).collect();
        assert_eq!(users, self.written, "{}", self.story());
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }

    fn story(&self) -> String {
        format!(
            "ROTATION_SEED={} {:?} copytruncate {} compress {} delaycompress {}: {}",
            self.seed,
            self.naming,
            self.copytruncate,
            self.compress,
            self.delaycompress,
            self.diary.join(", ")
        )
    }
}

/// In memory where that can be had: a thousand histories are many small files.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || tempfile::Builder::new().prefix("rotation-").to_owned();
    builder().tempdir_in(memory).or_else(|_| builder().tempdir()).unwrap()
}

fn append(path: &Path, bytes: &[u8]) {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

struct Unseen;

impl Progress for Unseen {
    fn bytes(&mut self, _done: u64, _total: u64) {}

    fn names(&mut self, _addresses: usize) {}
}
