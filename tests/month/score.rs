//! Compares what was judged of a month with the truth.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io::Write;
use std::process::Command;

use rusqlite::Connection;

use crate::sim::{self, Deed, How, Size, Who};

/// What was right and wrong in one or many months.
#[derive(Default)]
pub(crate) struct Score {
    seed: u64,
    months: u64,
    accounts: u64,
    /// Pairs of failures of campaigns: in one by truth and by judgement, by judgement, by truth.
    pairs: (f64, f64, f64),
    /// Failures of own users, and those in a campaign that is shown.
    own: (u64, u64),
    /// Failures of campaigns, and those taken for own users'.
    attacks: (u64, u64),
    /// Thefts that can be seen, those found at all, found medium or high, high.
    thefts: [u64; 4],
    /// Findings about accounts that were not stolen: low, medium, high.
    false_findings: [u64; 3],
    /// Shown campaigns that hold a fifth of a second true one.
    merged: u64,
    notes: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, other: &Self) {
        self.months += other.months;
        self.accounts += other.accounts;
        self.pairs.0 += other.pairs.0;
        self.pairs.1 += other.pairs.1;
        self.pairs.2 += other.pairs.2;
        self.own.0 += other.own.0;
        self.own.1 += other.own.1;
        self.attacks.0 += other.attacks.0;
        self.attacks.1 += other.attacks.1;
        for (sum, other) in self.thefts.iter_mut().zip(other.thefts) {
            *sum += other;
        }
        for (sum, other) in self.false_findings.iter_mut().zip(other.false_findings) {
            *sum += other;
        }
        self.merged += other.merged;
    }

    /// The harmonic mean of precision and recall, by pairs.
    fn f1(&self) -> f64 {
        let (both, judged, true_) = self.pairs;
        2.0 * both / (judged + true_).max(1.0)
    }

    /// Whether a judgement in other runs came to the same: what is no theft may be noted earlier or later.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = (self.thefts, self.false_findings[2], self.merged);
        let near = (self.f1() - other.f1()).abs() < 0.005;
        same == (other.thefts, other.false_findings[2], other.merged) && near
    }

    /// What docs/detection.md promises of the first hundred months.
    pub(crate) fn check(&self) {
        let [all, found, ..] = self.thefts;
        assert!(found * 100 >= all * 99, "stolen accounts found: {found} of {all}");
        let high = self.false_findings[2];
        assert!(high * 10_000 <= self.accounts, "false alarms: {high}");
        assert!(self.f1() >= 0.95, "pairwise F1 of campaigns: {:.3}", self.f1());
        assert!(self.own.1 * 1000 <= self.own.0, "own users called attackers: {:?}", self.own);
        assert_eq!(self.merged, 0, "unrelated campaigns were merged");
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (both, judged, true_) = self.pairs;
        write!(
            f,
            "F1 {:.3} (precision {:.3}, recall {:.3}), merged {}; own {} wrong {}; attacks {} as own {}; \
             thefts {:?}; false {:?} of {} account-months",
            self.f1(),
            both / judged.max(1.0),
            both / true_.max(1.0),
            self.merged,
            self.own.0,
            self.own.1,
            self.attacks.0,
            self.attacks.1,
            self.thefts,
            self.false_findings,
            self.accounts,
        )?;
        for note in &self.notes {
            write!(f, "\n    {note}")?;
        }
        Ok(())
    }
}

/// A log in so many pieces of whole lines.
fn pieces(log: &[u8], count: usize) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = log;
    for left in (1..=count).rev() {
        let about = rest.len() / left;
        let end = rest[about..].iter().position(|byte| *byte == b'\n').map(|at| about + at + 1);
        let (piece, more) = rest.split_at(end.unwrap_or(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces
}

/// Judges the month of a seed by the program itself, in so many runs.
pub(crate) fn judge(seed: u64, accounts: usize, runs: usize) -> Score {
    let month = sim::month(seed, Size { accounts, days: 30 });
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("mail.log"), "").unwrap();
    fs::write(path("country.csv"), &month.countries).unwrap();
    fs::write(path("asn.csv"), &month.networks).unwrap();
    let program = std::env::var("MAILLOGSENTINEL")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_maillogsentinel").to_owned());
    let mut run = Command::new(program);
    for setting in [
        format!("paths.mail_log={}", path("mail.log")),
        format!("paths.working_dir={}", path("work")),
        format!("paths.state_dir={}", path("state")),
        format!("geolocation.country_db_path={}", path("country.csv")),
        format!("ASN_ASO.asn_db_path={}", path("asn.csv")),
        "general.log_file=".to_owned(),
        "detect.services=postfix, dovecot".to_owned(),
        "dns.enabled=false".to_owned(),
    ] {
        run.args(["--set", &setting]);
    }
    run.arg("-q").env("TZ", "UTC");
    let mut log = fs::OpenOptions::new().append(true).open(path("mail.log")).unwrap();
    for piece in pieces(month.log.as_ref(), runs) {
        log.write_all(piece).unwrap();
        let done = run.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let store = Connection::open(path("state/maillogsentinel.db")).unwrap();
    if let Ok(keep) = std::env::var("KEEP") {
        let _ = fs::create_dir_all(&keep);
        store.execute("VACUUM INTO ?", [format!("{keep}/{seed}.db")]).unwrap();
        fs::copy(path("mail.log"), format!("{keep}/{seed}.log")).unwrap();
    }
    let mut sum = Score { seed, months: 1, accounts: accounts as u64, ..Score::default() };
    campaigns(&mut sum, &store, &month);
    findings(&mut sum, &store, &month);
    sum
}

/// Where each failure was put: the campaign's number, whether it is shown; `None`: an own user's.
fn judged(store: &Connection) -> Vec<Option<(i64, bool)>> {
    let mut of_source = HashMap::new();
    let mut campaigns = BTreeMap::new();
    let mut statement = store.prepare("SELECT id, joined, number FROM campaigns").unwrap();
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    for row in rows {
        let (id, it): (i64, (Option<i64>, Option<i64>)) = row.unwrap();
        campaigns.insert(id, it);
    }
    let mut statement = store.prepare("SELECT address, campaign FROM sources").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for row in rows {
        let (address, mut id): (Vec<u8>, i64) = row.unwrap();
        while let Some((Some(joined), _)) = campaigns.get(&id) {
            id = *joined;
        }
        of_source.insert(address, (id, campaigns[&id].1.is_some()));
    }
    let sql = "SELECT address, id IN (SELECT failure FROM own_failure) OR EXISTS (SELECT 1 FROM pardon \
        WHERE pardon.address = CASE length(failure.address) WHEN 16 \
            THEN CAST(substr(failure.address, 1, 8) || zeroblob(8) AS BLOB) ELSE failure.address END \
        AND time BETWEEN pardon.first AND pardon.last) FROM failure ORDER BY id";
    let mut statement = store.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))).unwrap();
    let judged = rows.map(|row| {
        let (mut address, own): (Vec<u8>, bool) = row.unwrap();
        if address.len() == 16 {
            address[8..].fill(0);
        }
        (!own).then(|| of_source[&address])
    });
    judged.collect()
}

fn campaigns(score: &mut Score, store: &Connection, month: &sim::Month) {
    let judged = judged(store);
    let truth = &month.truth;
    assert_eq!(judged.len(), truth.failures.len(), "each failed attempt is recorded once");
    if let Ok(keep) = std::env::var("KEEP") {
        let rows = truth.failures.iter().zip(&judged).enumerate();
        let rows: String =
            rows.map(|(at, it)| format!("{} {:?} {:?}\n", at + 1, it.0.who, it.1)).collect();
        fs::write(format!("{keep}/{}.truth", score.seed), rows).unwrap();
    }
    let mut cells = BTreeMap::<(u32, i64), f64>::new();
    let (mut true_, mut found) = (BTreeMap::<u32, f64>::new(), BTreeMap::<i64, f64>::new());
    let mut wrong_own = HashMap::<usize, u64>::new();
    for (at, (failed, judged)) in truth.failures.iter().zip(&judged).enumerate() {
        match (failed.who, judged) {
            (Who::Own { account }, judged) => {
                score.own.0 += 1;
                if judged.is_some_and(|(_, shown)| shown) {
                    score.own.1 += 1;
                    *wrong_own.entry(account).or_default() += 1;
                }
            }
            (Who::Campaign(id), judged) => {
                score.attacks.0 += 1;
                score.attacks.1 += u64::from(judged.is_none());
                // What is in no campaign is alone.
                let place = judged.filter(|(_, shown)| *shown).map_or(-1 - at as i64, |(id, _)| id);
                *cells.entry((id, place)).or_default() += 1.0;
                *true_.entry(id).or_default() += 1.0;
                *found.entry(place).or_default() += 1.0;
            }
            (Who::Noise, _) => {}
        }
    }
    let pairs = |n: &f64| n * (n - 1.0) / 2.0;
    score.pairs.0 += cells.values().map(pairs).sum::<f64>();
    score.pairs.1 += found.values().map(pairs).sum::<f64>();
    score.pairs.2 += true_.values().map(pairs).sum::<f64>();
    for place in found.keys() {
        let inside: Vec<_> = cells.iter().filter(|((_, it), _)| it == place).collect();
        let largest = inside.iter().map(|(_, n)| **n).fold(0.0, f64::max);
        for ((id, _), n) in inside {
            if *n < largest && *n >= 10.0 && *n * 5.0 >= true_[id] {
                score.merged += 1;
                score.notes.push(format!(
                    "merged: {n} of true campaign {id} ({:?}) into {place}",
                    kind(month, *id)
                ));
            }
        }
    }
    for (id, all) in &true_ {
        let best =
            cells.iter().filter(|((it, _), _)| it == id).map(|(_, n)| *n).fold(0.0, f64::max);
        if best < all * 0.9 && *all > 30.0 {
            let parts = cells.iter().filter(|((it, _), _)| it == id).count();
            score.notes.push(format!(
                "split: {all} of campaign {id} ({:?}), most {best}, in {parts} parts",
                kind(month, *id)
            ));
        }
    }
    for (account, wrong) in wrong_own {
        score.notes.push(format!("own called attack: {} {wrong}", truth.accounts[account]));
    }
}

fn kind(month: &sim::Month, id: u32) -> sim::Kind {
    month.truth.campaigns.iter().find(|it| it.id == id).unwrap().kind
}

fn findings(score: &mut Score, store: &Connection, month: &sim::Month) {
    let sql = "SELECT account, max(severity), group_concat(DISTINCT kind) FROM finding \
        JOIN sign ON finding.id = finding GROUP BY account";
    let mut statement = store.prepare(sql).unwrap();
    let rows = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        })
        .unwrap();
    let found: HashMap<_, _> = rows.map(|row| row.map(|(a, s, k)| (a, (s, k))).unwrap()).collect();
    let stolen: HashSet<_> =
        month.truth.thefts.iter().map(|it| it.account.to_lowercase()).collect();
    for theft in &month.truth.thefts {
        let severity = found.get(&theft.account).map_or(0, |it| it.0);
        score.thefts[0] += 1;
        for (least, count) in score.thefts[1..].iter_mut().enumerate() {
            *count += u64::from(severity > least as i64);
        }
        if severity < 3 {
            score.notes.push(format!(
                "theft {} {:?} {:?}: severity {severity}, {} messages, {} addresses, {:?}",
                theft.account,
                theft.how,
                theft.deed,
                theft.messages,
                theft.addresses.len(),
                found.get(&theft.account)
            ));
        }
    }
    for (account, (severity, kinds)) in &found {
        if !stolen.contains(&account.to_lowercase()) {
            score.false_findings[usize::try_from(*severity - 1).unwrap()] += 1;
            if *severity == 3 {
                score.notes.push(format!("false alarm {account}: {kinds}"));
            }
        }
    }
    let _ = (Deed::Read, How::Bought);
}
