//! One event as a line of mail.log, in the shapes of shared/spec/line-formats.md.
//!
//! Time stamps as rsyslog's RSYSLOG_FileFormat writes them (RFC 3339, microseconds, numeric zone).
//! The session id is built as Dovecot 2.3 builds it (time, port, address in base64), because its
//! length differs between IPv4 and IPv6.

use super::START;
use super::book::{Event, Service, What};
use super::nets::World;
use super::rng::{Rng, mix};
use std::io::Write;
use std::net::IpAddr;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Year, month and day of a day number since 1970 (Hinnant's algorithm).
fn civil(day: u64) -> (u64, u64, u64) {
    let z = day + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn stamp(at: u64) -> String {
    let seconds = START + at / 1_000_000;
    let (year, month, day) = civil(seconds / 86_400);
    let s = seconds % 86_400;
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:06}+00:00", at % 1_000_000)
}

fn session(event: &Event, rng: &mut Rng) -> String {
    let mut bytes = (START * 1_000_000 + event.at).to_le_bytes()[..6].to_vec();
    bytes.extend((rng.range(1024, 65_000) as u16).to_le_bytes());
    match event.from {
        IpAddr::V4(a) => bytes.extend(a.octets()),
        IpAddr::V6(a) => bytes.extend(a.octets()),
    }
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
        text.extend([18, 12, 6, 0].map(|shift| LETTERS[(n >> shift) & 63] as char));
    }
    text
}

fn local(from: IpAddr) -> &'static str {
    match from {
        IpAddr::V4(a) if a.is_loopback() => "127.0.0.1",
        IpAddr::V6(a) if a.is_loopback() => "::1",
        IpAddr::V4(_) => "192.0.2.25",
        IpAddr::V6(_) => "2001:db8:25::25",
    }
}

fn tag(service: Service) -> &'static str {
    match service {
        Service::Port25 => "postfix/smtpd",
        Service::Submission => "postfix/submission/smtpd",
        Service::Smtps => "postfix/smtps/smtpd",
        Service::Imap => "dovecot",
    }
}

pub fn line(log: &mut Vec<u8>, event: &Event, world: &World, rng: &mut Rng) {
    // The lines of one SMTP session mostly come from one process.
    let client = event.from.to_string().bytes().fold(0, |h, b| mix(h ^ u64::from(b)));
    let minute = event.at / 60_000_000;
    let pid = 2000 + minute * 3 / 2 % 60_000 + mix(client ^ minute) % 60;
    let text = match &event.what {
        What::ImapOk { .. } | What::ImapBad { .. } | What::NoAttempt => dovecot(event, pid, rng),
        _ => postfix(event, pid, world),
    };
    // Writing to a Vec cannot fail.
    let _ = writeln!(log, "{} mx1 {text}", stamp(event.at));
}

fn dovecot(event: &Event, pid: u64, rng: &mut Rng) -> String {
    let from = event.from;
    let ends = format!("rip={from}, lip={}", local(from));
    let tls = if from.is_loopback() { ", secured" } else { ", TLS" };
    let id = session(event, rng);
    match &event.what {
        What::ImapOk { user } => format!(
            "dovecot: imap-login: Login: user=<{user}>, method=PLAIN, {ends}, mpid={pid}{tls}, \
             session=<{id}>"
        ),
        What::ImapBad { user, mechanism, tries, seconds } => {
            let way = *rng.pick(&["Connection closed", "Aborted login by logging out"]);
            format!(
                "dovecot: imap-login: Disconnected: {way} (auth failed, {tries} attempts in \
                 {seconds} secs): user=<{user}>, method={mechanism}, {ends}{tls}, session=<{id}>"
            )
        }
        _ => format!(
            "dovecot: imap-login: Disconnected: Connection closed (no auth attempts in 1 secs): \
             user=<>, {ends}{tls}, session=<{id}>"
        ),
    }
}

fn postfix(event: &Event, pid: u64, world: &World) -> String {
    let client = format!("{}[{}]", world.host(event.from), event.from);
    match &event.what {
        What::SmtpOk { user, service } => format!(
            "{}[{pid}]: {:011X}: client={client}, sasl_method=PLAIN, sasl_username={user}",
            tag(*service),
            mix(event.at) >> 20
        ),
        What::SmtpBad { user, mechanism, service } => format!(
            "{}[{pid}]: warning: {client}: SASL {mechanism} authentication failed: \
             (reason unavailable), sasl_username={user}",
            tag(*service)
        ),
        What::Disconnect { service: Service::Port25, good: true } => format!(
            "postfix/smtpd[{pid}]: disconnect from {client} ehlo=1 mail=1 rcpt=1 data=1 quit=1 \
             commands=5"
        ),
        What::Disconnect { service, good: true } => format!(
            "{}[{pid}]: disconnect from {client} ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 \
             quit=1 commands=8",
            tag(*service)
        ),
        What::Disconnect { service, .. } => format!(
            "{}[{pid}]: disconnect from {client} ehlo=1 auth=0/1 quit=1 commands=2/3",
            tag(*service)
        ),
        What::Lost { service } => {
            format!("{}[{pid}]: lost connection after AUTH from {client}", tag(*service))
        }
        What::Connect { service } => format!("{}[{pid}]: connect from {client}", tag(*service)),
        _ => String::new(),
    }
}
