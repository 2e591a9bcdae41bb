//! Whole months of a made-up mail server, judged: what is found, and what is called by a wrong name.
//!
//! `sim/` makes the log and the truth, and knows nothing of the judge. `MONTHS=100..200` tries other seeds
//! than the first hundred; each prints its figures. `RUNS=720` reads each month in that many runs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::similar_names,
    clippy::cast_possible_wrap,
    clippy::format_collect,
    reason = "a test should stop at the first surprise"
)]

mod score;
#[allow(warnings, clippy::all, clippy::pedantic, reason = "handed over as it is")]
mod sim;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use score::{Score, judge};

/// The accounts of a server.
const ACCOUNTS: usize = 150;

fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("MONTHS").unwrap_or_else(|_| "100".to_owned());
    match wanted.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => 0..wanted.parse().unwrap(),
    }
}

/// Judges all months, as many at a time as there are processors.
fn all() -> Score {
    let seeds = seeds();
    let runs = std::env::var("RUNS").map_or(1, |runs| runs.parse().unwrap());
    let (next, sum) = (AtomicU64::new(seeds.start), Mutex::new(Score::default()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let score = judge(seed, ACCOUNTS, runs);
                    println!("seed {seed}: {score}");
                    sum.lock().unwrap().add(&score);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

#[test]
fn many_runs_judge_as_one_does() {
    for seed in 0..2 {
        let (once, often) = (judge(seed, ACCOUNTS, 1), judge(seed, ACCOUNTS, 60));
        assert!(once.is_like(&often), "one run: {once}\nmany: {often}");
    }
}

#[test]
fn months_are_judged_right() {
    let sum = all();
    println!("all: {sum}");
    // Of others, docs/detection.md tells what they gave.
    if std::env::var("MONTHS").is_err() {
        sum.check();
    }
}
