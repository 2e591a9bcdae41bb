//! `account NAME`: all that is known of one account.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Serialize;

use super::campaigns::for_people;
use super::existing::Existing;
use super::findings::evidence;
use super::{Desk, print, print_json, table};
use crate::campaign::{Because, Own};
use crate::cli::args::Account;
use crate::exit::Status;
use crate::origin::Country;
use crate::report::counted;
use crate::report::text::lines;
use crate::report::{grouped, rhythm};
use crate::store::StoreError;
use crate::store::judged::{Dossier, LoggedIn};
use crate::untrusted::unescape;
use crate::user_name::name_of;

/// So many days are shown.
const DAYS: i64 = 30;
/// So many entries of a list.
const MOST: usize = 10;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[derive(Serialize)]
struct Document {
    /// The local part, in small letters.
    name: String,
    /// Null: nobody knows.
    exists: Option<bool>,
    days: Vec<(String, Option<u64>)>,
    attacks: Vec<Attack>,
    own_failures: Vec<OwnFailures>,
    logins: Vec<Login>,
    findings: Vec<i64>,
}

#[derive(Serialize)]
struct Attack {
    campaign: Option<i64>,
    failures: u64,
    addresses: u64,
    first: String,
    last: String,
}

#[derive(Serialize)]
struct OwnFailures {
    user: String,
    network: String,
    failures: u64,
    first: String,
    last: String,
    every_seconds: Option<i64>,
    /// Null: an earlier version judged it.
    because: Option<&'static str>,
}

#[derive(Serialize)]
struct Login {
    account: String,
    network: String,
    service: String,
    country: Option<String>,
    organisation: Option<String>,
    count: u64,
    last: String,
}

pub(super) fn run(desk: &Desk<'_>, args: &Account) -> Result<Status, StoreError> {
    let mut user = Cow::Borrowed(args.name.as_encoded_bytes());
    let today = (desk.host.now)().to_zoned(desk.host.zone.clone()).date();
    let mut dossier = desk.store.dossier(&user, (today, DAYS))?;
    // As we print it, a name has no byte that a terminal would not show.
    if let (true, Some(meant)) = (dossier.is_empty(), unescape(&user)) {
        user = Cow::Owned(meant);
        dossier = desk.store.dossier(&user, (today, DAYS))?;
    }
    let user = &*user;
    let exists = Existing::find(desk).has(&name_of(user), !dossier.logins.is_empty());
    if args.json {
        return Ok(print_json(&document(desk, user, &dossier, exists), Status::Done));
    }
    Ok(print(&told(desk, user, &dossier, exists)?, Status::Done))
}

fn told(
    desk: &Desk<'_>,
    user: &[u8],
    dossier: &Dossier,
    exists: Option<bool>,
) -> Result<String, StoreError> {
    let mut out = String::new();
    let exists = match exists {
        Some(true) => "exists",
        Some(false) => "does not exist here",
        None => "it is not known whether it exists (key `lists` in section [accounts])",
    };
    for line in lines(&format!("{}: {exists}", for_people(&name_of(user))), table::WIDTH) {
        let _ = writeln!(out, "{line}");
    }
    if desk.store.allow_list()?.has_account(user, desk.now) {
        let text = "It is on the list of `maillogsentinel allow`: what fails on it now is no attack, and \
            its theft is not told.";
        for line in lines(text, table::WIDTH) {
            let _ = writeln!(out, "{line}");
        }
    }
    if dossier.is_empty() {
        out.push_str("No login of that name is known, good or failed. Is it written right?\n");
        return Ok(out);
    }
    out.push('\n');
    let all: u64 = dossier.days.iter().filter_map(|(_, count)| *count).sum();
    let most = dossier.days.iter().filter_map(|(_, count)| *count).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "Failed logins in {DAYS} days: {}, at most {} a day\n  {}\n",
        grouped(all),
        grouped(most),
        sparkline(&dossier.days.iter().map(|(_, count)| *count).collect::<Vec<_>>()),
    );
    for finding in dossier.findings.iter().take(3) {
        let state = if finding.acknowledged.is_some() { ", closed" } else { "" };
        let _ = writeln!(out, "Finding {} ({}{state}):", finding.id, finding.severity.text());
        for line in evidence(desk, finding) {
            let _ = writeln!(out, "  {line}");
        }
        out.push('\n');
    }
    attacks(desk, dossier, &mut out);
    own(desk, (&dossier.own, "Its own user fails"), &mut out);
    out.push_str("Last good logins:\n");
    out.push_str(&logins(desk, &dossier.logins));
    Ok(out)
}

fn attacks(desk: &Desk<'_>, dossier: &Dossier, out: &mut String) {
    let shown = dossier.attacks.iter().filter(|it| it.campaign.is_some());
    let small = dossier.attacks.iter().filter(|it| it.campaign.is_none());
    let rows = shown.take(MOST).map(|it| {
        let (number, kind) = it.campaign.unwrap_or_default();
        vec![
            format!("  #{number}"),
            kind.to_owned(),
            counted(it.failures, "failure", "failures"),
            format!("from {}", counted(it.sources, "address", "addresses")),
            format!("{} to {}", desk.moment(it.first), desk.moment(it.last)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let single: u64 = small.map(|it| it.failures).sum();
    if rows.is_empty() && single == 0 {
        out.push_str("No campaign tries it.\n\n");
        return;
    }
    let _ = write!(out, "Campaigns on it:\n{}", table::folded(&rows, 4));
    if single > 0 {
        let and = if rows.is_empty() { "" } else { "and " };
        let _ = writeln!(out, "  {and}{}", counted(single, "single try", "single tries"));
    }
    out.push('\n');
}

/// Failures of users, and why they are theirs.
pub(super) fn own(desk: &Desk<'_>, (own, heading): (&[Own], &str), out: &mut String) {
    if own.is_empty() {
        return;
    }
    let _ = writeln!(out, "{heading} (no attack):");
    let shown = own.get(..MOST).unwrap_or(own);
    let rows =
        shown.iter().map(|it| vec![format!("  {}", it.user.for_terminal()), it.network.cidr()]);
    let rows = table::lines(&rows.collect::<Vec<_>>());
    for (row, own) in rows.lines().zip(shown) {
        let often = own.rhythm().map_or(String::new(), |gap| format!("{}, ", rhythm(gap)));
        let _ = writeln!(
            out,
            "{row}\n      {}, {often}{} to {}",
            counted(own.failures, "failure", "failures"),
            desk.moment(own.first),
            desk.moment(own.last)
        );
        if let Some(because) = own.because {
            let _ = writeln!(out, "      {}", why_own(because));
        }
    }
    out.push('\n');
}

/// Why a failure was judged to be the user's, in words.
fn why_own(because: Because) -> &'static str {
    match because {
        Because::Vouched => "you vouched for it (`maillogsentinel allow`)",
        Because::SameNetwork => "the account had logged in from there",
        Because::Device => "the steady pace of a device with an old password",
        Because::SameProvider => "the account had logged in through that provider",
        Because::Shared => "several accounts log in from there: an office, or a gateway",
    }
}

/// A table of logins that went well.
pub(super) fn logins(desk: &Desk<'_>, logins: &[LoggedIn]) -> String {
    let rows = logins.iter().take(MOST).map(|it| {
        vec![
            format!("  {}", it.last.map_or_else(|| it.day.clone(), |last| desk.moment(last))),
            it.account.for_terminal().into_owned(),
            it.service.for_terminal().into_owned(),
            counted(it.count, "login", "logins"),
            it.network.cidr(),
            it.country.as_ref().map_or("", Country::code).to_owned(),
            it.organisation.as_ref().map_or(String::new(), |it| it.for_terminal().into_owned()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() { "  none\n".to_owned() } else { table::folded(&rows, 3) }
}

/// A bar for each number; a blank for what is not known.
fn sparkline(counts: &[Option<u64>]) -> String {
    let most = counts.iter().flatten().max().copied().unwrap_or(0).max(1);
    let bar = |count: &Option<u64>| match count {
        None => ' ',
        Some(0) => '·',
        Some(count) => {
            let at = (u128::from(*count) * BARS.len() as u128).div_ceil(u128::from(most));
            usize::try_from(at.saturating_sub(1))
                .ok()
                .and_then(|at| BARS.get(at))
                .copied()
                .unwrap_or('█')
        }
    };
    counts.iter().map(bar).collect()
}

fn document(desk: &Desk<'_>, user: &[u8], dossier: &Dossier, exists: Option<bool>) -> Document {
    Document {
        name: for_people(&name_of(user)),
        exists,
        days: dossier.days.iter().map(|(day, count)| (day.to_string(), *count)).collect(),
        attacks: dossier
            .attacks
            .iter()
            .map(|it| Attack {
                campaign: it.campaign.map(|(number, _)| number),
                failures: it.failures,
                addresses: it.sources,
                first: desk.stamp(it.first),
                last: desk.stamp(it.last),
            })
            .collect(),
        own_failures: dossier
            .own
            .iter()
            .map(|it| OwnFailures {
                user: it.user.for_terminal().into_owned(),
                network: it.network.cidr(),
                failures: it.failures,
                first: desk.stamp(it.first),
                last: desk.stamp(it.last),
                every_seconds: it.rhythm(),
                because: it.because.map(Because::key),
            })
            .collect(),
        logins: dossier.logins.iter().map(|it| login(desk, it)).collect(),
        findings: dossier.findings.iter().map(|finding| finding.id).collect(),
    }
}

fn login(desk: &Desk<'_>, it: &LoggedIn) -> Login {
    Login {
        account: it.account.for_terminal().into_owned(),
        network: it.network.cidr(),
        service: it.service.for_terminal().into_owned(),
        country: it.country.as_ref().map(|country| country.code().to_owned()),
        organisation: it.organisation.as_ref().map(|it| it.for_terminal().into_owned()),
        count: it.count,
        last: it.last.map_or_else(|| it.day.clone(), |last| desk.stamp(last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_tells_none_from_unknown() {
        assert_eq!(
            sparkline(&[None, Some(0), Some(1), Some(4), Some(8)]),
            " ·▁▄█",
            "none is a dot"
        );
        assert_eq!(sparkline(&[Some(0), Some(0)]), "··");
        assert_eq!(sparkline(&[Some(u64::MAX), Some(1)]), "█▁");
    }
}
