//! Random months of an administrator's acts on a CSV between exports: no row is lost, and none comes twice.
//!
//! Rows come in bursts, many of them equal; the CSV is rotated in every way that logrotate knows, rotations are
//! compressed and copied, and at times there is no row, no header or no file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use fastrand::Rng;

use crate::sentinel::{HEADER, Ran, Sentinel};

const NAME: &str = "maillogsentinel.csv";

struct History {
    scene: Sentinel,
    random: Rng,
    minute: u32,
    /// How often each user was written.
    written: BTreeMap<String, u64>,
    /// What was done, for whoever has to understand a failure.
    acts: Vec<u8>,
}

impl History {
    fn new(seed: u64) -> Self {
        let scene = Sentinel::default();
        let setting = format!("database.db_path={}", scene.path("events.sqlite").display());
        let (scene, random) = (scene.set(setting), Rng::with_seed(seed));
        fs::create_dir(scene.path("work")).unwrap();
        Self { scene, random, minute: 0, written: BTreeMap::new(), acts: Vec::new() }
    }

    fn csv(&self) -> PathBuf {
        self.scene.path("work").join(NAME)
    }

    fn rotation(&self, number: u32, end: &str) -> PathBuf {
        self.scene.path("work").join(format!("{NAME}.{number}{end}"))
    }

    fn append(&mut self) {
        let count = self.random.choice([1, 2, 5, 60, 200]).unwrap();
        let is_empty = fs::metadata(self.csv()).map_or(true, |meta| meta.len() == 0);
        let mut text = if is_empty { HEADER.to_owned() } else { String::new() };
        for _ in 0..count {
            self.minute += u32::from(self.random.u8(..) < 100);
            let (day, hour, minute) =
                (self.minute / 1440 + 1, self.minute / 60 % 24, self.minute % 60);
            let user = format!("user{}-{}", self.random.u8(..3), self.minute);
            let date = format!("2026-11-{day:02} {hour:02}:{minute:02}");
            text += &["mx1", &date, "203.0.113.9", &user, "null;Errno 1;CN;4837;x\n"].join(";");
            *self.written.entry(user).or_default() += 1;
        }
        self.scene.append(&format!("work/{NAME}"), text);
    }

    fn rotate(&mut self) {
        if !self.csv().exists() {
            return;
        }
        // Files are told by their content: one that begins anew in the same minute with the very rows of
        // the one before is that one, as the README says.
        self.minute += 1;
        for (number, end) in (1..60).rev().flat_map(|number| [(number, ""), (number, ".gz")]) {
            let _ = fs::rename(self.rotation(number, end), self.rotation(number + 1, end));
        }
        let first = self.rotation(1, "");
        match self.random.u8(..3) {
            0 => {
                fs::copy(self.csv(), &first).unwrap();
                self.scene.write(&format!("work/{NAME}"), "");
            }
            1 => fs::rename(self.csv(), &first).unwrap(),
            _ => {
                fs::rename(self.csv(), &first).unwrap();
                let start = self.random.choice(["", HEADER]).unwrap();
                self.scene.write(&format!("work/{NAME}"), start);
            }
        }
        if self.random.bool() {
            let number = 1 + self.random.u32(..2);
            let rotation = self.rotation(number, "");
            let _ = Command::new("gzip").arg("-q").arg(rotation).status();
        }
    }

    /// A copy that an administrator leaves beside it, as if it were a rotation.
    fn copy(&mut self) {
        let number = self.random.choice([0, 80, 99]).unwrap();
        let _ = fs::copy(self.csv(), self.rotation(number, ""));
    }

    fn run(&self, action: &str) {
        let ran = Ran::of(&mut self.scene.command(&[action]));
        // Without a CSV there is nothing to export yet.
        if ran.stderr.contains("run maillogsentinel first") {
            return;
        }
        let ran = ran.exits(0);
        assert!(!ran.stderr.contains(" WARNING "), "{}", ran.stderr);
    }

    fn imported(&self) -> BTreeMap<String, u64> {
        let database = rusqlite::Connection::open(self.scene.path("events.sqlite")).unwrap();
        let sql = "SELECT username, count(*) FROM maillogsentinel_events GROUP BY username";
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

#[test]
fn whatever_is_done_to_the_csv_each_row_is_exported_once() {
    for seed in 0..40 {
        let mut history = History::new(seed);
        for _ in 0..25 {
            let act = history.random.u8(..10);
            history.acts.push(act);
            match act {
                0..=3 => history.append(),
                4 | 5 => history.run("--sql-export"),
                6..=8 => history.rotate(),
                _ => history.copy(),
            }
        }
        history.append();
        history.run("--sql-export");
        history.run("--sql-import");
        let (imported, written) = (history.imported(), &history.written);
        let times = |of: &BTreeMap<String, u64>, user: &str| of.get(user).copied().unwrap_or(0);
        let wrong = written.keys().filter(|user| times(&imported, user) != times(written, user));
        let wrong: Vec<_> = wrong
            .map(|user| format!("{user}: {} of {}", times(&imported, user), times(written, user)))
            .collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?} after {:?}", history.acts);
    }
}
