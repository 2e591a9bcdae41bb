//! The report as plain text, in the layout that readers of the former program's mails know.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::numbers::size;
use super::{Attachment, DOCUMENTATION, ERRORS, Report, Scope, counted, grouped};
use crate::untrusted::Untrusted;

/// The widest line of a list: what mail programs show without breaking it.
const COLUMNS: usize = 100;
/// The widest line of sentences: what every terminal shows without breaking it.
pub const SENTENCES: usize = 80;
/// What stands before each entry of a list: `  10. `.
const RANK: usize = 6;
/// Between columns.
const GAP: usize = 2;
/// No column is made narrower than this.
const NARROWEST: usize = 12;

/// Writes the report; `summary` are the sentences after the banner.
pub fn render(report: &Report, summary: &[String]) -> String {
    let mut out = banner(report);
    out.push('\n');
    for sentence in summary {
        out.push_str(&wrapped(&shown(sentence.as_bytes())));
    }
    let figures = &report.figures;
    let when = report.when();
    if figures.total > 0 {
        out.extend(["\n", &format!("Total attempts {when}: {}\n", grouped(figures.total))]);
    }
    out.push_str(&servers(report, &when));
    if figures.total > 0 {
        let rows = figures.attempts.iter().map(|it| {
            let host = it.hostname.as_ref().map_or("null".to_owned(), text);
            let user = it.user.as_ref().map_or("null".to_owned(), text);
            vec![user, it.address.clone(), host, it.country.clone(), times(it.count)]
        });
        out.push_str(&list("Top 10 failed authentications", &when, rows.collect()));
        let named =
            |name: &Option<Untrusted>, none: &str| name.as_ref().map_or(none.to_owned(), text);
        let rows = figures.users.iter().map(|(name, n)| vec![named(name, "null"), times(*n)]);
        out.push_str(&list("Top 10 Usernames", &when, rows.collect()));
        let rows = figures.countries.iter().map(|(name, n)| vec![name.clone(), times(*n)]);
        out.push_str(&list("Top 10 countries", &when, rows.collect()));
        let rows =
            figures.organisations.iter().map(|(name, n)| vec![named(name, "N/A"), times(*n)]);
        out.push_str(&list("Top 10 ASO", &when, rows.collect()));
        let rows = figures.numbers.iter().map(|(number, n)| {
            vec![number.map_or("N/A".to_owned(), |number| number.to_string()), times(*n)]
        });
        out.push_str(&list("Top 10 ASN", &when, rows.collect()));
        out.push_str(&reverse_dns(report, &when));
    }
    if report.scope == Scope::Machine {
        out.push_str(&coverage(report, &when));
    }
    out.push_str(&end(report));
    out
}

fn banner(report: &Report) -> String {
    let lines = [
        format!("MailLogSentinel v{}", env!("CARGO_PKG_VERSION")),
        format!("Extraction interval : {}", report.interval),
        format!("Report at {}", report.made_at.strftime("%Y-%m-%d %H:%M")),
        report.servers(),
    ];
    let lines = lines.map(|line| shortened(&shown(line.as_bytes()), COLUMNS - 8));
    let width = lines.iter().map(|line| line.width()).max().unwrap_or_default().max(42);
    let edge = "#".repeat(width + 8);
    let mut out = format!("{edge}\n");
    for line in lines {
        let _ = writeln!(out, "### {} ###", padded(&line, width));
    }
    out + &edge + "\n"
}

/// A list with its heading; its columns line up, and the widest give way where they must.
fn list(what: &str, when: &str, rows: Vec<Vec<String>>) -> String {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let free = COLUMNS - RANK - GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() > free
        && let Some(widest) = widths.iter_mut().max().filter(|width| **width > NARROWEST)
    {
        *widest -= 1;
    }
    let mut out = format!("\n{what} {when}:\n");
    for (rank, row) in (1..).zip(rows) {
        let cells =
            row.iter().zip(&widths).map(|(cell, width)| padded(&shortened(cell, *width), *width));
        let line = format!("{rank:4}. {}", cells.collect::<Vec<_>>().join("  "));
        out.extend([line.trim_end(), "\n"]);
    }
    out
}

/// A line for each server of a database.
fn servers(report: &Report, when: &str) -> String {
    let rows = report.figures.servers.iter().map(|server| {
        vec![text(&server.name), times(server.count), format!("last {}", server.last)]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() { String::new() } else { list("Attempts by server", when, rows) }
}

fn reverse_dns(report: &Report, when: &str) -> String {
    let failures = report.figures.reverse_dns.iter().skip(1);
    let errors = (1..).zip(failures.zip(ERRORS));
    let errors: Vec<_> = errors.filter(|(_, (count, _))| **count > 0).collect();
    let sum: u64 = errors.iter().map(|(_, (count, _))| **count).sum();
    let mut out = "\n--- Reverse DNS Lookup Failure Summary ---\n".to_owned();
    let _ = writeln!(out, "Total failed reverse lookups {when}: {}", grouped(sum));
    if sum > 0 {
        out.push_str("Breakdown by error type:\n");
    }
    let width = errors.iter().map(|(_, (count, _))| grouped(**count).len()).max().unwrap_or(0);
    for (number, (count, meaning)) in errors {
        let _ = writeln!(out, "  Errno {number} : {:>width$}  ({meaning})", grouped(*count));
    }
    out
}

fn coverage(report: &Report, when: &str) -> String {
    let read = &report.figures.coverage;
    let mut out = format!("\nLines read {when}: {}", grouped(read.lines));
    if let Some(at) = report.last_line() {
        let _ = write!(out, ", the last of {at}");
    }
    let _ = write!(
        out,
        "\nLines that look like logins but matched no rule: {}\n",
        grouped(read.puzzles)
    );
    out
}

fn end(report: &Report) -> String {
    let mut out = String::new();
    if report.scope == Scope::Machine {
        let _ = writeln!(out, "\nTotal CSV file size: {}", size(report.csv_bytes));
        let _ = writeln!(out, "Total CSV lines:     {}", report.csv_lines);
    }
    match &report.attachment {
        Attachment::Full(name) => {
            let _ = write!(out, "\nPlease see attached: {name}\n");
        }
        Attachment::Day { name, too_large } => {
            let why =
                if *too_large { ", as all rows are more than `attach_max_bytes`" } else { "" };
            let when = report.when();
            let what = format!("Please see attached: {name} (the rows {when} only{why})");
            out.extend(["\n", &wrapped(&what)]);
        }
        Attachment::None { because: Some(why) } => {
            out.extend(["\n", &wrapped(&format!("Nothing is attached: {why}"))]);
        }
        Attachment::None { because: None } => {}
    }
    let _ = write!(out, "\nFor more details and documentation, visit: {DOCUMENTATION}\n");
    out
}

fn times(count: u64) -> String {
    counted(count, "time", "times")
}

fn text(hostile: &Untrusted) -> String {
    // What cannot be told from nothing is shown in quotes.
    let text = hostile.for_terminal();
    if text.trim().is_empty() { format!("\"{text}\"") } else { text.into_owned() }
}

fn shown(bytes: &[u8]) -> String {
    crate::untrusted::for_terminal(bytes).into_owned()
}

/// Fills up with blanks to `width` columns.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// At most `width` columns of `text`, the middle replaced by an ellipsis where it is longer: both ends
/// of a user's, a host's or an organisation's name say something.
fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let take = |chars: &mut dyn Iterator<Item = char>, room: usize| {
        let mut taken = Vec::new();
        let mut used = 0;
        for c in chars {
            used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            if used > room {
                break;
            }
            taken.push(c);
        }
        taken
    };
    let room = width.saturating_sub(1);
    let start: String = take(&mut text.chars(), room - room / 2).into_iter().collect();
    let end: String = take(&mut text.chars().rev(), room / 2).into_iter().rev().collect();
    format!("{start}…{end}")
}

/// Sentences of ours, in lines of at most [`SENTENCES`].
fn wrapped(text: &str) -> String {
    lines(text, SENTENCES).join("\n") + "\n"
}

/// `text` in lines of at most `width` columns, broken at blanks where there are any. What stands
/// between backticks is a command or a key to be copied, and stays on one line.
pub fn lines(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let (mut lines, mut line, mut column) = (Vec::new(), String::new(), 0);
    for mut word in words(text, width) {
        if !line.is_empty() && column + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
            column = 0;
        } else if !line.is_empty() {
            line.push(' ');
            column += 1;
        }
        while word.width() > width {
            // A letter takes two columns at most.
            let at = word.char_indices().nth(width / 2).map_or(word.len(), |(at, _)| at);
            let (start, rest) = word.split_at(at);
            lines.push(start.to_owned());
            word = rest;
        }
        column += word.width();
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// What `text` may be broken between: words, and whole quotes in backticks that fit into a line.
fn words(text: &str, width: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(at) = end_of_word(rest, width) {
        let (word, after) = rest.split_at(at);
        words.push(word);
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    words.push(rest);
    words
}

/// The first blank of `text` that it may be broken at.
fn end_of_word(text: &str, width: usize) -> Option<usize> {
    let blank = text.find(' ')?;
    let quote = text.find('`').filter(|quote| *quote < blank);
    let whole = quote.and_then(|quote| {
        let (_, inside) = text.split_at_checked(quote + 1)?;
        let close = quote + 1 + inside.find('`')? + 1;
        let (_, after) = text.split_at_checked(close)?;
        Some(after.find(' ').map_or(text.len(), |blank| close + blank))
    });
    match whole.and_then(|end| Some((end, text.get(..end)?))) {
        Some((end, word)) if word.width() <= width => (end < text.len()).then_some(end),
        _ => Some(blank),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_keeps_both_its_ends() {
        assert_eq!(shortened("abcdefghij", 10), "abcdefghij");
        assert_eq!(shortened("abcdefghijk", 10), "abcde…hijk");
        assert_eq!(shortened("日本語日本語", 8), "日本…語");
    }

    #[test]
    fn lines_are_broken_before_they_are_too_long() {
        let text = wrapped(&format!("{} {}", "word ".repeat(60), "x".repeat(300)));
        assert!(text.lines().all(|line| line.width() <= SENTENCES), "{text}");
        assert_eq!(text.matches('x').count(), 300);
        assert_eq!(lines("", 10), [""]);
        assert_eq!(lines("日本語日本語", 4), ["日本", "語日", "本語"]);
    }

    #[test]
    fn a_command_stays_on_one_line() {
        assert_eq!(lines("ask `see that one`, or not", 18), ["ask", "`see that one`, or", "not"]);
        assert_eq!(lines("ask `see that one` or not", 12), ["ask `see", "that one` or", "not"]);
        assert_eq!(lines("an odd ` in it", 8), ["an odd `", "in it"]);
    }
}
