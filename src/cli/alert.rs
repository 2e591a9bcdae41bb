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
use crate::store::{Store, StoreError, patiently};

/// The ways, as the store calls them.
const MAIL: &str = "mail";
const WEBHOOK: &str = "webhook";
const COMMAND: &str = "command";

/// How it went.
#[derive(Default)]
pub(super) struct Sent {
    /// Why something could not be sent, which the next run tries again.
    pub(super) errors: Vec<String>,
    /// Another process is at something, or was killed at it.
    pub(super) later: bool,
    /// A message was put where reports are sent from.
    pub(super) mail_waits: bool,
}

impl Sent {
    /// Says what there is to say; whether all went well.
    pub(super) fn told(&self) -> bool {
        for error in &self.errors {
            log::error!("{error}");
        }
        if self.later {
            log::info!(
                "An alert is left to the run that is at it, or, should that have been killed, to one in four minutes"
            );
        }
        self.errors.is_empty()
    }
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
            sent.errors.push(format!("{error}{hint}"));
        }
    }
    sent
}

/// The same, and sends the messages of alerts: for who mails nothing else.
pub(super) fn send_all(host: &Host, config: &Config) -> Sent {
    let mut sent = send_due(host, config);
    match report::send_alerts_late(host, config) {
        Ok(by_us) => sent.later |= !by_us,
        Err(error) => sent.errors.push(report::in_one(&error)),
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
    let stop = || host.stopping();
    let due = Store::open(state_dir)?.alerts_due(way, (host.now)().as_second())?;
    let mut left = due.len();
    for finding in &due {
        left -= 1;
        if stop() {
            break;
        }
        // Nobody has it open while a server thinks. Those before it may have taken their time.
        let claimed = patiently(&stop, || {
            let mut store = Store::open(state_dir)?;
            let there = store.finding(finding.id)?;
            // After a reset the number is another's.
            if there.is_none_or(|it| (it.time, &it.account) != (finding.time, &finding.account)) {
                return Ok(None);
            }
            let since = (host.now)().as_second();
            let is_ours = store.claim_alert((finding.id, way), since)?;
            Ok(is_ours.then(|| (since, made(host, &store, finding))))
        });
        let Some((since, alert)) = claimed? else {
            sent.later = true;
            continue;
        };
        let result =
            if stop() { Err(alert::interrupted()) } else { leave(way, (host, config), &alert) };
        let noted = result.as_ref().copied().map_err(|trouble| trouble.what.as_str());
        // What has left must not leave again.
        patiently(&stop, || {
            let now = (host.now)().as_second();
            Store::open(state_dir)?.note_alert((finding.id, way, since), now, noted)
        })?;
        let Err(Trouble { what, cure }) = result else {
            log::info!("Alert sent by {way}: {}", alert.title);
            continue;
        };
        let others = match left {
            0 => String::new(),
            1 => ", as is the other one that waits".to_owned(),
            others => format!(", as are the {others} others that wait"),
        };
        sent.errors.push(format!(
            "The alert about {} did not leave by {way}: {what}; it is tried again by the next run{others}\n  \
             hint: {cure}",
            alert.account
        ));
        break;
    }
    Ok(())
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
    for finding in store.alerts_due(MAIL, (host.now)().as_second())? {
        let alert = made(host, &store, &finding);
        sent.mail_waits |=
            patiently(&|| host.stopping(), || mail(&mut store, (host, config), &alert))?;
    }
    Ok(())
}

/// Puts an alert where reports are sent from, which tries until a server has taken it; false if it is there.
fn mail(
    store: &mut Store,
    (host, config): (&Host, &Config),
    alert: &Alert,
) -> Result<bool, StoreError> {
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
