//! Mails reports: each is kept in the store until a server has taken it.

use anyhow::bail;

use super::compose::Composed;
use crate::config::Config;
use crate::host::Host;
use crate::report::address::Address;
use crate::report::html::{self, Images};
use crate::report::message::{File, Letter, message_id};
use crate::report::send::{self, SendError, Server};
use crate::report::{Attachment, text};
use crate::store::lock::Lock;
use crate::store::outbox::Waiting;
use crate::store::{Store, StoreError, patiently};

/// The report as a message.
pub(super) fn letter(host: &Host, config: &Config, composed: &Composed) -> Letter {
    let Composed { report, summary, file } = composed;
    let subject = format!("{} {}", config.report.subject_prefix, report.subject());
    let page = config.report.html.then(|| html::page(report, summary, Images::ContentIds));
    let name = match &report.attachment {
        Attachment::Full(name) | Attachment::Day { name, .. } => Some(name.clone()),
        Attachment::None { .. } => None,
    };
    let attachment = name.zip(file.clone()).map(|(name, bytes)| {
        // What gzip(1) writes starts so, and no CSV does.
        let packed = bytes.starts_with(&[0x1f, 0x8b]);
        let content_type = if packed { "application/gzip" } else { "text/csv; charset=utf-8" };
        File { name, content_type, bytes }
    });
    Letter {
        from: config.report.sender(&host.user(), &report.host),
        to: config.report.recipients(&report.host),
        subject: subject.trim().to_owned(),
        date: report.made_at.clone(),
        message_id: message_id(&format!("{} {}", report.about(), report.made_at), &report.host),
        text: text::render(report, summary),
        html: page,
        attachment,
    }
}

/// Mails a report: first keeps it, then sends all that waits.
pub(super) fn mail(host: &Host, config: &Config, composed: &Composed) -> anyhow::Result<()> {
    let letter = letter(host, config, composed);
    if letter.to.is_empty() {
        bail!(
            "the report has no recipient\n  hint: set `email` in section [report], or use --output"
        );
    }
    let run = Lock::wait(&config.paths.state_dir, &|| host.stopping())?;
    let mut store = Store::open(&config.paths.state_dir)?;
    let to: Vec<_> = letter.to.iter().map(ToString::to_string).collect();
    let about = composed.report.about();
    let dropped = store.put_in_outbox(&about, &to, &letter.to_bytes(), (host.now)())?;
    for day in dropped {
        log::error!(
            "The {} was never taken, and is dropped: too many wait, or for too long",
            named(&day)
        );
    }
    // A server may take its time, and others record meanwhile.
    drop((store, run));
    let _lock = Lock::of_mail(&config.paths.state_dir, &|| host.stopping())?;
    send_all(&mut Store::open(&config.paths.state_dir)?, host, config)
}

/// Sends what waits, if there is anything; false if it is left to another process that is at it.
pub(in crate::cli) fn send_late(host: &Host, config: &Config) -> anyhow::Result<bool> {
    let lock = Lock::of_mail_soon(&config.paths.state_dir, &|| host.stopping());
    let _lock = match lock {
        Err(StoreError::Locked { holder, .. }) => {
            log::debug!("What waits to be mailed is left to {holder}, which is at it");
            return Ok(false);
        }
        lock => lock?,
    };
    send_all(&mut Store::open(&config.paths.state_dir)?, host, config).map(|()| true)
}

/// The same if an alert is among it.
pub(in crate::cli) fn send_alerts_late(host: &Host, config: &Config) -> anyhow::Result<bool> {
    let waiting = Store::open(&config.paths.state_dir)?.outbox()?;
    let has_alert = waiting.iter().any(|it| finding_of(&it.day).is_some());
    if has_alert { send_late(host, config) } else { Ok(true) }
}

/// Sends what waits, the oldest first, and what others put there meanwhile; fails unless every recipient has
/// everything.
fn send_all(store: &mut Store, host: &Host, config: &Config) -> anyhow::Result<()> {
    let mut waiting = store.outbox()?;
    if waiting.is_empty() {
        return Ok(());
    }
    if let Some(warning) = config.report.smtp.password.warning() {
        log::warn!("{warning}");
    }
    let server = config.report.smtp.server(&host.full_name(), host.credentials.as_deref());
    let server = server.map_err(|note| anyhow::anyhow!("{note}"))?;
    let mut trouble = None;
    while let Some(report) = waiting.first() {
        let last = report.id;
        match send_one(store, (host, config), (&server, report)) {
            Ok(refused) => trouble = refused.or(trouble),
            // It may be this one alone that the server does not like.
            Err(Failed { for_good: true, error }) => trouble = Some(error),
            Err(Failed { error, .. }) => {
                let left = store.outbox()?.len();
                let plural = if left == 1 { "message is" } else { "messages are" };
                return Err(
                    error.context(format!("{left} {plural} kept, and sent by the next run"))
                );
            }
        }
        waiting = store.outbox()?;
        waiting.retain(|report| report.id > last);
    }
    trouble.map_or(Ok(()), Err)
}

/// The number of the finding that it is an alert about, if it is one.
fn finding_of(about: &str) -> Option<&str> {
    about.strip_prefix("finding ")
}

/// What waits, for people: alerts are kept with the reports, each as `finding` and its number.
fn named(about: &str) -> String {
    match finding_of(about) {
        Some(number) => format!("alert about finding {number}"),
        None => format!("report for {about}"),
    }
}

/// Why a report was not sent.
struct Failed {
    /// Whether the server said no to this one for good.
    for_good: bool,
    error: anyhow::Error,
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { for_good: false, error: error.into() }
    }
}

/// Sends one report; gives what is to be told of recipients that were refused.
fn send_one(
    store: &mut Store,
    (host, config): (&Host, &Config),
    (server, report): (&Server, &Waiting),
) -> Result<Option<anyhow::Error>, Failed> {
    // What a server has taken must not be sent again because another run is writing.
    let keep = |store: &mut Store, left: (&[String], bool), trouble: &str| {
        patiently(&|| host.stopping(), || store.keep_in_outbox(report.id, left, trouble))
    };
    let address = |text: &String| Address::parse(text, "localhost");
    let waiting: Vec<_> = report.recipients.iter().filter_map(address).collect();
    // The configuration may have been mended since: who is not in it any more gets nothing.
    let name = host.full_name();
    let wanted = config.report.recipients(&name);
    let left: Vec<_> = waiting.iter().filter(|to| wanted.contains(to)).cloned().collect();
    let to = if !left.is_empty() {
        left
    } else if report.taken {
        // The others have it, and are not to have it twice.
        keep(store, (&[], true), "")?;
        return Ok(None);
    } else if wanted.is_empty() {
        waiting
    } else {
        wanted
    };
    let from = config.report.sender(&host.user(), &name);
    // Another may have taken its place meanwhile.
    let Some(message) = store.message(report.id)? else { return Ok(None) };
    let sent = match send::send(server, (&from, &to), &message, &|| host.stopping()) {
        Ok(sent) => sent,
        Err(error) => {
            let hint = error.hint().map_or(String::new(), |hint| format!("\n  hint: {hint}"));
            let text = match &error {
                SendError::Unknown { .. } => format!(
                    "{error}; it is sent again under the same Message-ID, so that a second copy can \
                     be told"
                ),
                _ => error.to_string(),
            };
            keep(store, (&report.recipients, report.taken), &text)?;
            let for_good = matches!(error, SendError::Refused { .. });
            let kept = if for_good { "; it is kept, and tried again by the next run" } else { "" };
            let name = named(&report.day);
            let error = anyhow::anyhow!("The {name} was not sent: {text}{kept}{hint}");
            return Err(Failed { for_good, error });
        }
    };
    let (later, never): (Vec<_>, Vec<_>) =
        sent.refused.iter().partition(|refusal| refusal.reply.code < 500);
    let is_refused = |to: &&Address| sent.refused.iter().any(|refusal| refusal.to == **to);
    let taken: Vec<_> = to.iter().filter(|to| !is_refused(to)).map(ToString::to_string).collect();
    let what = if finding_of(&report.day).is_some() { "Alert" } else { "Report" };
    log::info!("{what} sent from {from} to {}", taken.join(", "));
    let left: Vec<_> = later.iter().map(|refusal| refusal.to.to_string()).collect();
    let told = |refusals: &[&send::Refusal], what: &str| {
        let each = refusals.iter().map(|it| format!("{} ({})", it.to, it.reply));
        let each: Vec<_> = each.collect();
        (!each.is_empty()).then(|| format!("the server {what} {}", each.join(", ")))
    };
    let refused =
        [told(&never, "refuses"), told(&later, "does not take for now, but is asked again for")];
    let refused: Vec<_> = refused.into_iter().flatten().collect();
    keep(store, (&left, true), &refused.join("; "))?;
    Ok((!refused.is_empty()).then(|| {
        anyhow::anyhow!("The {} did not reach all: {}", named(&report.day), refused.join("; "))
    }))
}
