//! A failed login as a line for people.

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;

use crate::store::recorded::Recorded;
use crate::untrusted::Untrusted;

/// `2026-11-26 04:03:23 mx1 postfix/submission LOGIN 203.0.113.9 "bob" (host.example.net, DE, AS64500 Example)`
pub(super) fn text(event: &Recorded, zone: &TimeZone, color: bool) -> String {
    let style = |style: Style| if color { style } else { Style::new() };
    let dim = style(Style::new().dimmed());
    let who = style(Style::new().bold());
    let what = style(Style::new().fg_color(Some(AnsiColor::Yellow.into())));
    let time = event.time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let logged = [&event.server, &event.service, &event.mechanism];
    let logged: Vec<_> = logged.into_iter().flatten().map(Untrusted::for_terminal).collect();
    let user = event
        .user
        .as_ref()
        .map_or("(no user)".to_owned(), |user| format!("\"{}\"", user.for_terminal()));
    let network = match (event.asn, &event.aso) {
        (Some(number), Some(name)) => Some(format!("AS{number} {}", name.for_terminal())),
        (Some(number), None) => Some(format!("AS{number}")),
        (None, name) => name.as_ref().map(|name| name.for_terminal().into_owned()),
    };
    let name = event.hostname.as_ref().map(|name| name.for_terminal().into_owned());
    let known: Vec<_> = [name, event.country.clone(), network].into_iter().flatten().collect();
    let known = if known.is_empty() { known.join("") } else { format!(" ({})", known.join(", ")) };
    format!(
        "{dim}{time}{dim:#} {} {who}{}{who:#} {what}{user}{what:#}{dim}{known}{dim:#}",
        logged.join(" "),
        event.address
    )
}
