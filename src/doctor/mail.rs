//! The mail server: whether it takes a report, by all steps but the last; or by a message, if asked for.

use std::time::{Duration, Instant};

use super::{Level, Scene, Told};
use crate::report::address::Address;
use crate::report::message::{Letter, message_id};
use crate::report::send::{self, Refusal, SendError, Server};

/// How long an answer, and all of them together, may take.
const ANSWER: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) fn check(scene: &Scene, told: &Told) {
    let report = &scene.config.report;
    let name = scene.host.full_name();
    let (from, to) = (report.sender(&scene.host.user(), &name), report.recipients(&name));
    if to.is_empty() {
        return told.warning(
            "reports cannot be mailed: nobody is to get them",
            "set `email` in section [report]",
        );
    }
    let server = report.smtp.server(&name, scene.host.credentials.as_deref());
    let server = match server {
        Ok(server) => Server { timeout: ANSWER, ..server },
        Err(note) => return told.note(Level::Error, &note),
    };
    let end = Instant::now() + PATIENCE;
    let stop = || Instant::now() >= end;
    let at = format!("{}:{}", server.host, server.port);
    let names = |refused: &[Refusal]| {
        let taken = to.iter().filter(|to| !refused.iter().any(|it| it.to == **to));
        taken.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let refused = if scene.send_test {
        let letter = test_letter(scene, &name, (&from, &to)).to_bytes();
        send::send(&server, (&from, &to), &letter, &stop).map(|sent| {
            let to = names(&sent.refused);
            told.ok(&format!(
                "a test message from {from} to {to} was sent; {at} answers: {}",
                sent.reply
            ));
            sent.refused
        })
    } else {
        send::rehearse(&server, (&from, &to), &stop).inspect(|refused| {
            let to = names(refused);
            if !to.is_empty() {
                told.ok(&format!("{at} takes mail from {from} to {to}; nothing was sent"));
            }
        })
    };
    match refused {
        Ok(refused) => refused.iter().for_each(|refusal| tell_refusal(refusal, &at, told)),
        Err(error @ SendError::Later { .. }) => {
            told.refusal(Level::Warning, &error, Some("if it stays so, ask who runs that server"));
        }
        Err(SendError::Stopped { server }) => {
            let seconds = PATIENCE.as_secs();
            told.error(
                &format!("{server} has not taken all steps within {seconds} seconds"),
                "see what keeps it from answering, or set another smtp_host in section [report]",
            );
        }
        Err(error) => told.refusal(Level::Error, &error, error.hint()),
    }
}

fn tell_refusal(refusal: &Refusal, at: &str, told: &Told) {
    let Refusal { to, reply } = refusal;
    if reply.code < 500 {
        let what = format!("{at} does not take mail to {to} at the moment: {reply}");
        return told.warning(&what, "if it stays so, ask who runs that server");
    }
    told.error(&format!("{at} refuses mail to {to}: {reply}"), "check `email` in section [report]");
}

fn test_letter(scene: &Scene, host: &str, (from, to): (&Address, &[Address])) -> Letter {
    let now = (scene.host.now)().to_zoned(scene.host.zone.clone());
    let prefix = &scene.config.report.subject_prefix;
    Letter {
        from: from.clone(),
        to: to.to_vec(),
        subject: format!("{prefix} Test message of MailLogSentinel on {host}").trim().to_owned(),
        message_id: message_id(&format!("test {now}"), host),
        date: now,
        text: format!(
            "This is a test message. MailLogSentinel on {host} was asked to send it by\n\
             `maillogsentinel doctor --send-test`. The daily report comes by the same way.\n"
        ),
        html: None,
        attachment: None,
    }
}
