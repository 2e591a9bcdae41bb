//! What the template shows: every number written, every text escaped.

use askama::Template;
use jiff::tz::TimeZone;

use crate::figures::{Attempts, Figures};
use crate::meaning::Verdict;
use crate::report::charts::{Chart, Topic, WIDTH};
use crate::report::html::Images;
use crate::report::html::value::Value;
use crate::report::numbers::{grouped, size};
use crate::report::palette::{DAY, NIGHT, Palette};
use crate::report::{Attachment, DATA, DOCUMENTATION, ERRORS, Report, Scope};
use crate::untrusted::Untrusted;

/// Room for a value that has half the page, and for one that has all of it, in letters: what does
/// not fit into a line takes a second one, but not a third.
const HALF: usize = 40;
const FULL: usize = 56;

/// All that `report.html` asks for.
#[derive(Template)]
#[template(path = "html/report.html")]
pub(super) struct View<'a> {
    pub(super) day: Palette,
    pub(super) night: Palette,
    /// A page that is kept as a file is forbidden to load anything.
    pub(super) is_file: bool,
    pub(super) version: &'static str,
    pub(super) interval: Value,
    pub(super) made_at: String,
    /// Whose failures these are.
    pub(super) whose: Value,
    pub(super) servers: Vec<Server>,
    pub(super) verdict: Option<Value>,
    /// Whether the verdict is that an account is stolen.
    pub(super) is_alarm: bool,
    pub(super) sentences: Vec<Value>,
    /// `today` or `on 2026-11-22`.
    pub(super) when: String,
    /// The total, and what it is spread over.
    pub(super) counts: [Fact; 4],
    pub(super) imported: Option<String>,
    pub(super) pictures: Vec<Picture>,
    pub(super) picture_width: u16,
    pub(super) attempts: Vec<Attempt>,
    pub(super) lists: [List; 4],
    pub(super) reverse_dns: ReverseDns,
    pub(super) coverage: Vec<Fact>,
    pub(super) csv: Vec<Fact>,
    pub(super) attachment: Value,
    pub(super) documentation: &'a str,
    pub(super) data: &'a str,
}

/// A chart with its heading.
pub(super) struct Picture {
    pub(super) heading: &'static str,
    pub(super) caption: &'static str,
    pub(super) light: String,
    pub(super) dark: String,
    pub(super) alt: Value,
}

/// A pair of user and address.
pub(super) struct Attempt {
    pub(super) user: Value,
    pub(super) address: Value,
    pub(super) hostname: Option<Value>,
    pub(super) country: Value,
    pub(super) count: String,
}

/// A mail server of several.
pub(super) struct Server {
    pub(super) name: Value,
    pub(super) last: String,
    pub(super) count: String,
    /// Whether nothing came from it.
    pub(super) is_silent: bool,
}

/// A top ten.
pub(super) struct List {
    pub(super) heading: &'static str,
    pub(super) rows: Vec<(Value, String)>,
}

/// How the names of addresses failed to be found.
pub(super) struct ReverseDns {
    pub(super) total: String,
    pub(super) errors: Vec<(usize, &'static str, String)>,
}

/// A line of name and value.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// What to do about it; the value is then shown in red.
    pub(super) alarm: Option<&'static str>,
}

impl Picture {
    /// `sources` are the light and the dark picture.
    pub(super) fn new(chart: &Chart, [light, dark]: [String; 2]) -> Self {
        let heading = match chart.topic {
            Topic::Hours => "By hour",
            Topic::Days => "By day",
            Topic::Countries => "By country",
            Topic::Networks => "By network",
        };
        Self { heading, caption: chart.caption, light, dark, alt: Value::whole(&chart.alt) }
    }
}

impl<'a> View<'a> {
    /// Writes and escapes all of it.
    pub(super) fn new(
        report: &'a Report,
        summary: &[String],
        pictures: Vec<Picture>,
        images: Images,
    ) -> Self {
        let figures = &report.figures;
        let when = if report.is_today { "today".to_owned() } else { format!("on {}", report.day) };
        let of_machine = report.scope == Scope::Machine;
        let meaning = report.meaning.as_ref();
        let mut sentences = summary.iter().map(|sentence| Value::sentence(sentence));
        Self {
            day: DAY,
            night: NIGHT,
            is_file: images == Images::Inline,
            version: env!("CARGO_PKG_VERSION"),
            interval: Value::plain(&report.interval, FULL),
            made_at: report.made_at.strftime("%Y-%m-%d %H:%M").to_string(),
            whose: Value::plain(&report.servers(), 2 * FULL),
            servers: figures.servers.iter().map(Server::new).collect(),
            verdict: sentences.next(),
            is_alarm: meaning.is_some_and(|it| matches!(it.verdict, Verdict::Stolen { .. })),
            sentences: sentences.collect(),
            when,
            counts: [
                Fact::plain("Total attempts", grouped(figures.total)),
                Fact::plain("Addresses", grouped(figures.addresses)),
                Fact::plain("Known networks", grouped(figures.networks)),
                Fact::plain("User names", grouped(figures.accounts)),
            ],
            imported: imported(figures),
            pictures,
            picture_width: WIDTH,
            attempts: figures.attempts.iter().map(Attempt::new).collect(),
            lists: lists(figures),
            reverse_dns: ReverseDns::new(figures.reverse_dns),
            coverage: if of_machine { coverage(report) } else { Vec::new() },
            csv: if of_machine { csv(report) } else { Vec::new() },
            attachment: Value::sentence(&attachment(report)),
            documentation: DOCUMENTATION,
            data: DATA,
        }
    }
}

impl Server {
    fn new(server: &crate::figures::Server) -> Self {
        Self {
            name: Value::untrusted(&server.name, FULL),
            last: server.last.clone(),
            count: grouped(server.count),
            is_silent: server.count == 0,
        }
    }
}

impl Attempt {
    fn new(attempts: &Attempts) -> Self {
        Self {
            user: name(attempts.user.as_ref(), FULL),
            address: Value::plain(&attempts.address, FULL),
            hostname: attempts.hostname.as_ref().map(|name| Value::untrusted(name, FULL)),
            country: Value::plain(&attempts.country, 12),
            count: grouped(attempts.count),
        }
    }
}

impl ReverseDns {
    fn new(counts: [u64; 5]) -> Self {
        let failures = counts.iter().skip(1);
        let total = failures.clone().fold(0u64, |sum, count| sum.saturating_add(*count));
        let errors = (1..).zip(ERRORS).zip(failures).filter(|(_, count)| **count > 0);
        Self {
            total: grouped(total),
            errors: errors.map(|((number, why), count)| (number, why, grouped(*count))).collect(),
        }
    }
}

impl Fact {
    fn plain(name: &'static str, value: String) -> Self {
        Self { name, value, alarm: None }
    }
}

fn name(text: Option<&Untrusted>, room: usize) -> Value {
    text.map_or_else(|| Value::plain("unknown", room), |text| Value::untrusted(text, room))
}

fn imported(figures: &Figures) -> Option<String> {
    let (which, may_be) = match figures.imported {
        0 => return None,
        1 => ("1 of these was".to_owned(), "it may be a successful login"),
        all if all == figures.total => {
            ("All of these were".to_owned(), "some may be successful logins")
        }
        some => (format!("{} of these were", grouped(some)), "some may be successful logins"),
    };
    Some(format!(
        "{which} taken over from the CSV of the former program, which did not tell failed logins \
         from successful ones: {may_be}."
    ))
}

fn lists(figures: &Figures) -> [List; 4] {
    let named = |rows: &[(Option<Untrusted>, u64)]| {
        rows.iter().map(|(text, count)| (name(text.as_ref(), HALF), grouped(*count))).collect()
    };
    let countries =
        figures.countries.iter().map(|(code, count)| (Value::plain(code, HALF), grouped(*count)));
    let numbers = figures.numbers.iter().map(|(number, count)| {
        let number = number.map_or("unknown".to_owned(), |number| number.to_string());
        (Value::plain(&number, HALF), grouped(*count))
    });
    [
        List { heading: "usernames", rows: named(&figures.users) },
        List { heading: "countries", rows: countries.collect() },
        List { heading: "ASO", rows: named(&figures.organisations) },
        List { heading: "ASN", rows: numbers.collect() },
    ]
}

fn coverage(report: &Report) -> Vec<Fact> {
    let coverage = &report.figures.coverage;
    let zone: &TimeZone = report.made_at.time_zone();
    let last = coverage.last_line.map_or("none".to_owned(), |time| {
        time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    });
    let unread = coverage.lines == 0;
    let mut facts = vec![
        Fact {
            name: "Lines read",
            value: grouped(coverage.lines),
            alarm: unread.then_some("Nothing was read: these numbers cannot be trusted."),
        },
        Fact {
            name: "Look like logins, but matched nothing",
            value: grouped(coverage.puzzles),
            alarm: (coverage.puzzles > 0).then_some(
                "Failed logins may be among them. “maillogsentinel explain” shows them.",
            ),
        },
    ];
    if coverage.logins > 0 {
        facts.push(Fact::plain("Messages by users who logged in", grouped(coverage.logins)));
    }
    facts.push(Fact::plain("Last event", last));
    facts
}

fn csv(report: &Report) -> Vec<Fact> {
    vec![
        Fact::plain("Total CSV file size", size(report.csv_bytes)),
        Fact::plain("Total CSV lines", grouped(report.csv_lines)),
    ]
}

fn attachment(report: &Report) -> String {
    match &report.attachment {
        Attachment::Full(name) => format!("Please see attached: {name}"),
        Attachment::Day { name, too_large: false } => {
            format!("Please see attached: {name} (the rows of {} only)", report.day)
        }
        Attachment::Day { name, too_large: true } => format!(
            "Please see attached: {name} (the rows of {} only; the whole CSV is too large to send)",
            report.day
        ),
        Attachment::None { because: None } => "Nothing is attached.".to_owned(),
        Attachment::None { because: Some(why) } => format!("Nothing is attached: {why}"),
    }
}
