//! `why ADDRESS|NETWORK|ACCOUNT`: the evidence for what it was taken for.

use std::fmt::Write;
use std::net::IpAddr;

use ipnet::IpNet;

use super::account::{logins, own};
use super::allow::is_like_address;
use super::campaigns::{for_people, tool};
use super::table::{self, WIDTH};
use super::{Desk, account, print};
use crate::campaign::{Campaign, Source};
use crate::cli::args::{Account, Why};
use crate::cli::usage;
use crate::event::{Network, canonical};
use crate::exit::Status;
use crate::finding::Finding;
use crate::report::counted;
use crate::report::text::lines;
use crate::store::StoreError;
use crate::store::casebook::findings::Which;
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

/// So many attackers of a network are shown.
const MOST: usize = 20;

/// What somebody asks about.
enum What {
    Address(IpAddr),
    Network(Network),
    Account,
}

/// What `text` is, or why it is nothing that can be told of.
fn what(text: &str) -> Result<What, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(What::Address(canonical(address)));
    }
    let Ok(asked) = text.parse::<IpNet>() else {
        if !is_like_address(text) {
            return Ok(What::Account);
        }
        return Err(format!(
            "an address, its network as CIDR or an account is wanted, and {} is none",
            crate::untrusted::for_terminal(text.as_bytes())
        ));
    };
    if asked.prefix_len() == asked.max_prefix_len() {
        return Ok(What::Address(canonical(asked.addr())));
    }
    let network = Network::of(canonical(asked.addr()));
    if asked.trunc().to_string() == network.cidr() {
        return Ok(What::Network(network));
    }
    Err(format!(
        "networks are told of as /24, or as /64 of IPv6, and {asked} is none: try {}",
        network.cidr()
    ))
}

pub(super) fn run(desk: &Desk<'_>, args: &Why) -> Result<Status, StoreError> {
    match what(&args.what.to_string_lossy()) {
        Err(why) => Ok(usage(&why)),
        Ok(What::Account) => account::run(desk, &Account { name: args.what.clone(), json: false }),
        Ok(What::Address(address)) => about_address(desk, address),
        Ok(What::Network(network)) => about_network(desk, network),
    }
}

fn about_address(desk: &Desk<'_>, address: IpAddr) -> Result<Status, StoreError> {
    let mut out = String::new();
    let network = Network::of(address);
    if desk.store.allow_list()?.has_address(address, desk.now) {
        let text = "is on the list of `maillogsentinel allow`: what it does now is no attack. Below is \
            what was judged before.";
        paragraph(&format!("{address} {text}"), &mut out);
        out.push('\n');
    }
    match desk.store.source(address)? {
        Some((campaign, source)) => attacker(desk, address, (&campaign, &source), &mut out)?,
        None if desk.store.visitors(network)?.1.is_empty() => {
            paragraph(&format!("{address}: no failed login from it is known."), &mut out);
        }
        None => {
            let of = network.cidr();
            paragraph(
                &theft(desk, network, &|_| true)?.map_or_else(
                    || format!("{address}: no attacker. What fails from {of} is users' own."),
                    |it| {
                        format!(
                            "{address}: {} was probably stolen from {of} (finding {}). What fails from there \
                             is taken for a device that had failed there before, or other users'.",
                            it.account.for_terminal(),
                            it.id
                        )
                    },
                ),
                &mut out,
            );
        }
    }
    others(desk, network, &mut out)?;
    Ok(print(&out, Status::Done))
}

fn about_network(desk: &Desk<'_>, network: Network) -> Result<Status, StoreError> {
    let addresses: Vec<_> = match network.address() {
        IpAddr::V4(first) => (0..=255)
            .map(|last| IpAddr::V4(std::net::Ipv4Addr::from_bits(first.to_bits() | last)))
            .collect(),
        // A /64 of IPv6 is one source.
        IpAddr::V6(_) => vec![network.address()],
    };
    let mut rows = Vec::new();
    for address in addresses {
        let Some((campaign, source)) = desk.store.source(address)? else { continue };
        let number = campaign.number.map_or("no campaign".to_owned(), |number| {
            format!("campaign #{number} ({})", campaign.kind().text())
        });
        rows.push(vec![
            format!("  {}", if address.is_ipv4() { address.to_string() } else { network.cidr() }),
            counted(source.failures, "failure", "failures"),
            number,
            format!("{} to {}", desk.moment(source.first), desk.moment(source.last)),
        ]);
    }
    let mut out = String::new();
    if rows.is_empty() {
        paragraph(&format!("{}: no attacker in it is known.", network.cidr()), &mut out);
    } else {
        let count = counted(rows.len() as u64, "attacker", "attackers");
        let _ = writeln!(out, "{}: {count}.", network.cidr());
        let more = rows.len().saturating_sub(MOST);
        rows.truncate(MOST);
        out.push_str(&table::folded(&rows, 3));
        if more > 0 {
            let _ = writeln!(out, "  and {more} more");
        }
        out.push('\n');
    }
    others(desk, network, &mut out)?;
    Ok(print(&out, Status::Done))
}

/// Lines of a text, and an empty one.
fn paragraph(text: &str, out: &mut String) {
    for line in lines(text, WIDTH) {
        out.extend([line.as_str(), "\n"]);
    }
    out.push('\n');
}

/// What else is known of a network: findings, users' own failures, good logins.
fn others(desk: &Desk<'_>, network: Network, out: &mut String) -> Result<(), StoreError> {
    let (visitors, own_failures) = desk.store.visitors(network)?;
    for finding in desk.store.findings(&Which::At(network), 5)? {
        let (id, account) = (finding.id, finding.account.for_terminal());
        let what = format!("Finding {id}, with a login from {}: {account}", network.cidr());
        for line in lines(&what, WIDTH) {
            let _ = writeln!(out, "{line}");
        }
        for line in super::findings::evidence(desk, &finding) {
            let _ = writeln!(out, "  {line}");
        }
        out.push('\n');
    }
    own(desk, (&own_failures, "Users fail from there"), out);
    let _ = write!(out, "Good logins from {}:\n{}", network.cidr(), logins(desk, &visitors));
    Ok(())
}

fn attacker(
    desk: &Desk<'_>,
    address: IpAddr,
    (campaign, source): (&Campaign, &Source),
    out: &mut String,
) -> Result<(), StoreError> {
    let names: Vec<_> = source.names.iter().map(for_people).collect();
    let more = if names.len() >= crate::campaign::NAMES { ", …" } else { "" };
    let many = if source.is_heavy() { "So many are no user who mistypes. " } else { "" };
    paragraph(
        &format!(
            "{address}: an attacker. {} from {} to {}, with {}{more}. {many}{}",
            counted(source.failures, "failed login", "failed logins"),
            desk.moment(source.first),
            desk.moment(source.last),
            names.join(", "),
            who_came(desk, Network::of(address), source)?,
        ),
        out,
    );
    let Some(number) = campaign.number else {
        paragraph(&format!("It is part of no campaign: {}.", too_small(desk)), out);
        return Ok(());
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
    paragraph(
        &format!(
            "It is part of campaign #{number} ({}, {}, {}): {near}.",
            campaign.kind().text(),
            counted(campaign.sources, "address", "addresses"),
            tool(campaign),
        ),
        out,
    );
    Ok(())
}

/// The finding that a thief got in to such an account from a network.
fn theft(
    desk: &Desk<'_>,
    network: Network,
    is_meant: &dyn Fn(&Untrusted) -> bool,
) -> Result<Option<Finding>, StoreError> {
    let findings = desk.store.findings(&Which::At(network), usize::MAX)?;
    let is_it = |it: &Finding| is_meant(&it.account) && it.stolen_from().contains(&network);
    Ok(findings.into_iter().find(is_it))
}

/// What the accounts that a source tried had to do with its network.
fn who_came(desk: &Desk<'_>, network: Network, source: &Source) -> Result<String, StoreError> {
    let these = if source.names.len() == 1 { "this name" } else { "these names" };
    let is_tried = |account: &Untrusted| source.names.contains(&name_of(account.as_bytes()));
    if let Some(finding) = theft(desk, network, &is_tried)? {
        let account = finding.account.for_terminal();
        let by = if finding.acknowledged.is_some() { "was" } else { "was probably" };
        return Ok(format!("{account} {by} stolen from its network (finding {}).", finding.id));
    }
    let mut came: Option<i64> = None;
    for name in source.names.iter() {
        let first = desk.store.first_login((name, network))?;
        came = came.into_iter().chain(first).min();
    }
    Ok(match came {
        None => format!("Nobody of {these} had logged in from its network."),
        Some(first) if first > source.first => {
            format!("When it began, nobody of {these} had logged in from its network.")
        }
        Some(_) => "Somebody of that name logs in from its network, but no user fails like that."
            .to_owned(),
    })
}

fn too_small(desk: &Desk<'_>) -> String {
    let limits = &desk.config.thresholds;
    format!(
        "one has {} (`campaign_sources`) or {} (`campaign_failures`) at least",
        counted(limits.campaign_sources, "address", "addresses"),
        counted(limits.campaign_failures, "failure", "failures")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_its_network_or_an_account_is_asked_about() {
        let is = |text: &str| match what(text) {
            Ok(What::Address(address)) => address.to_string(),
            Ok(What::Network(network)) => network.cidr(),
            Ok(What::Account) => "account".to_owned(),
            Err(why) => why,
        };
        assert_eq!(is("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(is("203.0.113.7/32"), "203.0.113.7");
        assert_eq!(is("203.0.113.7/24"), "203.0.113.0/24");
        assert_eq!(is("2001:db8::1/64"), "2001:db8::/64");
        assert_eq!(is("alice@example.org"), "account");
        assert_eq!(is("a/b"), "account");
        assert!(is("203.0.113.0/25").ends_with("try 203.0.113.0/24"), "{}", is("203.0.113.0/25"));
        assert!(is("203.0.0.0/16").contains("as /24"), "{}", is("203.0.0.0/16"));
        assert!(is("203.0.113.0/33").contains("as CIDR"), "{}", is("203.0.113.0/33"));
    }
}
