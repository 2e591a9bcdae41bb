//! `explain`: what each line of a log was taken for, and why.
//!
//! It asks the same parser as the main job, and points at the columns that it read. Columns count
//! bytes from 1, as `cut -b` does.

use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::args;
use crate::event::Findings;
use crate::exit::Status;
use crate::host::Host;
use crate::parse::container;
use crate::parse::names::Names;
use crate::parse::postfix::{Attempt, Message};
use crate::parse::rule::{Rule, Verdict};
use crate::parse::syslog::{Header, Layout};
use crate::parse::time::YEARS;
use crate::parse::time::{Chronology, Stamp};
use crate::parse::{
    Outage, Reading, Scanner, Stop, looks_like_login, read, unpacked, without_password,
};
use crate::source::block::{Blocks, Edges, LastLine};
use crate::source::{compressed, file};
use crate::untrusted::for_terminal;

const BAD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const GOOD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const ODD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const DIM: Style = Style::new().dimmed();

/// How much of a field or line is shown.
const SHOWN_BYTES: usize = 200;

pub(super) fn run(host: &Host, args: &args::Explain) -> Status {
    let mut out = BufWriter::new(anstream::stdout().lock());
    let done = if args.rules { rules(&mut out) } else { explain(host, args, &mut out) };
    match done.and_then(|status| out.flush().map(|()| status)) {
        Ok(status) => status,
        // `explain … | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Status::Done,
        Err(error) => super::fail(&format!("cannot write: {error}"), None),
    }
}

fn rules(out: &mut impl Write) -> io::Result<Status> {
    for rule in Rule::ALL {
        let (style, verdict) = shown(rule.verdict());
        writeln!(out, "{style}{verdict:9}{style:#} {}: {}", rule.name(), rule.reason())?;
        for line in rule.example().lines() {
            writeln!(out, "          {DIM}{line}{DIM:#}")?;
        }
    }
    Ok(Status::Done)
}

fn explain(host: &Host, args: &args::Explain, out: &mut impl Write) -> io::Result<Status> {
    let stdin = ["-".to_owned()];
    let what = if args.what.is_empty() { &stdin[..] } else { &args.what };
    let mut status = Status::Done;
    for what in what {
        let mut explainer =
            Explainer { host, missed_only: args.missed, ..Explainer::new(host, what) };
        let done = if what == "-" {
            if io::stdin().is_terminal() {
                writeln!(io::stderr(), "Reading log lines from standard input; end with Ctrl-D.")?;
            }
            explainer.stream(Box::new(io::stdin()), out)
        } else if Path::new(what).exists() || !what.contains(' ') {
            explainer.file(Path::new(what), out)
        } else {
            for line in what.lines() {
                explainer.line(line.as_bytes(), out)?;
            }
            Ok(())
        };
        match done {
            Ok(()) => explainer.sum_up(out)?,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(error),
            Err(error) => {
                out.flush()?;
                let hint = (error.kind() == io::ErrorKind::PermissionDenied)
                    .then(|| file::permission_hint(Path::new(what)));
                let name = for_terminal(what.as_bytes());
                status = super::fail(&format!("cannot read {name}: {error}"), hint.as_deref());
            }
        }
    }
    Ok(status)
}

/// Explains the lines of one log.
struct Explainer<'a> {
    host: &'a Host,
    name: &'a str,
    missed_only: bool,
    times: Chronology,
    outage: Outage,
    names: Names,
    lines: u64,
    failures: u64,
    failure_lines: u64,
    logins: u64,
    puzzles: u64,
    is_split: bool,
}

impl<'a> Explainer<'a> {
    fn new(host: &'a Host, name: &'a str) -> Self {
        let times = Chronology::new(host.zone.clone(), (host.now)(), None, 0);
        let name = if name.contains(' ') && !Path::new(name).exists() { "" } else { name };
        let (missed_only, outage) = (false, Outage::default());
        Self {
            host,
            name,
            missed_only,
            times,
            outage,
            names: Names::default(),
            lines: 0,
            failures: 0,
            failure_lines: 0,
            logins: 0,
            puzzles: 0,
            is_split: false,
        }
    }

    fn file(&mut self, path: &Path, out: &mut impl Write) -> io::Result<()> {
        let file = std::fs::File::open(path)?;
        let modified = file::stamp(&file.metadata()?).modified_ns;
        let modified = self.host.plausible(modified);
        let times = |years| Chronology::new(self.host.zone.clone(), modified, None, years);
        let years = (0..YEARS).find(|years| fits(path, times(*years)).unwrap_or(true));
        self.times = times(years.unwrap_or(0));
        self.stream(Box::new(file), out)
    }

    fn stream(&mut self, stream: Box<dyn Read + Send>, out: &mut impl Write) -> io::Result<()> {
        let (_, stream) = compressed::open(stream)?;
        let mut blocks = Blocks::new(stream, 0, Edges::default(), LastLine::IsWhole);
        while let Some(block) = blocks.next_block()? {
            // Somebody may be typing.
            out.flush()?;
            for line in block.bytes.split_inclusive(|b| matches!(b, b'\n' | 0)) {
                let line = line.strip_suffix(b"\n").or(line.strip_suffix(b"\0")).unwrap_or(line);
                self.line(line, out)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        self.lines += 1;
        let goes_on = std::mem::replace(&mut self.is_split, container::is_split(line));
        if goes_on && container::is_wrapped(line) {
            return self.unrelated("the rest of a line that a container runtime has split", out);
        }
        // Columns are those of the line in an object of Docker's.
        let line = &*unpacked(line);
        let puzzle = |rest: &[u8], expected: &str, rule: &str| {
            let column = column_of(line, rest);
            format!("{rule} stops at column {column}: expected {expected}")
        };
        let because = match read(line) {
            Reading::NoHeader(stop) if looks_like_login(line) => {
                puzzle(stop.rest, stop.expected, "the syslog header")
            }
            Reading::Line(_, Err(near)) if looks_like_login(line) => {
                puzzle(near.rest, near.expected, near.rule.name())
            }
            Reading::Line(header, Ok(message)) => {
                let rule = self.outage.settle(&header, &message);
                return self.understood(line, &header, (rule, &message), out);
            }
            Reading::NoHeader(_) | Reading::Line(..) => {
                return self.unrelated("not a line of syslog", out);
            }
        };
        self.puzzles += 1;
        let (place, line) = (self.place(), clip(without_password(line)));
        writeln!(out, "{place}{ODD}MISSED{ODD:#}    looks like a login; {because}\n  {line}")
    }

    fn understood(
        &mut self,
        line: &[u8],
        header: &Header<'_>,
        (rule, message): (Rule, &Message<'_>),
        out: &mut impl Write,
    ) -> io::Result<()> {
        let time = self.times.resolve(header.stamp.0);
        let unreached = rule == Rule::AuthServiceUnreached;
        let join = |time| self.names.join(header, message, time);
        let joined = time.filter(|_| !unreached).and_then(join);
        match rule.verdict() {
            Verdict::Failure => {
                self.failures += attempts(header, message);
                self.failure_lines += 1;
            }
            Verdict::Login => self.logins += 1,
            Verdict::Unrelated => {
                return self.unrelated(&format!("{}: {}", rule.name(), rule.reason()), out);
            }
        }
        if self.missed_only {
            return Ok(());
        }
        let (style, verdict) = shown(rule.verdict());
        let place = self.place();
        writeln!(out, "{place}{style}{verdict}{style:#}   {}: {}", rule.name(), rule.reason())?;
        let stamp = describe_stamp(header, time, self.host);
        let field = |name, part, note: &str| field(line, name, part, note);
        writeln!(out, "{}", field("time", header.stamp.1, &stamp))?;
        if header.layout != Layout::Dovecot {
            writeln!(out, "{}", field("host", header.host, ""))?;
            writeln!(out, "{}", field("program", header.program, &service(header)))?;
        }
        if header.times > 1 {
            writeln!(out, "  repeated             {} times, summed up by rsyslog", header.times)?;
        }
        if let Message::Refused(attempt) | Message::Accepted(attempt) = message {
            for text in attempt_fields(line, attempt, joined.as_deref()) {
                writeln!(out, "{text}")?;
            }
        }
        Ok(())
    }

    fn unrelated(&self, why: &str, out: &mut impl Write) -> io::Result<()> {
        if self.missed_only {
            return Ok(());
        }
        writeln!(out, "{}{DIM}unrelated{DIM:#} {why}", self.place())
    }

    fn place(&self) -> String {
        if self.name.is_empty() {
            return String::new();
        }
        format!("{}:{}: ", for_terminal(self.name.as_bytes()), self.lines)
    }

    fn sum_up(&self, out: &mut impl Write) -> io::Result<()> {
        if self.name.is_empty() {
            return Ok(());
        }
        let Self { lines, failures, logins, puzzles, .. } = self;
        let unrelated = lines.saturating_sub(self.failure_lines + logins + puzzles);
        writeln!(
            out,
            "{}: {lines} lines: {failures} failed logins, {logins} logins and messages of users who \
             logged in, {unrelated} unrelated, {puzzles} that look like logins but match no rule",
            for_terminal(self.name.as_bytes())
        )
    }
}

/// Whether the years that `times` gives the lines of a file leave room for all of them, as the main
/// job sees it.
fn fits(path: &Path, times: Chronology) -> io::Result<bool> {
    let (_, stream) = compressed::open(std::fs::File::open(path)?)?;
    let mut blocks = Blocks::new(stream, 0, Edges::default(), LastLine::IsWhole);
    let mut scanner = Scanner::new(times, Outage::default(), ("", 0));
    while let Some(block) = blocks.next_block()? {
        let findings = &mut Findings::default();
        if scanner.scan(block.bytes, block.position, findings) == Err(Stop::YearsTooLate) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn shown(verdict: Verdict) -> (Style, &'static str) {
    match verdict {
        Verdict::Failure => (BAD, "FAILURE"),
        Verdict::Login => (GOOD, "LOGIN"),
        Verdict::Unrelated => (DIM, "unrelated"),
    }
}

/// How many attempts a line tells of.
fn attempts(header: &Header<'_>, message: &Message<'_>) -> u64 {
    match message {
        Message::Refused(attempt) => u64::from(header.times) * u64::from(attempt.times),
        _ => u64::from(header.times),
    }
}

fn attempt_fields(line: &[u8], attempt: &Attempt<'_>, joined: Option<&[u8]>) -> Vec<String> {
    let field = |name, part, note: &str| field(line, name, part, note);
    let recorded_as = match attempt.address.to_string() {
        same if same.as_bytes() == attempt.written_address => String::new(),
        address => format!("recorded as {address}"),
    };
    let mut fields = Vec::new();
    if attempt.protocol.is_empty() {
        fields.push(field("name", attempt.client, "by reverse DNS; not used"));
    } else {
        fields.push(field("protocol", attempt.protocol, ""));
    }
    fields.push(field("address", attempt.written_address, &recorded_as));
    fields.push(field("mechanism", attempt.mechanism, "as the client typed it"));
    if !matches!(attempt.rule, Rule::LoggedIn | Rule::DovecotLoggedIn) {
        fields.push(field("reason", attempt.reason, "the server's words"));
    }
    if attempt.times > 1 {
        fields.push(format!("  attempts             {}, recorded as so many rows", attempt.times));
    }
    fields.push(match (attempt.user, joined) {
        (Some(user), _) => field("user", user, if user.is_empty() { "empty" } else { "" }),
        (None, Some(user)) => {
            let note = "joined from a line of Dovecot's auth service before";
            format!("  user               -  {}  {DIM}{note}{DIM:#}", clip(user))
        }
        (None, None) => "  user       -  not in this line; recorded as null".to_owned(),
    });
    fields
}

/// `  name       columns  text  note`
fn field(line: &[u8], name: &str, part: &[u8], note: &str) -> String {
    let start = column_of(line, part);
    let columns = format!("{start}-{}", start + part.len().saturating_sub(1));
    let columns = if part.is_empty() { format!("{start}") } else { columns };
    let text = if part.is_empty() { "\"\"".into() } else { clip(part) };
    let note = if note.is_empty() { String::new() } else { format!("  {DIM}{note}{DIM:#}") };
    format!("  {name:<10} {columns:>9}  {text}{note}")
}

/// Where `part`, a slice of `line`, starts; the first column is 1.
fn column_of(line: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize).min(line.len()) + 1
}

fn clip(bytes: &[u8]) -> String {
    let shown = for_terminal(bytes.get(..SHOWN_BYTES).unwrap_or(bytes));
    if bytes.len() > SHOWN_BYTES {
        format!("{shown}… ({} bytes)", bytes.len())
    } else {
        shown.into_owned()
    }
}

fn describe_stamp(header: &Header<'_>, time: Option<Timestamp>, host: &Host) -> String {
    let Some(time) = time else { return "no year has this date".to_owned() };
    let local = time.to_zoned(host.zone.clone());
    let local = local.strftime("%Y-%m-%d %H:%M:%S %:z");
    match header.stamp.0 {
        Stamp::Yearless { .. } => {
            format!("{}: {local}, the year by the file's time", header.layout.name())
        }
        Stamp::Local(_) | Stamp::Instant(_) => format!("{}: {local}", header.layout.name()),
    }
}

fn service(header: &Header<'_>) -> String {
    let service = header.program.strip_suffix(b"/smtpd").unwrap_or(header.program);
    let service = format!("service {}", for_terminal(service));
    match header.process {
        [] => service,
        process => format!("{service}, process {}", for_terminal(process)),
    }
}
