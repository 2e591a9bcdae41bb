//! `findings`: accounts that may be stolen, why, and what to do.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::table::WIDTH;
use super::{Desk, Output, advice};
use crate::cli::args::{Findings, FindingsAction};
use crate::cli::fail;
use crate::exit::Status;
use crate::finding::{Evidence, Finding, Severity, Sign};
use crate::report::counted;
use crate::report::text::lines;
use crate::store::casebook::findings::Which;
use crate::store::{Store, StoreError};

/// So many are shown at once: the most severe first.
const MOST: usize = 50;
/// What stands before a sign: its time, and two blanks.
const TIME: usize = 18;

/// What shows a line of evidence, compressed by gzip or not; it may hold anything.
const SHOW_LINE: &str =
    "`zcat -f FILE | tail -c +$((BYTE + 1)) | head -1 | cat -v` shows such a line.\n";

/// A finding for other programs. Times are RFC 3339.
#[derive(Serialize)]
struct Document {
    finding: i64,
    severity: &'static str,
    account: String,
    since: String,
    acknowledged: Option<String>,
    /// Whether it was closed as its user's; null: it is open, or an earlier version closed it.
    was_user: Option<bool>,
    comment: Option<String>,
    evidence: Vec<Proof>,
}

#[derive(Serialize)]
struct Proof {
    kind: &'static str,
    time: String,
    address: String,
    network: String,
    campaign: Option<i64>,
    text: String,
    /// The file and the byte of its line; null: a journal, or not known.
    place: Option<String>,
}

pub(super) fn run(desk: &mut Desk<'_>, args: &Findings) -> Result<Status, StoreError> {
    if let Some(FindingsAction::Ack(ack)) = &args.action {
        let mut status = Status::Done;
        for id in &ack.ids {
            let said = (ack.user || ack.theft).then_some(ack.user);
            let done = desk.store.acknowledge(*id, said, (desk.now, ack.comment.as_deref()))?;
            if let Some(was_user) = done {
                desk.confirm(&closed(*id, was_user, said.is_some()));
            } else {
                let hint = "`maillogsentinel findings` lists those that are open";
                status = fail(&format!("there is no open finding {id}"), Some(hint));
            }
        }
        return Ok(status);
    }
    let which = if args.all { Which::All } else { Which::Open(desk.now) };
    let most = if args.all || args.json { usize::MAX } else { MOST };
    let ids = match args.id {
        None => desk.store.finding_ids(&which, most)?,
        Some(id) if desk.store.finding(id)?.is_some() => vec![id],
        Some(id) => {
            let hint = "`maillogsentinel findings --all` lists all";
            return Ok(fail(&format!("there is no finding {id}"), Some(hint)));
        }
    };
    let mut out = Output::new();
    if ids.is_empty() && !args.json {
        let is_new = desk.store.finding_ids(&Which::All, 1)?.is_empty();
        out.print(if is_new {
            "Nothing was found that speaks for a stolen account.\n"
        } else {
            "Nothing is open that speaks for a stolen account; --all shows what is over.\n"
        });
        return Ok(out.end(Status::Done));
    }
    // One by one: a year may have more than fit into memory.
    let mut is_open = false;
    let findings = ids.iter().filter_map(|id| desk.store.finding(*id).transpose());
    let findings = findings.inspect(|finding| {
        is_open |= finding.as_ref().is_ok_and(|finding| finding.acknowledged.is_none());
    });
    if args.json {
        out.print_list(findings.map(|finding| Ok(document(desk, &finding?))))?;
        return Ok(out.end(if is_open { Status::Failed } else { Status::Done }));
    }
    let mut has_lines = false;
    for finding in findings {
        let told = told(desk, &finding?);
        has_lines |= told.contains(", byte ");
        out.print(&told);
        out.print("\n");
        if out.is_over() {
            break;
        }
    }
    if ids.len() == most {
        out.print(&format!("These are the first {most}; --all and --json show more.\n"));
    }
    if !is_open {
        return Ok(out.end(Status::Done));
    }
    if has_lines {
        out.print(SHOW_LINE);
    }
    out.print("`maillogsentinel findings ack ID` once you know what it is.\n");
    Ok(out.end(Status::Failed))
}

/// What follows from how finding `id` was closed, and how to say the other thing for who did not say it.
fn closed(id: i64, was_user: bool, is_said: bool) -> String {
    let (means, (option, who)) = if was_user {
        ("its user. The same from there is not told again", ("--theft", "a thief"))
    } else {
        ("a thief. Who logs in from there again is told at once", ("--user", "its user"))
    };
    let other = if is_said {
        String::new()
    } else {
        format!(" (`maillogsentinel findings ack {id} {option}` if it was {who})")
    };
    let text = format!("Finding {id} is closed: it was {means}{other}.");
    lines(&text, WIDTH).join("\n") + "\n"
}

fn told(desk: &Desk<'_>, finding: &Finding) -> String {
    let color = match finding.severity {
        Severity::High => Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
        Severity::Medium => Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
        Severity::Low => Style::new().bold(),
    };
    let verdict = match finding.severity {
        Severity::High => "probably stolen",
        Severity::Medium => "may be stolen: ask its user",
        Severity::Low => "a note: may well be its user",
    };
    let mut out = String::new();
    let severity = finding.severity.text();
    let what = format!("finding {}: {}", finding.id, finding.account.for_terminal());
    let _ = write!(out, "{color}{severity}{color:#}  ");
    if severity.len() + what.width() + verdict.len() + 4 > WIDTH {
        let what = lines(&what, WIDTH - severity.len() - 2).join("\n  ");
        let _ = writeln!(out, "{what}\n  {verdict}");
    } else {
        let _ = writeln!(out, "{what}  {verdict}");
    }
    for line in evidence(desk, finding) {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(time) = finding.acknowledged {
        let comment = finding.comment.as_ref().map(|it| format!(": {}", it.for_terminal()));
        let was = match finding.was_user {
            Some(true) => ": its user",
            Some(false) => ": a thief",
            None => "",
        };
        let what = format!("closed {}{was}{}", desk.moment(time), comment.unwrap_or_default());
        for line in lines(&what, WIDTH - 2) {
            let _ = writeln!(out, "  {line}");
        }
    } else if finding.severity > Severity::Low {
        let is_sure = finding.severity == Severity::High;
        let _ =
            writeln!(out, "  {}", if is_sure { "what to do:" } else { "if it was not its user:" });
        let (settings, logs) = (desk.dovecot.settings(), &desk.config.paths.mail_logs);
        for line in advice::for_account(&finding.account, settings, logs) {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

/// Lines for each sign, to stand behind two blanks; those of one kind that are many are summed up.
pub(super) fn evidence(desk: &Desk<'_>, finding: &Finding) -> Vec<String> {
    let mut signs = Vec::new();
    for evidence in Evidence::ALL {
        let all: Vec<_> = finding.signs.iter().filter(|it| it.evidence == evidence).collect();
        for sign in all.iter().take(3) {
            signs.push((sign.time, sentence(&desk.store, sign)));
        }
        if let (Some(last), true) = (all.last(), all.len() > 3) {
            signs.push((last.time, format!("and {} more like these", all.len() - 3)));
        }
    }
    signs.sort_by_key(|(time, _)| *time);
    let mut told = Vec::new();
    for (time, text) in signs {
        let text = format!("{}  {text}", desk.moment(time));
        told.extend(text.split('\n').map(str::to_owned));
    }
    told
}

/// One sign in words, and its line in the log, to stand after its time: further lines are indented so
/// that they stand below the first, and with two blanks before all of them they fit a terminal.
fn sentence(store: &Store, sign: &Sign) -> String {
    let text = lines(&words(sign), WIDTH - TIME - 2);
    let place = store.place_of(sign).ok().flatten();
    let indent = format!("\n{:TIME$}", "");
    text.into_iter().chain(place).collect::<Vec<_>>().join(indent.as_str())
}

/// The same in one line, however long.
pub(in crate::cli) fn sentence_in_one(store: &Store, sign: &Sign) -> String {
    let place = store.place_of(sign).ok().flatten();
    words(sign) + &place.map_or(String::new(), |place| format!(" ({place})"))
}

/// One sign in words.
fn words(sign: &Sign) -> String {
    let (number, address) = (sign.number, sign.address);
    let campaign = sign.campaign.map_or(String::new(), |it| format!(" (campaign #{it})"));
    let failures = counted(number, "failure", "failures");
    let messages = counted(number, "message", "messages");
    let usual = counted(sign.usual.unwrap_or(0), "message", "messages");
    match sign.evidence {
        Evidence::Attacker => {
            format!("login from {address}, an attacker: {failures} before{campaign}")
        }
        Evidence::Guesser => {
            format!("login from {address} after {failures} from there{campaign}")
        }
        Evidence::NewCountry => format!("first login from {address}, in a country new to it"),
        Evidence::NewNetwork => format!("first login from {address}, in a network new to it"),
        Evidence::Awakened => format!(
            "first login of all, from {address}, in a country that hardly any account here comes from"
        ),
        Evidence::Scattered => format!(
            "login from {address}: with it, it comes from {} at times that hardly fit one person",
            counted(number, "country", "countries")
        ),
        Evidence::SendsApart => {
            format!("message sent from {address}, at a provider from where it never read its mail")
        }
        Evidence::BotsNear => format!(
            "login from {address}, at a provider of {} this account{campaign}",
            counted(number, "bot that tries", "bots that try")
        ),
        Evidence::Jump => format!("{messages} in a day; before, at most {usual} a day"),
        Evidence::UnderAttack => format!(
            "attackers failed {} on this account before{}",
            counted(number, "time", "times"),
            sign.campaign.map_or(String::new(), |it| format!(", campaign #{it} most often"))
        ),
        Evidence::ManyNetworks => format!(
            "logins from {} within a day that it never came from",
            counted(number, "network", "networks")
        ),
        Evidence::Returned => {
            format!("login from {address}, in a network from where a thief had got in before")
        }
        Evidence::ManyMessages => {
            format!("{messages} in a day from places new to it; before, at most {usual} a day")
        }
    }
}

fn document(desk: &Desk<'_>, finding: &Finding) -> Document {
    let evidence = finding.signs.iter().map(|sign| Proof {
        kind: sign.evidence.key(),
        time: desk.stamp(sign.time),
        address: sign.address.to_string(),
        network: sign.network.cidr(),
        campaign: sign.campaign,
        text: words(sign),
        place: desk.store.place_of(sign).ok().flatten(),
    });
    Document {
        finding: finding.id,
        severity: match finding.severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        },
        account: finding.account.for_terminal().into_owned(),
        since: desk.stamp(finding.time),
        acknowledged: finding.acknowledged.map(|time| desk.stamp(time)),
        was_user: finding.was_user,
        comment: finding.comment.as_ref().map(|it| it.for_terminal().into_owned()),
        evidence: evidence.collect(),
    }
}
