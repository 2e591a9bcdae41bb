//! `doctor`: checks everything, and says what is wrong and how to mend it.
//!
//! Root knows what is wrong for everybody but not what another user may do. So root reads modes and the
//! configuration, and a child process that has become the user of the runs does the rest.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::args::{self, Args};
use super::service_user;
use crate::account::Account;
use crate::config::{self, Config};
use crate::doctor::{CALLERS, Finding, Level, RUNS, Scene, check, configuration};
use crate::exit::Status;
use crate::host::Host;
use crate::programs;
use crate::untrusted::for_terminal;

/// How long the child may take: somewhat longer than its checks.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) fn run(host: &Host, args: &Args, doctor: &args::Doctor) -> Status {
    if doctor.as_service_user {
        return as_service_user(host, args, doctor);
    }
    let mut teller = Teller::new(args, doctor);
    let told = examine(host, args, doctor, &mut |finding| teller.tell(&finding));
    match told.and_then(|()| teller.end()) {
        Ok(status) => status,
        // `doctor | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Status::Done,
        Err(error) => super::fail(&format!("cannot write: {error}"), None),
    }
}

type Tell<'a> = dyn FnMut(Finding) -> io::Result<()> + 'a;

fn examine(host: &Host, args: &Args, doctor: &args::Doctor, tell: &mut Tell<'_>) -> io::Result<()> {
    let (loaded, warnings) = config::load(args.config.as_deref(), &args.set);
    let mistakes = loaded.as_ref().err().map(Vec::as_slice).unwrap_or_default();
    let path = config::path(args.config.as_deref());
    configuration::read(path.as_deref(), mistakes, &warnings)
        .into_iter()
        .try_for_each(&mut *tell)?;
    let Ok(config) = loaded else { return Ok(()) };
    let account = service_user::whom(&config);
    let findings = configuration::who(&config, account.as_ref());
    findings.into_iter().try_for_each(&mut *tell)?;
    let account = account.ok().flatten();
    let scene = scene(host, args, doctor, (config, account.as_ref()));
    examine_here(&scene, &CALLERS, tell)?;
    match account.filter(|_| rustix::process::geteuid().is_root()) {
        None => examine_here(&scene, &RUNS, tell),
        Some(account) => examine_as(&account, args, doctor, tell),
    }
}

fn scene(
    host: &Host,
    args: &Args,
    doctor: &args::Doctor,
    (config, account): (Config, Option<&Account>),
) -> Arc<Scene> {
    Arc::new(Scene {
        host: host.clone(),
        config,
        config_file: config::path(args.config.as_deref()),
        runs_as: account.map(|account| account.user),
        send_test: doctor.send_test,
    })
}

fn examine_here(
    scene: &Arc<Scene>,
    checks: &[(&'static str, crate::doctor::Check)],
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    let mut told = Ok(());
    check(scene, checks, &mut |finding| {
        if told.is_ok() {
            told = tell(finding);
        }
    });
    told
}

/// Does the checks of runs in a child process that is their user.
fn examine_as(
    account: &Account,
    args: &Args,
    doctor: &args::Doctor,
    tell: &mut Tell<'_>,
) -> io::Result<()> {
    // Not by its path: what is there may be another version by now.
    let mut child = Command::new("/proc/self/exe");
    if let Some(file) = &args.config {
        child.arg("--config").arg(file);
    }
    for setting in &args.set {
        child.arg("--set").arg(setting);
    }
    child.args(["doctor", "--as-service-user"]);
    if doctor.send_test {
        child.arg("--send-test");
    }
    let failed = |why: String| Finding {
        level: Level::Error,
        about: "runs".to_owned(),
        what: format!("nothing else could be checked as user {}: {why}", account.name),
        cure: Some(format!("sudo -u {} maillogsentinel doctor", account.name)),
    };
    match programs::run(child, PATIENCE) {
        Err(error) => tell(failed(error.to_string())),
        Ok(answer) => {
            let findings = answer.output.lines().filter_map(|line| serde_json::from_str(line).ok());
            let findings: Vec<Finding> = findings.collect();
            let done = answer.status == Some(0) && !findings.is_empty();
            // The child is another user's: nothing that it says is trusted.
            findings.into_iter().map(harmless).try_for_each(&mut *tell)?;
            if done { Ok(()) } else { tell(failed("the check ended early".to_owned())) }
        }
    }
}

fn harmless(finding: Finding) -> Finding {
    let clean = |text: String| for_terminal(text.as_bytes()).into_owned();
    Finding {
        about: clean(finding.about),
        what: clean(finding.what),
        cure: finding.cure.map(clean),
        ..finding
    }
}

/// The child: becomes the user of the runs, and prints one finding on each line.
fn as_service_user(host: &Host, args: &Args, doctor: &args::Doctor) -> Status {
    let (loaded, _) = config::load(args.config.as_deref(), &args.set);
    let Ok(config) = loaded else { return Status::BadConfig };
    if let Err(status) = service_user::become_it(&config) {
        return status;
    }
    let scene = scene(host, args, doctor, (config, None));
    let mut out = io::stdout();
    let told = examine_here(&scene, &RUNS, &mut |finding| {
        writeln!(out, "{}", serde_json::to_string(&finding)?)
    });
    if told.is_ok() { Status::Done } else { Status::Failed }
}

/// Prints findings, and keeps count.
struct Teller<W: Write> {
    out: W,
    json: bool,
    quiet: bool,
    marks: bool,
    /// How many were printed, and how many there are of each level.
    printed: u64,
    counts: [u64; 4],
}

impl Teller<BufWriter<anstream::AutoStream<io::StdoutLock<'static>>>> {
    fn new(args: &Args, doctor: &args::Doctor) -> Self {
        Self {
            out: BufWriter::new(anstream::stdout().lock()),
            json: doctor.json,
            quiet: args.quiet > 0,
            marks: io::stdout().is_terminal(),
            printed: 0,
            counts: [0; 4],
        }
    }
}

impl<W: Write> Teller<W> {
    fn tell(&mut self, finding: &Finding) -> io::Result<()> {
        if let Some(count) = self.counts.get_mut(finding.level as usize) {
            *count += 1;
        }
        if self.quiet && finding.level < Level::Warning {
            return Ok(());
        }
        self.printed += 1;
        if self.json {
            let start = if self.printed == 1 { "[\n" } else { ",\n" };
            return write!(self.out, "{start}  {}", serde_json::to_string(finding)?);
        }
        let (color, mark, word) = match finding.level {
            Level::Ok => (AnsiColor::Green, "✓", "ok"),
            Level::Unknown => (AnsiColor::Cyan, "?", "unknown"),
            Level::Warning => (AnsiColor::Yellow, "!", "warning"),
            Level::Error => (AnsiColor::Red, "✗", "error"),
        };
        let style = Style::new().bold().fg_color(Some(color.into()));
        let mark = if self.marks { format!("{mark} ") } else { String::new() };
        let Finding { about, what, cure, .. } = finding;
        writeln!(self.out, "{style}{mark}{word:7}{style:#} {about}: {what}")?;
        if let Some(cure) = cure {
            writeln!(self.out, "  hint: {cure}")?;
        }
        // The next check may take a while.
        self.out.flush()
    }

    fn end(&mut self) -> io::Result<Status> {
        let [fine, unknown, warnings, errors] = self.counts;
        if self.json {
            writeln!(self.out, "{}", if self.printed == 0 { "[]" } else { "\n]" })?;
        } else if !self.quiet {
            let count = |n: u64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
            writeln!(
                self.out,
                "{}, {}; {fine} fine, {unknown} that cannot be told here",
                count(errors, "error"),
                count(warnings, "warning")
            )?;
        }
        self.out.flush()?;
        // Of this command the statuses mean how bad it is.
        Ok(match (errors, warnings) {
            (1.., _) => Status::Usage,
            (0, 1..) => Status::Failed,
            (0, 0) => Status::Done,
        })
    }
}
