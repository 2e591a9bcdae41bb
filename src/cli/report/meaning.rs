//! What a day means, in sentences: the verdict, campaigns, own users, and what to do.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::campaign::{Campaign, Own};
use crate::config::Config;
use crate::figures::{Figures, hides_clients};
use crate::finding::{Finding, Severity, severity};
use crate::host::Host;
use crate::meaning::{Meaning, Verdict};
use crate::report::counted;
use crate::report::{grouped, rhythm};
use crate::store::casebook::findings::Which;
use crate::store::day_meaning::Judged;
use crate::store::{Store, StoreError};
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

/// So many campaigns, users and accounts are told of.
const MOST: usize = 5;
/// What is unusual for an account is known after so many days.
const DAYS_NEEDED: i64 = 3;

/// What is known of a day, for its meaning.
pub(super) struct Known<'k> {
    pub(super) day: Date,
    pub(super) is_over: bool,
    pub(super) figures: &'k Figures,
    /// Not all could be read.
    pub(super) has_errors: bool,
}

/// What a day means; that of a day which is over is kept, so that its report stays the same.
pub(super) fn of(
    store: &mut Store,
    (host, config): (&Host, &Config),
    known: &Known<'_>,
) -> Result<Meaning, StoreError> {
    let counts = (known.figures.total, known.figures.coverage.logins);
    let is_final = known.is_over && !known.has_errors;
    if is_final
        && let Some(document) = store.told(known.day, counts)?
        && let Ok(meaning) = serde_json::from_str(&document)
    {
        return Ok(meaning);
    }
    let meaning = make(store, (host, config), known)?;
    if is_final {
        let document = serde_json::to_string(&meaning).unwrap_or_default();
        store.tell(known.day, counts, &document)?;
    }
    Ok(meaning)
}

fn make(
    store: &Store,
    (host, config): (&Host, &Config),
    known: &Known<'_>,
) -> Result<Meaning, StoreError> {
    let second = |day: Date| {
        day.to_zoned(host.zone.clone()).map_or(0, |start| start.timestamp().as_second())
    };
    let (from, to) = (second(known.day), second(known.day.tomorrow().unwrap_or(known.day)));
    // Only what had been seen by the end of the day counts.
    let mut findings = store.findings(&Which::Between(from, to), usize::MAX)?;
    for finding in &mut findings {
        finding.signs.retain(|sign| sign.time < to);
        finding.severity = severity(&finding.signs).unwrap_or(Severity::Low);
    }
    // As somebody said, those were the users themselves.
    findings.retain(|finding| finding.was_user != Some(true));
    let judged = store.judged((from, to))?;
    let own = store.own_failures(from)?;
    let own: Vec<_> = own.into_iter().filter(|own| own.first < to && is_worth(own)).collect();
    let history = store.days_of_logins(known.day)?;
    // What somebody did earlier is not over before somebody said so.
    let mut open = store.findings(&Which::Severe, usize::MAX)?;
    open.retain(|it| it.time < from && findings.iter().all(|other| other.id != it.id));
    let (verdict, mut to_do) = verdict(host, known, (&findings, &open), history);
    let is_told = |id: i64| findings.iter().chain(&open).any(|it| it.id == id);
    let mut others = store.findings(&Which::Open((host.now)().as_second()), usize::MAX)?;
    others.retain(|it| it.time < to && (it.severity == Severity::Low || !is_told(it.id)));
    if to_do.is_empty() {
        to_do.push(nothing_urgent(store, &judged)?);
        if verdict == Verdict::NobodyGotIn && !config.detect.services.dovecot {
            let only = "Logins by IMAP and POP3 were not looked at: they are with `services = postfix, \
                dovecot` in [detect].";
            to_do.push(only.to_owned());
        }
    }
    to_do.extend(others_open(&others));
    let end = to.min((host.now)().as_second());
    let campaigns = judged.campaigns.iter().take(MOST);
    let campaigns = campaigns.map(|it| campaign(store, host, it, end));
    let mut campaigns = campaigns.collect::<Result<Vec<_>, _>>()?;
    if judged.campaigns.len() > MOST {
        let more = (judged.campaigns.len() - MOST) as u64;
        let more = counted(more, "more campaign", "more campaigns");
        campaigns.push(format!("And {more}: `maillogsentinel campaigns` lists all."));
    }
    let mut own_users = Vec::new();
    for own in own.iter().take(MOST) {
        let failures = store.failures_of((&own.user, own.network), (from, to))?;
        let is_ours = store.has_logged_in(&name_of(own.user.as_bytes()))?;
        own_users.push(own_user(host, own, (failures, is_ours)));
    }
    Ok(Meaning { verdict, own_failures: judged.own, campaigns, own_users, to_do })
}

/// Whether so many failures are more than a slip of the fingers.
fn is_worth(own: &Own) -> bool {
    own.failures >= 10 || own.rhythm().is_some()
}

/// The verdict, and what follows from it.
fn verdict(
    host: &Host,
    known: &Known<'_>,
    (findings, open): (&[Finding], &[Finding]),
    history: i64,
) -> (Verdict, Vec<String>) {
    let of = |severity: Severity| {
        let all = findings.iter().filter(move |it| it.severity == severity);
        names(all)
    };
    let (doubtful, still) = (unseen(findings, Severity::Medium), names(open.iter()));
    let cannot = |why: &str, to_do: &str| {
        let to_do = Some(to_do.to_owned()).filter(|it| !it.is_empty());
        let asked = Some(&doubtful).filter(|names| !names.is_empty()).map(|names| asking(names));
        let to_do = in_turn(to_do.into_iter().chain(asked));
        (Verdict::CannotTell { why: why.to_owned() }, to_do)
    };
    let mut stolen = of(Severity::High);
    let is_new = |name: &&String| !stolen.contains(name);
    let older: Vec<_> = still.iter().filter(is_new).cloned().collect();
    stolen.extend(older);
    if !stolen.is_empty() {
        let to_do = about_the_stolen(host, known, (findings, open));
        return (Verdict::Stolen { accounts: stolen }, to_do);
    }
    let coverage = &known.figures.coverage;
    if known.figures.total == 0 && coverage.lines == 0 && coverage.logins == 0 {
        return cannot(
            "nothing was read of that day",
            "`maillogsentinel doctor` tells whether the log is found and goes on.",
        );
    }
    if known.figures.imported > 0 {
        return cannot(
            "at least part of that day is known from the former program's CSV only",
            "nothing for that day; what comes from now on is read in full.",
        );
    }
    if known.has_errors {
        return cannot("not all of the log could be read", "mend what is named below.");
    }
    let own = host.address();
    let is_hidden = known
        .figures
        .busiest_address
        .is_some_and(|(address, count)| hides_clients(address, count, known.figures.total, own));
    if is_hidden {
        return cannot("the clients' addresses are hidden", "let the log have them (see above).");
    }
    if !doubtful.is_empty() {
        let names = listed(&doubtful);
        return cannot(&format!("ask who logged in as {names}"), "");
    }
    if coverage.logins > 0 && history < DAYS_NEEDED {
        return cannot("the good logins of some days are needed to know what is unusual", "");
    }
    (Verdict::NobodyGotIn, Vec::new())
}

/// What to do when accounts are probably stolen, and about those that may be.
fn about_the_stolen(
    host: &Host,
    known: &Known<'_>,
    (findings, open): (&[Finding], &[Finding]),
) -> Vec<String> {
    let mut to_do = Vec::new();
    let new = unseen(findings, Severity::High);
    if !new.is_empty() {
        to_do.push(format!(
            "lock {} now, then look at what was sent: `sudo maillogsentinel findings` tells the evidence and \
             the commands.",
            listed(&new)
        ));
    }
    if let Some(first) = open.last() {
        let accounts = names(open.iter());
        to_do.push(format!(
            "finding {} of {} {} open. Lock {} if you have not; `sudo maillogsentinel findings` tells the \
             commands, and `sudo maillogsentinel findings ack {}` closes it.",
            first.id,
            day(host, first.time),
            if known.is_over { "was still" } else { "is still" },
            listed(&accounts),
            first.id,
        ));
    }
    let doubtful = unseen(findings, Severity::Medium);
    if !doubtful.is_empty() {
        to_do.push(asking(&doubtful));
    }
    if to_do.is_empty() {
        let seen = "nothing more, somebody has seen to it (`sudo maillogsentinel findings ack`).";
        to_do.push(seen.to_owned());
    }
    in_turn(to_do)
}

/// What is to do, one after the other.
fn in_turn(to_do: impl IntoIterator<Item = String>) -> Vec<String> {
    let words = std::iter::once("To do: ").chain(std::iter::repeat("And: "));
    words.zip(to_do).map(|(word, it)| format!("{word}{it}")).collect()
}

fn asking(accounts: &[String]) -> String {
    let names = listed(accounts);
    format!("ask {names} whether that was they: `sudo maillogsentinel findings` tells what is odd.")
}

/// The accounts of findings that nobody acknowledged.
fn unseen(findings: &[Finding], of: Severity) -> Vec<String> {
    names(findings.iter().filter(|it| it.severity == of && it.acknowledged.is_none()))
}

/// What else is open, which the verdict is not about.
fn others_open(others: &[Finding]) -> Option<String> {
    let worst = others.iter().map(|it| it.severity).max()?;
    let whose = match worst {
        Severity::Low => "may well be users on journeys",
        _ => "ask their users",
    };
    let count = counted(others.len() as u64, "more finding", "more findings");
    let verb = if others.len() == 1 { "is" } else { "are" };
    Some(format!("And {count} {verb} open, {whose}: `sudo maillogsentinel findings`."))
}

/// What to do on a quiet day: strong passwords where attackers knock.
fn nothing_urgent(store: &Store, judged: &Judged) -> Result<String, StoreError> {
    let mut existing = Vec::new();
    for (campaign, ..) in judged.campaigns.iter().take(MOST) {
        for attack in store.names_of(campaign.id, 20)? {
            let name = without_quotes(&attack.name);
            if !existing.contains(&name) && store.has_logged_in(&attack.name)? {
                existing.push(name);
            }
        }
    }
    if existing.is_empty() {
        return Ok("To do: nothing.".to_owned());
    }
    let verb = if existing.len() == 1 { "exists" } else { "exist" };
    Ok(format!(
        "To do: nothing urgent. {} {verb} here: check that the password is strong.",
        listed(&existing)
    ))
}

fn campaign(
    store: &Store,
    host: &Host,
    (campaign, failures, sources): &(Campaign, u64, u64),
    end: i64,
) -> Result<String, StoreError> {
    let names = store.names_of(campaign.id, 3)?;
    let names: Vec<_> = names.iter().map(|it| shown(&it.name)).collect();
    let more = campaign.names.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
    let state = if campaign.is_running(end) { ", still running" } else { "" };
    Ok(format!(
        "Campaign #{} ({}): {} of them from {}, on {}{more}; since {}{state}.",
        campaign.number.unwrap_or_default(),
        campaign.kind().text(),
        grouped(*failures),
        counted(*sources, "address", "addresses"),
        names.join(", "),
        day(host, campaign.first),
    ))
}

/// A user who cannot log in; of one who never did, it is known only that what tries is no attacker's tool.
fn own_user(host: &Host, own: &Own, (failures, is_ours): (u64, bool)) -> String {
    let often = own.rhythm().map_or(String::new(), |gap| format!(", {}", rhythm(gap)));
    let user = shown(&own.user);
    let who = if is_ours {
        format!("Your user {user} cannot log in (no attack)")
    } else {
        format!("A device tries {user}, who never logged in here (by its pace no attack)")
    };
    format!(
        "{who}: {} that day from {}{often}, since {}.",
        counted(failures, "failure", "failures"),
        own.network.cidr(),
        day(host, own.first),
    )
}

fn shown(name: &Untrusted) -> String {
    match name.as_bytes() {
        crate::user_name::UNKNOWN => "unknown names".to_owned(),
        b"" => "\"\"".to_owned(),
        _ => without_quotes(name),
    }
}

/// A name for a sentence. What stands between backticks is shown as a command of ours, and a stranger
/// is not to make one.
fn without_quotes(name: &Untrusted) -> String {
    name.for_terminal().replace('`', "\\x60")
}

fn day(host: &Host, second: i64) -> String {
    let time = Timestamp::from_second(second).unwrap_or_default();
    time.to_zoned(host.zone.clone()).strftime("%Y-%m-%d").to_string()
}

/// The accounts of findings, each once: after a month, a finding that is still open gets no new signs.
fn names<'f>(findings: impl Iterator<Item = &'f Finding>) -> Vec<String> {
    let mut seen = HashSet::new();
    let names = findings.map(|it| without_quotes(&it.account));
    names.filter(|name| seen.insert(name.clone())).collect()
}

fn listed(names: &[String]) -> String {
    let (shown, more) = names.split_at(names.len().min(MOST));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", shown.join(", "))
}
