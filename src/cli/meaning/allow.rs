//! `allow`: networks and accounts that the administrator vouches for.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::Serialize;

use super::table::WIDTH;
use super::{Desk, print, print_json, table};
use crate::cli::args::{Allow, AllowAction, AllowAdd};
use crate::cli::{fail, usage};
use crate::exit::Status;
use crate::report::text::lines;
use crate::store::StoreError;
use crate::store::allowed::Allowed;
use crate::user_name::name_of;

#[derive(Serialize)]
struct Document {
    what: String,
    until: Option<String>,
    comment: Option<String>,
}

pub(super) fn run(desk: &mut Desk<'_>, args: &Allow) -> Result<Status, StoreError> {
    match &args.action {
        Some(AllowAction::Add(add)) => self::add(desk, add),
        Some(AllowAction::Remove(remove)) => {
            let what = match canonical(&remove.what) {
                Ok(what) => what,
                Err(why) => return Ok(usage(&why)),
            };
            if desk.store.disallow(&what)? {
                return Ok(
                    desk.confirm(&format!("{} is not on the list any more.\n", shown(&what)))
                );
            }
            let hint = "`maillogsentinel allow` shows the list";
            Ok(fail(&format!("{} is not on the list", shown(&what)), Some(hint)))
        }
        None => list(desk, args.json),
    }
}

fn add(desk: &mut Desk<'_>, add: &AllowAdd) -> Result<Status, StoreError> {
    let until = match add.until.as_deref().map(|day| Date::strptime("%Y-%m-%d", day)) {
        None => None,
        // That day is the last one.
        Some(Ok(day)) => {
            let end = day.tomorrow().and_then(|day| day.to_zoned(desk.host.zone.clone()));
            Some(end.map_or(i64::MAX, |end| end.timestamp().as_second()))
        }
        Some(Err(_)) => return Ok(usage("--until takes a day, as YYYY-MM-DD")),
    };
    if until.is_some_and(|until| until <= desk.now) {
        return Ok(usage("--until takes today or a day to come"));
    }
    let what = match canonical(&add.what) {
        Ok(what) => what,
        Err(why) => return Ok(usage(&why)),
    };
    let comment = add.comment.as_deref().map(Into::into);
    desk.store.allow(&Allowed { what: what.clone(), until, comment }, desk.now)?;
    let until = add.until.as_ref().map_or(String::new(), |day| format!(" until {day}"));
    let is_network = what.parse::<IpNet>().is_ok();
    let means = if is_network {
        "what fails from there is no attack, and no login from there is told as a theft"
    } else {
        "what fails on it is no attack, and its theft is not told"
    };
    let mut told = format!("{} is on the list{until}: from now on, {means}.", shown(&what));
    if !is_network && !desk.store.has_logged_in(&name_of(what.as_bytes()))? {
        told.push_str(" Nobody of that name has logged in so far.");
    }
    Ok(desk.confirm(&(lines(&told, WIDTH).join("\n") + "\n")))
}

/// An address as the network of it alone, a network by its first address, an account in small letters.
fn canonical(what: &str) -> Result<String, String> {
    if let Ok(address) = what.parse::<IpAddr>() {
        return Ok(IpNet::from(crate::event::canonical(address)).to_string());
    }
    if let Ok(mut network) = what.parse::<IpNet>() {
        if let IpNet::V6(v6) = network
            && let Some(v4) = v6.addr().to_ipv4_mapped()
            && let Some(length) = v6.prefix_len().checked_sub(96)
        {
            network = IpNet::new_assert(v4.into(), length);
        }
        let least = if network.addr().is_ipv4() { 8 } else { 16 };
        if network.prefix_len() < least {
            return Err(format!("{network} is too large to vouch for: /{least} at most"));
        }
        return Ok(network.trunc().to_string());
    }
    if what.is_empty() || what.chars().any(char::is_control) || is_like_address(what) {
        return Err(format!(
            "an address, a network as CIDR or an account is wanted, and {} is none",
            shown(what)
        ));
    }
    Ok(what.to_ascii_lowercase())
}

/// Whether whoever types this means an address or a network: no user name looks like it.
pub(super) fn is_like_address(what: &str) -> bool {
    let has_only = |is: fn(&char) -> bool| what.chars().all(|c| is(&c) || ".:/-,% ".contains(c));
    what.contains(['.', ':', '/'])
        && (has_only(char::is_ascii_digit)
            || (what.contains(':') && has_only(char::is_ascii_hexdigit)))
}

fn list(desk: &Desk<'_>, as_json: bool) -> Result<Status, StoreError> {
    let all = desk.store.allowed()?;
    if as_json {
        let all = all.iter().map(|it| Document {
            what: shown(&it.what).into_owned(),
            until: it.until.map(|until| desk.stamp(until)),
            comment: it.comment.as_ref().map(|it| it.for_terminal().into_owned()),
        });
        return Ok(print_json(&all.collect::<Vec<_>>(), Status::Done));
    }
    if all.is_empty() {
        return Ok(print("The list is empty.\n", Status::Done));
    }
    let rows = all.iter().map(|it| {
        let until = match it.until {
            None => "for good".to_owned(),
            Some(until) if until <= desk.now => format!("over since {}", desk.moment(until)),
            // The last day that it is for, as it was said.
            Some(until) => format!("until {}", desk.moment(until - 1).split_at(10).0),
        };
        let comment = it.comment.as_ref().map(|it| it.for_terminal().into_owned());
        vec![shown(&it.what).into_owned(), until, comment.unwrap_or_default()]
    });
    Ok(print(&table::lines(&rows.collect::<Vec<_>>()), Status::Done))
}

/// Whoever typed it may have copied it from somewhere.
fn shown(what: &str) -> std::borrow::Cow<'_, str> {
    crate::untrusted::for_terminal(what.as_bytes())
}
