//! `campaigns`: who attacks, how, and whether it goes on.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::{DAY, Desk, Output, print, print_json, table};
use crate::campaign::{Campaign, Place};
use crate::cli::args::Campaigns;
use crate::cli::fail;
use crate::exit::Status;
use crate::origin::Country;
use crate::report::counted;
use crate::report::{grouped, rhythm};
use crate::store::StoreError;
use crate::store::judged::Attack;
use crate::untrusted::{Untrusted, for_terminal};

/// Campaigns that were seen within so many days are shown, without `--all`.
const RECENT_DAYS: i64 = 30;
/// So many campaigns are shown,
const SHOWN: usize = 50;
/// so many in one table with `--all`,
const ROWS: usize = 1_000;
/// and so many names and networks of one.
const MOST: usize = 20;
/// Of a campaign that tries more names, none is shown beside others: to look for the most tried takes long.
const FEW_NAMES: u64 = 200;

/// A campaign for other programs. Times are RFC 3339.
#[derive(Serialize)]
struct Document {
    campaign: i64,
    kind: &'static str,
    /// The service and the mechanism.
    tool: String,
    first: String,
    last: String,
    running: bool,
    /// When the next try is to be expected, or was, if it is running.
    next: Option<String>,
    failures: u64,
    addresses: u64,
    accounts: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<Target>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    networks: Vec<Network>,
}

#[derive(Serialize)]
struct Target {
    /// The local part, in small letters.
    name: String,
    failures: u64,
    addresses: u64,
    first: String,
    last: String,
}

#[derive(Serialize)]
struct Network {
    country: Option<String>,
    asn: Option<u32>,
    organisation: Option<String>,
    addresses: u64,
}

pub(super) fn run(desk: &Desk<'_>, args: &Campaigns) -> Result<Status, StoreError> {
    let Some(number) = args.id else { return all(desk, args) };
    let Some(campaign) = desk.store.campaign(number)? else {
        let what = format!("there is no campaign {number}");
        return Ok(fail(&what, Some("`maillogsentinel campaigns --all` lists all")));
    };
    let names = desk.store.names_of(campaign.id, if args.json { i64::MAX } else { 21 })?;
    let places = desk.store.places_of(campaign.id)?;
    if args.json {
        let mut document = document(desk, &campaign);
        document.names = names.iter().map(|it| name(desk, it)).collect();
        document.networks = places.iter().map(network).collect();
        return Ok(print_json(&document, Status::Done));
    }
    let mut out = String::new();
    if campaign.number != Some(number) {
        let _ = writeln!(out, "Campaign {number} turned out to be part of this one.\n");
    }
    out.push_str(&told(desk, &campaign, &names, &places));
    Ok(print(&out, Status::Done))
}

fn all(desk: &Desk<'_>, args: &Campaigns) -> Result<Status, StoreError> {
    let since = if args.all { i64::MIN } else { desk.now - RECENT_DAYS * DAY };
    let campaigns = desk.store.campaigns(since)?;
    if args.json {
        let mut out = Output::new();
        out.print_list(campaigns.iter().map(|it| Ok(document(desk, it))))?;
        return Ok(out.end(Status::Done));
    }
    if campaigns.is_empty() {
        let when = if args.all { "" } else { " in the last 30 days (--all for older ones)" };
        return Ok(print(&format!("No campaigns{when}.\n"), Status::Done));
    }
    let shown = campaigns.len().min(if args.all { usize::MAX } else { SHOWN });
    let mut out = Output::new();
    // A year may have more than fit into memory as rows.
    for some in campaigns.get(..shown).unwrap_or_default().chunks(ROWS) {
        out.print(&table::folded(&rows(desk, some)?, 6));
        if out.is_over() {
            break;
        }
    }
    if campaigns.len() > shown {
        out.print(&format!("and {} more (--all and --json show all)\n", campaigns.len() - shown));
    }
    out.print("\n`maillogsentinel campaigns 1` tells all of #1.\n");
    Ok(out.end(Status::Done))
}

/// The table of some campaigns, after its heads.
fn rows(desk: &Desk<'_>, campaigns: &[Campaign]) -> Result<Vec<Vec<String>>, StoreError> {
    let heads = ["", "kind", "failures", "addresses", "first", "last", "accounts", ""];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for campaign in campaigns {
        let most = if campaign.names <= FEW_NAMES { 3 } else { 0 };
        let names = desk.store.names_of(campaign.id, most)?;
        rows.push(vec![
            format!("#{}", campaign.number.unwrap_or_default()),
            campaign.kind().text().to_owned(),
            grouped(campaign.failures),
            grouped(campaign.sources),
            desk.moment(campaign.first),
            desk.moment(campaign.last),
            accounts(campaign, &names),
            state(desk, campaign),
        ]);
    }
    Ok(rows)
}

/// `5: user3, user4, …`.
fn accounts(campaign: &Campaign, names: &[Attack]) -> String {
    if names.is_empty() {
        return grouped(campaign.names);
    }
    let shown: Vec<_> = names.iter().map(|it| for_people(&it.name)).collect();
    let more = if campaign.names > shown.len() as u64 { ", …" } else { "" };
    format!("{}: {}{more}", grouped(campaign.names), shown.join(", "))
}

/// What it works with: the service, as the log calls it, and the mechanism.
pub(super) fn tool(campaign: &Campaign) -> String {
    for_terminal(campaign.tool.trim().as_bytes()).into_owned()
}

/// Whether it goes on, in words.
fn state(desk: &Desk<'_>, campaign: &Campaign) -> String {
    if campaign.is_running(desk.now) {
        format!("running, about {}", rhythm(campaign.gap()))
    } else {
        String::new()
    }
}

fn told(desk: &Desk<'_>, campaign: &Campaign, names: &[Attack], places: &[Place]) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "Campaign #{}: {}; {} from {} against {}",
        campaign.number.unwrap_or_default(),
        campaign.kind().text(),
        counted(campaign.failures, "failed login", "failed logins"),
        counted(campaign.sources, "address", "addresses"),
        counted(campaign.names, "account", "accounts"),
    );
    let _ = writeln!(out, "by {}", tool(campaign));
    let (first, last) = (desk.moment(campaign.first), desk.moment(campaign.last));
    if campaign.is_running(desk.now) {
        let next = campaign.last + campaign.gap();
        let _ = writeln!(out, "since {first}, still running: the last one {last},");
        let _ = writeln!(
            out,
            "about {}; the next one {} at {}",
            rhythm(campaign.gap()),
            if next < desk.now { "was expected" } else { "is expected" },
            desk.moment(next),
        );
    } else {
        let _ = writeln!(out, "since {first}, until {last}: over");
    }
    let mut countries = BTreeMap::<Option<Country>, u64>::new();
    for place in places {
        *countries.entry(place.country).or_default() += place.sources;
    }
    let mut countries: Vec<_> = countries.into_iter().collect();
    countries.sort_by_key(|(country, sources)| (std::cmp::Reverse(*sources), *country));
    let shown = countries.iter().take(8).map(|(country, sources)| {
        format!("{} {sources}", country.as_ref().map_or("unknown", Country::code))
    });
    let shown: Vec<_> = shown.collect();
    let more = countries.len().saturating_sub(8);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let _ = writeln!(out, "\nCountries by addresses: {}{more}", shown.join(", "));
    let rows = names.iter().take(MOST).map(|it| {
        let last = desk.moment(it.last);
        vec![
            format!("  {}", for_people(&it.name)),
            counted(it.failures, "time", "times"),
            format!("from {}", counted(it.sources, "address", "addresses")),
            format!("last {last}"),
        ]
    });
    let _ = write!(out, "\nAccounts:\n{}", table::lines(&rows.collect::<Vec<_>>()));
    more_of(&mut out, campaign.names, names.len());
    let rows = places.iter().take(MOST).map(|it| {
        let number = if it.number == 0 { "unknown".to_owned() } else { format!("AS{}", it.number) };
        vec![
            format!("  {number}"),
            it.country.as_ref().map_or("", Country::code).to_owned(),
            it.organisation.for_terminal().into_owned(),
            counted(it.sources, "address", "addresses"),
        ]
    });
    let _ = write!(out, "\nNetworks:\n{}", table::lines(&rows.collect::<Vec<_>>()));
    more_of(&mut out, places.len() as u64, places.len());
    out
}

fn more_of(out: &mut String, all: u64, known: usize) {
    let hidden = all.saturating_sub(known.min(MOST) as u64);
    if hidden > 0 {
        let _ = writeln!(out, "  and {} more (--json shows all)", grouped(hidden));
    }
}

/// A name for people: unknown ones in words.
pub(super) fn for_people(name: &Untrusted) -> String {
    match name.as_bytes() {
        crate::user_name::UNKNOWN => "(unknown)".to_owned(),
        blank if blank.trim_ascii().is_empty() => format!("\"{}\"", name.for_terminal()),
        _ => name.for_terminal().into_owned(),
    }
}

fn document(desk: &Desk<'_>, campaign: &Campaign) -> Document {
    let running = campaign.is_running(desk.now);
    Document {
        campaign: campaign.number.unwrap_or_default(),
        kind: campaign.kind().text(),
        tool: tool(campaign),
        first: desk.stamp(campaign.first),
        last: desk.stamp(campaign.last),
        running,
        next: running.then(|| desk.stamp(campaign.last + campaign.gap())),
        failures: campaign.failures,
        addresses: campaign.sources,
        accounts: campaign.names,
        names: Vec::new(),
        networks: Vec::new(),
    }
}

fn name(desk: &Desk<'_>, attack: &Attack) -> Target {
    Target {
        name: for_people(&attack.name),
        failures: attack.failures,
        addresses: attack.sources,
        first: desk.stamp(attack.first),
        last: desk.stamp(attack.last),
    }
}

fn network(place: &Place) -> Network {
    let organisation = Some(place.organisation.for_terminal().into_owned());
    Network {
        country: place.country.as_ref().map(|country| country.code().to_owned()),
        asn: Some(place.number).filter(|number| *number != 0),
        organisation: organisation.filter(|text| !text.is_empty()),
        addresses: place.sources,
    }
}
