//! Alerts about findings that cannot wait for the report: each leaves once by each way that is configured.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::meaning::sentence_in_one;
use super::report;
use crate::alert::{self, Alert, Severity, Trouble};
use crate::config::Config;
use crate::finding::Finding;
use crate::host::Host;
use crate::meaning::Verdict;
use crate::report::message::{Letter, message_id};
use crate::store::{Store, StoreError};

/// The ways, as the store calls them.
const MAIL: &str = "mail";
const WEBHOOK: &str = "webhook";
const COMMAND: &str = "command";
/// So long another run may write without a break: it may ask for names meanwhile.
const A_WHILE: Duration = Duration::from_secs(120);
/// So often it is tried meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// How it went.
#[derive(Default)]
pub(super) struct Sent {
    /// Something could not be sent, which was said; the next run tries it again.
    pub(super) failed: bool,
    /// Another process is at something, or was killed at it.
    pub(super) later: bool,
    /// A message was put where reports are sent from.
    pub(super) mail_waits: bool,
}

/// Sends what is due by webhook and command, and puts what leaves by mail where reports are sent from.
pub(super) fn send_due(host: &Host, config: &Config) -> Sent {
    let mut sent = Sent::default();
    for way in ways(host, config) {
        let done = match way {
            MAIL => mail_due((host, config), &mut sent),
            _ => send_by(way, (host, config), &mut sent),
        };
        if let Err(error) = done {
            let hint = error.hint().map_or(String::new(), |hint| format!("\n  hint: {hint}"));
            log::error!("{error}{hint}");
            sent.failed = true;
        }
    }
    sent
}

/// The same, and sends the messages of alerts: for who mails nothing else.
pub(super) fn send_all(host: &Host, config: &Config) -> Sent {
    let mut sent = send_due(host, config);
    if let Err(error) = report::send_alerts_late(host, config) {
        log::error!("{}", report::in_one(&error));
        sent.failed = true;
    }
    sent
}

/// Whether alerts leave by any way.
pub(super) fn has_ways(host: &Host, config: &Config) -> bool {
    !ways(host, config).is_empty()
}

/// Sends what is due by `way`. After one that fails no other is tried in this run: one that hangs would
/// hold the run up for each finding anew.
fn send_by(way: &str, (host, config): (&Host, &Config), sent: &mut Sent) -> Result<(), StoreError> {
    let state_dir = &config.paths.state_dir;
    let due = Store::open(state_dir)?.alerts_due(way, (host.now)().as_second())?;
    let mut left = due.len();
    for finding in &due {
        left -= 1;
        let alert = {
            // Nobody has it open while a server thinks.
            let mut store = Store::open(state_dir)?;
            // Those before it may have taken their time.
            if !store.claim_alert((finding.id, way), (host.now)().as_second())? {
                sent.later = true;
                continue;
            }
            made(host, &store, finding)
        };
        let result = leave(way, (host, config), &alert);
        note((host, config), (finding.id, way), &result)?;
        let Err(Trouble { what, cure }) = result else {
            log::info!("Alert sent by {way}: {}", alert.title);
            continue;
        };
        let others = match left {
            0 => String::new(),
            1 => ", as is the other one that waits".to_owned(),
            others => format!(", as are the {others} others that wait"),
        };
        log::error!(
            "The alert about {} did not leave by {way}: {what}; it is tried again by the next run{others}\n  \
             hint: {cure}",
            alert.account
        );
        sent.failed = true;
        break;
    }
    Ok(())
}

/// Notes what became of an alert, however long another run writes: what has left must not leave again.
fn note(
    (host, config): (&Host, &Config),
    which: (i64, &str),
    result: &Result<(), Trouble>,
) -> Result<(), StoreError> {
    let began = Instant::now();
    loop {
        let now = (host.now)().as_second();
        let noted = result.as_ref().copied().map_err(|trouble| trouble.what.as_str());
        let done = Store::open(&config.paths.state_dir)
            .and_then(|mut store| store.note_alert(which, now, noted));
        match done {
            Err(error) if error.is_busy() && began.elapsed() < A_WHILE && !host.stopping() => {
                thread::sleep(LOOK);
            }
            done => return done,
        }
    }
}

fn leave(way: &str, (host, config): (&Host, &Config), alert: &Alert) -> Result<(), Trouble> {
    let set = &config.alert;
    if way == COMMAND {
        return alert::run(&set.command, alert, &|| host.stopping());
    }
    let url = set.webhook(host.credentials.as_deref())?;
    alert::post(&url, set.shape, alert, &|| host.stopping())
}

fn ways(host: &Host, config: &Config) -> Vec<&'static str> {
    let alert = &config.alert;
    let wanted = [
        (MAIL, alert.mail && !config.report.email.is_empty()),
        (WEBHOOK, alert.has_webhook(host.credentials.as_deref())),
        (COMMAND, !alert.command.is_empty()),
    ];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(way, _)| way).collect()
}

fn made(host: &Host, store: &Store, finding: &Finding) -> Alert {
    let account = finding.account.for_terminal().into_owned();
    let server = host.full_name();
    let verdict = Verdict::Stolen { accounts: vec![account.clone()] };
    let stamp = |second: i64, format: &str| {
        let time = Timestamp::from_second(second).unwrap_or_default();
        time.to_zoned(host.zone.clone()).strftime(format).to_string()
    };
    let signs = finding.signs.iter().take(20);
    Alert {
        // The time keeps apart what two stores of one server call by the same number.
        id: format!("{server}-finding-{}-{}", finding.id, finding.time),
        finding: finding.id,
        severity: Severity::High,
        title: format!("{} on {server}", verdict.text()),
        since: stamp(finding.time, "%Y-%m-%dT%H:%M:%S%:z"),
        evidence: signs
            .map(|sign| {
                format!("{}  {}", stamp(sign.time, "%Y-%m-%d %H:%M"), sentence_in_one(store, sign))
            })
            .collect(),
        account,
        server,
    }
}

/// Puts what is due by mail where reports are sent from.
fn mail_due((host, config): (&Host, &Config), sent: &mut Sent) -> Result<(), StoreError> {
    let mut store = Store::open(&config.paths.state_dir)?;
    let now = (host.now)().as_second();
    for finding in store.alerts_due(MAIL, now)? {
        if store.claim_alert((finding.id, MAIL), now)? {
            let alert = made(host, &store, &finding);
            mail(&mut store, (host, config), &alert)?;
            sent.mail_waits = true;
        } else {
            sent.later = true;
        }
    }
    Ok(())
}

/// Puts an alert where reports are sent from, which tries until a server has taken it.
fn mail(
    store: &mut Store,
    (host, config): (&Host, &Config),
    alert: &Alert,
) -> Result<(), StoreError> {
    let made_at = (host.now)().to_zoned(host.zone.clone());
    let to = config.report.recipients(&alert.server);
    let subject = format!("{} {}", config.report.subject_prefix, alert.title);
    let about = format!("finding {}", alert.finding);
    let letter = Letter {
        from: config.report.sender(&host.user(), &alert.server),
        to: to.clone(),
        subject: subject.trim().to_owned(),
        date: made_at.clone(),
        message_id: message_id(&alert.id, &alert.server),
        text: alert.text() + "\n",
        html: None,
        attachment: None,
    };
    let to: Vec<_> = to.iter().map(ToString::to_string).collect();
    let now = made_at.timestamp().as_second();
    store.mail_alert(alert.finding, now, (&about, &to, &letter.to_bytes()))
}
