//! Records failed logins as they are logged: pass after pass, each when something woke it.
//!
//! Between passes nothing is held and nothing runs: one `poll` waits for signals, for the logs, and for
//! whoever reads what is printed. A pass comes at once after a quiet time, and [`REST`] after the one
//! before while a log is busy, so that many lines share the cost of a pass, its fsyncs above all.

mod ecs;
mod journals;
mod alerts;
mod daily;
mod late;
mod line;
mod output;
mod signals;
mod systemd;

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::args::Args;
use super::extract;
use super::progress::Bar;
use crate::config::{self, Config, MailLog, Note};
use crate::exit::Status;
use crate::host::Host;
use crate::pipeline::live::{Live, PUT_OFF, Pass};
use crate::pipeline::{Progress, RunError};
use crate::source::watch::Watch;
use crate::store::{FILE_NAME, Store, StoreError};

use alerts::Alerts;
use daily::Daily;
use journals::Journals;
use late::Late;
use output::Output;
use signals::Signals;
use systemd::Systemd;

/// From the start of a pass to the next one, at least.
const REST: Duration = Duration::from_millis(250);
/// From the end of a pass to the next one, at least: other runs get the lock then.
const GAP: Duration = Duration::from_millis(50);
/// So often it is looked anyway: file systems of other machines tell nothing.
const MINUTE: Duration = Duration::from_secs(60);
/// So often where it is not told what happens to a log.
const BLIND: Duration = Duration::from_secs(1);
/// How soon another run may be done.
const LOCKED: Duration = Duration::from_millis(100);
/// How soon a pass that failed is tried again, at first; then it takes longer and longer.
const TROUBLE: Duration = Duration::from_secs(1);

pub(super) fn run(host: &Host, args: &Args, (config, odd): (&Config, &[Note])) -> Status {
    let log_failed = extract::start_log(host, args, config, &Bar::new(false));
    extract::greet(odd);
    let status = Follower::new(host, args, config).map_or_else(|status| status, Follower::follow);
    log::info!("=== End of MailLogSentinel execution ===");
    let log_failed = log_failed.load(Ordering::Relaxed);
    if log_failed && status == Status::Done { Status::Failed } else { status }
}

/// All that lives as long as the process.
struct Follower<'a> {
    host: &'a Host,
    args: &'a Args,
    config: Config,
    live: Live,
    watch: Watch,
    journals: Journals,
    /// Whether not all that happens to the logs is told.
    blind: bool,
    signals: Signals,
    systemd: Systemd,
    /// `None`: nothing is to be printed.
    output: Option<Output>,
    /// There is more to print than was handed out.
    more: bool,
    late: Late,
    alerts: Alerts,
    daily: Daily,
    /// After a pass that failed: how long the next one waits.
    trouble: Option<Duration>,
    recorded: u64,
}

/// When to go on.
struct Next {
    /// From when on at news of a log.
    rest: Instant,
    /// At last.
    at: Instant,
}

impl Next {
    /// Whatever news come.
    fn only_at(at: Instant) -> Self {
        Self { rest: at, at }
    }
}

impl<'a> Follower<'a> {
    fn new(host: &'a Host, args: &'a Args, config: &Config) -> Result<Self, Status> {
        if let Some(mistake) = not_to_follow(config) {
            log::error!("{mistake}");
            return Err(Status::BadConfig);
        }
        let failed = |what: String| {
            log::error!("{what}");
            Status::Failed
        };
        let watch = Watch::new().map_err(|error| {
            let hint = "see fs.inotify.max_user_instances in inotify(7)";
            failed(format!("cannot watch files: {}\n  hint: {hint}", io::Error::from(error)))
        })?;
        let signals = Signals::new();
        // From here on a signal ends it in order.
        let signals = signals.map_err(|it| failed(format!("cannot wait for signals: {it}")))?;
        host.dies_at_once.store(false, Ordering::Relaxed);
        // Who asks for JSON wants the events, however little he wants to be told.
        let output =
            (args.json || args.quiet == 0).then(|| Output::new(args.json, host.zone.clone()));
        Ok(Self {
            host,
            args,
            config: config.clone(),
            live: Live::new(output.is_some()),
            watch,
            journals: Journals::default(),
            blind: false,
            signals,
            systemd: Systemd::new(host),
            output,
            more: false,
            late: Late::default(),
            alerts: Alerts::default(),
            daily: Daily::default(),
            trouble: None,
            recorded: 0,
        })
    }

    fn follow(mut self) -> Status {
        self.arm();
        self.systemd.say("READY=1\nSTATUS=Reading what is new");
        let state_dir = &self.config.paths.state_dir;
        if state_dir.join(FILE_NAME).exists() {
            // That of an earlier version is brought up to date at once, which takes minutes if it is
            // large. What is wrong with it, the first pass tells.
            self.systemd.patiently(|| drop(Store::open(state_dir)));
        }
        let status = loop {
            let next = self.pass();
            match self.wait(&next) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break Status::Done,
                Err(error) => {
                    log::error!("cannot write to standard output: {error}");
                    break Status::Failed;
                }
                Ok(()) if self.host.stopping() => {
                    self.systemd.say("STOPPING=1");
                    self.live.settle(self.host, &self.config, &mut Pulse(&mut self.systemd));
                    break Status::Done;
                }
                Ok(()) if self.signals.reload() => self.reload(),
                Ok(()) => {}
            }
            self.arm();
        };
        self.host.stop.store(true, Ordering::Relaxed);
        self.alerts.end();
        self.alerts.told().iter().for_each(|error| log::error!("{error}"));
        status
    }

    /// Watches the logs as they are now.
    fn arm(&mut self) {
        let mut blind = !self.journals.arm(&self.config);
        for log in self.config.paths.mail_logs.iter().filter_map(MailLog::file) {
            if let Err(error) = self.watch.arm(log) {
                blind = true;
                let log = super::shown(log);
                let error = io::Error::from(error);
                let text = format!(
                    "the kernel does not tell what happens to {log} ({error}): it is looked at each \
                     second\n  hint: see fs.inotify.max_user_watches in inotify(7), and who may read \
                     its folder"
                );
                if self.live.told.is_news(&text) {
                    log::warn!("{text}");
                }
            }
        }
        self.blind = blind;
    }

    /// Does a pass; tells when the next one is due.
    fn pass(&mut self) -> Next {
        let began = Instant::now();
        let room = self.output.as_ref().is_some_and(Output::is_empty);
        let machine = (self.host, &self.config);
        let done = self.live.pass(machine, &mut Pulse(&mut self.systemd), room);
        self.alerts.told().iter().for_each(|error| log::error!("{error}"));
        for warning in self.late.told() {
            // How many names were late differs each time.
            if self.live.told.is_news("names were late") {
                log::warn!("{warning}");
            }
        }
        match done {
            Ok(pass) => self.passed(pass, (began + REST).max(Instant::now() + GAP)),
            Err(RunError::Store(StoreError::Locked { .. })) => {
                Next::only_at(Instant::now() + LOCKED)
            }
            Err(error) => {
                let text = extract::in_full(&error);
                if self.live.told.is_news(&text) {
                    log::error!("{text}");
                }
                self.live.told.wrong_now(vec![text]);
                let wait = self.trouble.map_or(TROUBLE, |wait| (wait * 2).min(MINUTE));
                self.trouble = Some(wait);
                self.systemd.say(&format!("STATUS=In trouble: {error}"));
                Next::only_at(Instant::now() + wait)
            }
        }
    }

    fn passed(&mut self, pass: Pass, rest: Instant) -> Next {
        let Pass { summary, events, more } = pass;
        let recovered = self.trouble.take().is_some();
        if recovered {
            log::info!("Works again; failed logins recorded: {}", summary.failures);
        }
        self.recorded += summary.failures;
        self.systemd.say(&match summary.errors.first() {
            Some(error) => format!("STATUS=In trouble: {error}"),
            None => format!("STATUS=Following; failed logins recorded: {}", self.recorded),
        });
        self.live.told.wrong_now(summary.errors);
        self.more = more;
        if let Some(output) = &mut self.output {
            output.add(&events);
        }
        self.late.go_on(summary.names_late > 0, self.host, &self.config);
        // What a pass recorded that failed afterwards was judged by this one.
        let news = summary.failures + summary.logins > 0 || recovered;
        self.alerts.go_on(news, self.host, &self.config);
        self.daily.go_on(!summary.put_off, self.host, &self.config);
        let at = match (summary.moved, self.blind) {
            (true, _) => rest,
            (_, true) => rest + BLIND,
            // A login may be a thief's.
            _ if summary.put_off => rest + PUT_OFF,
            _ => rest + MINUTE,
        };
        Next { rest, at }
    }

    /// Waits for what is next, and prints meanwhile what there is to print. An error is one of
    /// printing.
    fn wait(&mut self, next: &Next) -> io::Result<()> {
        loop {
            let now = Instant::now();
            let or_news = now >= next.rest;
            let more = or_news && self.more && self.output.as_ref().is_some_and(Output::is_empty);
            if self.host.stopping() || self.signals.is_reload() || now >= next.at || more {
                return Ok(());
            }
            let until = if or_news { next.at } else { next.rest };
            let until = self.systemd.alive(now).map_or(until, |due| due.min(until));
            if self.poll(until.saturating_duration_since(now), or_news)? {
                return Ok(());
            }
        }
    }

    /// Waits for anything to happen; whether a log may have news.
    fn poll(&mut self, time: Duration, or_news: bool) -> io::Result<bool> {
        let stdout = io::stdout();
        let mut watched = vec![PollFd::new(&self.signals, PollFlags::IN)];
        // Without anything to write, it is still told when nobody reads any more.
        let writes = self.output.as_ref().is_some_and(|output| !output.is_empty());
        let flags = if writes { PollFlags::OUT } else { PollFlags::empty() };
        watched.extend(self.output.as_ref().map(|_| PollFd::new(&stdout, flags)));
        let news_at = watched.len();
        if or_news {
            let journals = self.journals.watched().into_iter();
            let news = std::iter::once(self.watch.as_fd()).chain(journals);
            watched.extend(news.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)));
        }
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        match poll(&mut watched, Some(&time)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let happened: Vec<_> = watched.iter().map(PollFd::revents).collect();
        let (others, news) = happened.split_at(news_at);
        if others.first().is_some_and(|signals| !signals.is_empty()) {
            self.signals.take();
        }
        if let (Some(output), Some(readers)) = (&mut self.output, others.get(1)) {
            if readers.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
                return Err(ErrorKind::BrokenPipe.into());
            }
            if readers.contains(PollFlags::OUT) {
                output.write_some()?;
            }
        }
        let news: Vec<_> = news.iter().map(|flags| !flags.is_empty()).collect();
        let Some((files, journals)) = news.split_first() else { return Ok(false) };
        self.journals.heard(journals);
        Ok(*files && self.watch.heard() || journals.contains(&true))
    }

    /// Reads the configuration again; one with mistakes is not taken.
    fn reload(&mut self) {
        let (loaded, odd) = config::load(self.args.config.as_deref(), &self.args.set);
        for note in &odd {
            log::warn!("{note}");
        }
        let mistakes = match loaded {
            Ok(config) => match not_to_follow(&config) {
                None => {
                    let mut pulse = Pulse(&mut self.systemd);
                    self.live.settle(self.host, &self.config, &mut pulse);
                    if config.paths.state_dir != self.config.paths.state_dir {
                        self.live.start_over();
                    }
                    self.config = config;
                    return log::info!("The configuration was read again");
                }
                Some(mistake) => vec![mistake.to_owned()],
            },
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        };
        for mistake in &mistakes {
            log::error!("{mistake}");
        }
        log::error!("the configuration was not read again: what it was before still holds");
    }
}

/// Why the logs of a configuration cannot be followed.
fn not_to_follow(config: &Config) -> Option<&'static str> {
    config.paths.mail_logs.contains(&MailLog::Stdin).then_some(
        "standard input cannot be followed\n  hint: set `mail_log` in section [paths] to a file",
    )
}

/// Tells systemd during a long pass that all is well.
struct Pulse<'s>(&'s mut Systemd);

impl Progress for Pulse<'_> {
    fn bytes(&mut self, _: u64, _: u64) {
        self.0.alive(Instant::now());
    }

    fn names(&mut self, _: usize) {}
}
