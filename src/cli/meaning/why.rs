//! `why ADDRESS|ACCOUNT`: the evidence for what it was taken for.

use std::fmt::Write;
use std::net::IpAddr;

use super::account::{logins, own};
use super::campaigns::for_people;
use super::{Desk, account, print};
use crate::campaign::{Campaign, Source};
use crate::cli::args::{Account, Why};
use crate::event::Network;
use crate::exit::Status;
use crate::report::grouped;
use crate::store::StoreError;
use crate::store::casebook::findings::Which;

pub(super) fn run(desk: &Desk<'_>, args: &Why) -> Result<Status, StoreError> {
    let text = args.what.to_string_lossy();
    let Ok(address) = text.parse::<IpAddr>() else {
        let account = Account { name: args.what.clone(), json: false };
        return account::run(desk, &account);
    };
    let address = crate::event::canonical(address);
    let mut out = String::new();
    let (visitors, own_failures) = desk.store.visitors(Network::of(address))?;
    match desk.store.source(address)? {
        Some((campaign, source)) => attacker(desk, address, (&campaign, &source), &mut out),
        None if own_failures.is_empty() => {
            let _ = writeln!(out, "{address}: no failed login from it is known.\n");
        }
        None => {
            let _ = writeln!(
                out,
                "{address}: no attacker. Its failures are users' own: they log in from there, or it is a device that \
                 tries at a steady pace, or you vouch for it.\n"
            );
        }
    }
    for finding in desk.store.findings(&Which::At(Network::of(address)), 5)? {
        let _ = writeln!(out, "Finding {}: {}", finding.id, finding.account.for_terminal());
        for line in super::findings::evidence(desk, &finding) {
            let _ = writeln!(out, "  {line}");
        }
        out.push('\n');
    }
    own(desk, &own_failures, &mut out);
    let _ = write!(
        out,
        "Good logins from {}:\n{}",
        Network::of(address).cidr(),
        logins(desk, &visitors)
    );
    Ok(print(&out, Status::Done))
}

fn attacker(
    desk: &Desk<'_>,
    address: IpAddr,
    (campaign, source): (&Campaign, &Source),
    out: &mut String,
) {
    let names: Vec<_> = source.names.iter().map(for_people).collect();
    let more = if names.len() >= crate::campaign::NAMES { ", …" } else { "" };
    let _ = writeln!(
        out,
        "{address}: an attacker. {} failed logins from {} to {}, with {}{more}",
        grouped(source.failures),
        desk.moment(source.first),
        desk.moment(source.last),
        names.join(", "),
    );
    out.push_str(match source.names.len() {
        _ if source.is_heavy() => {
            "So many are no user who mistypes, and nobody of these names had logged in from its \
             network.\n"
        }
        _ => "Nobody of these names had logged in from its network.\n",
    });
    let Some(number) = campaign.number else {
        let _ = writeln!(out, "It is part of no campaign: {}.\n", too_small(desk));
        return;
    };
    let near = if campaign.is_crowd {
        "sources by themselves that used the same tool within the same hours"
    } else if campaign.is_light() && campaign.sources > 1 {
        "bots that tried the same names with the same tool"
    } else if campaign.sources > 1 {
        "attackers next to it, or with the same list of names"
    } else {
        "itself alone"
    };
    let _ = writeln!(
        out,
        "It is part of campaign #{number} ({}, {} addresses, {}): {near}.\n",
        campaign.kind().text(),
        grouped(campaign.sources),
        campaign.tool.trim(),
    );
}

fn too_small(desk: &Desk<'_>) -> String {
    let limits = &desk.config.thresholds;
    format!(
        "one has {} addresses (`campaign_sources`) or {} failures (`campaign_failures`) at least",
        limits.campaign_sources, limits.campaign_failures
    )
}
