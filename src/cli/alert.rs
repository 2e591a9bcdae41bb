//! Alerts about findings that cannot wait for the report: each leaves once by each way that is configured.

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

/// Sends what is due; false if something could not be sent, which the next run tries again.
pub(super) fn send_due(host: &Host, config: &Config) -> bool {
    told(send(host, config))
}

/// The same, and messages of alerts that no server has taken yet: for who does not mail what waits anyway.
pub(super) fn send_all(host: &Host, config: &Config) -> bool {
    let sent = send(host, config);
    // What was mailed in vain just now is not tried again at once.
    let late = sent.is_ok().then(|| report::send_alerts_late(host, config).map(|()| true));
    let late = late.is_none_or(told);
    told(sent) && late
}

/// Whether alerts leave by any way.
pub(super) fn has_ways(host: &Host, config: &Config) -> bool {
    !ways(host, config).is_empty()
}

fn told(done: anyhow::Result<bool>) -> bool {
    match done {
        Ok(all_went_well) => all_went_well,
        Err(error) => {
            let hint = error.downcast_ref::<StoreError>().and_then(StoreError::hint);
            let hint = hint.map_or(String::new(), |hint| format!("\n  hint: {hint}"));
            log::error!("{}{hint}", report::in_one(&error));
            false
        }
    }
}

fn send(host: &Host, config: &Config) -> anyhow::Result<bool> {
    let ways = ways(host, config);
    if ways.is_empty() {
        return Ok(true);
    }
    let mut store = Store::open(&config.paths.state_dir)?;
    let (mut all_went_well, mut mailed) = (true, false);
    for way in ways {
        if way == MAIL {
            mailed = mail_due(&mut store, host, config)?;
        } else {
            all_went_well &= send_by(way, &mut store, (host, config))?;
        }
    }
    if mailed {
        report::send_late(host, config)?;
    }
    Ok(all_went_well)
}

/// Sends what is due by `way`; false if it fails. It is not tried again in this run then: one that hangs
/// would hold the run up for each finding anew.
fn send_by(
    way: &str,
    store: &mut Store,
    (host, config): (&Host, &Config),
) -> Result<bool, StoreError> {
    let now = (host.now)().as_second();
    let due = store.alerts_due(way, now)?;
    let mut left = due.len();
    for finding in &due {
        left -= 1;
        // Those before it may have taken their time.
        let now = (host.now)().as_second();
        // Another run may be at it.
        if !store.claim_alert((finding.id, way), now)? {
            continue;
        }
        let alert = made(host, store, finding);
        let result = leave(way, (host, config), &alert);
        let now = (host.now)().as_second();
        let noted = result.as_ref().copied().map_err(|trouble| trouble.what.as_str());
        store.note_alert((finding.id, way), now, noted)?;
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
        return Ok(false);
    }
    Ok(true)
}

fn leave(way: &str, (host, config): (&Host, &Config), alert: &Alert) -> Result<(), Trouble> {
    let set = &config.alert;
    if way == COMMAND {
        return alert::run(&set.command, alert);
    }
    let url = set.webhook(host.credentials.as_deref())?;
    alert::post(&url, set.shape, alert)
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

/// Puts what is due by mail where reports are sent from; whether there was any.
fn mail_due(store: &mut Store, host: &Host, config: &Config) -> Result<bool, StoreError> {
    let now = (host.now)().as_second();
    let mut mailed = false;
    for finding in store.alerts_due(MAIL, now)? {
        // Another run may be at it.
        if store.claim_alert((finding.id, MAIL), now)? {
            let alert = made(host, store, &finding);
            mail(store, (host, config), &alert)?;
            mailed = true;
        }
    }
    Ok(mailed)
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
