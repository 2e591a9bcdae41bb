//! The report in a few sentences: how many, whether that is more than usual, who and when.

use jiff::SignedDuration;

use super::{Report, counted, grouped};
use crate::figures::{Hour, hides_clients, median_hundredths};

/// So few more or less are nothing, whatever they are a multiple of.
const A_FEW: u64 = 5;
/// From this multiple of the usual on, it is more; below its inverse, it is less.
const MORE: u64 = 150;
/// Likewise, much more.
const MUCH_MORE: u64 = 300;

/// The sentences, the most important one first; plain text without line ends.
pub fn sentences(report: &Report) -> Vec<String> {
    let figures = &report.figures;
    let meaning = report.meaning.as_ref();
    let mut sentences: Vec<_> =
        meaning.map(|meaning| meaning.verdict.text() + ".").into_iter().collect();
    sentences.push(how_many(report));
    if let Some(own) = meaning.map(|meaning| meaning.own_failures).filter(|own| *own > 0) {
        sentences.push(format!(
            "{} of them {} your own users', and no attack.",
            grouped(own),
            if own == 1 { "is" } else { "are" }
        ));
    }
    if figures.total > 0 {
        // Without a database, nothing is known of networks.
        let networks = match figures.networks {
            0 => String::new(),
            some => format!(" in {}", counted(some, "known network", "known networks")),
        };
        sentences.push(format!(
            "All came from {}{networks}, against {}.",
            counted(figures.addresses, "address", "addresses"),
            counted(figures.accounts, "account", "accounts"),
        ));
        sentences.extend(hidden(report));
        sentences.extend(busiest(report));
    }
    if figures.imported > 0 {
        sentences.push(format!(
            "{} taken over from the former program's CSV, which did not tell failed logins from \
             successful ones.",
            counted(figures.imported, "of them was", "of them were")
        ));
    }
    sentences.extend(silent(report));
    if let Some(meaning) = meaning {
        let all = [&meaning.campaigns, &meaning.own_users, &meaning.to_do];
        sentences.extend(all.into_iter().flatten().cloned());
    }
    for error in &report.errors {
        let error = error.split("\n  hint: ").next().unwrap_or_default();
        sentences.push(format!("Not all could be read: {}", error.replace('\n', " ")));
    }
    sentences
}

fn how_many(report: &Report) -> String {
    let figures = &report.figures;
    let day = if report.is_today { "today so far".to_owned() } else { report.when() };
    if figures.total == 0 {
        return match figures.coverage.lines {
            0 if report.knows_nothing() => format!(
                "Nothing was read of {}: whether anybody tried to log in cannot be told.",
                if report.is_today { "today".to_owned() } else { report.day.to_string() }
            ),
            _ if !figures.servers.is_empty() => format!("No failed logins {day} in the database."),
            lines => format!(
                "No failed logins {day}: {} of that day {} read{}.",
                counted(lines, "line", "lines"),
                if lines == 1 { "was" } else { "were" },
                report.last_line().map_or(String::new(), |at| format!(", the last of {at}")),
            ),
        };
    }
    let total = counted(figures.total, "failed login", "failed logins");
    format!("{total} {day}, {}.", compared(report))
}

/// The servers that had failures before, and none on the day: not all of them may be that quiet.
fn silent(report: &Report) -> Option<String> {
    let silent = report.figures.servers.iter().filter(|server| server.count == 0);
    let silent: Vec<_> = silent
        .map(|server| format!("{} (last on {})", server.name.for_terminal(), server.last))
        .collect();
    let (shown, more) = silent.split_at(silent.len().min(5));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!silent.is_empty()).then(|| {
        format!(
            "Nothing {} came from {}{more}: check that its rows still reach the database.",
            report.when(),
            shown.join(", ")
        )
    })
}

/// The number beside those of the days before.
fn compared(report: &Report) -> String {
    let figures = &report.figures;
    let Some(usual) = usual_hundredths(report) else {
        return "with too few days before to tell whether that is usual".to_owned();
    };
    let is_near = figures.total.abs_diff(usual / 100) < A_FEW;
    let words = match figures.total.saturating_mul(10_000).checked_div(usual) {
        Some(_) if is_near => "about as usual",
        None => "where on most days there are none",
        Some(percent) if percent >= MUCH_MORE => "much more than usual",
        Some(percent) if percent >= MORE => "more than usual",
        Some(percent) if percent.saturating_mul(MORE) <= 10_000 => "less than usual",
        Some(_) => "about as usual",
    };
    let usual = grouped(usual.div_ceil(100));
    if report.is_today {
        return format!("{words} (by this time {usual})");
    }
    let before = figures.days.iter().rev().nth(1).and_then(|(_, count)| *count);
    let before =
        before.map_or(String::new(), |count| format!("{} the day before, ", grouped(count)));
    format!("{words} ({before}median of the 14 days before {usual})")
}

/// The median of the days before, times 100; of a day that is not over, of what they had by this time.
fn usual_hundredths(report: &Report) -> Option<u64> {
    let figures = &report.figures;
    if report.is_today {
        let now = report.made_at.timestamp();
        let hour = SignedDuration::from_hours(1);
        let is_over = |it: &&Hour| it.start.checked_add(hour).is_ok_and(|end| end <= now);
        let last = figures.hours.iter().rev().find(is_over).or(figures.hours.first());
        return last?.usual_by_then_hundredths;
    }
    let days = figures.days.iter().rev().skip(1).take(14);
    median_hundredths(days.filter_map(|(_, count)| *count).collect())
}

/// What stands before the mail server and hides who its clients are.
fn hidden(report: &Report) -> Option<String> {
    let figures = &report.figures;
    let own = report.address.parse().ok();
    let (address, count) = figures.busiest_address?;
    hides_clients(address, count, figures.total, own).then(|| {
        format!(
            "The clients' addresses are hidden: {} of the failed logins came from {address}, which is this \
             network's own, most likely a proxy, a gateway or a container's bridge; \
             docs/troubleshooting.md tells how to mend it.",
            if count == figures.total { "all".to_owned() } else { grouped(count) },
        )
    })
}

fn busiest(report: &Report) -> Option<String> {
    let most = report.figures.hours.iter().map(|hour| hour.count).max().filter(|most| *most > 1)?;
    let mut busiest = report.figures.hours.iter().filter(|hour| hour.count == most);
    let hour = busiest.next()?;
    if busiest.next().is_some() {
        return None;
    }
    let next = (hour.of_day + 1).rem_euclid(24);
    Some(format!(
        "The busiest hour was {:02}:00 to {next:02}:00, with {}.",
        hour.of_day,
        grouped(most)
    ))
}
