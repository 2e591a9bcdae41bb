//! Alerts that leave at once, by ways that do not need this mail server: a webhook, a command.
//!
//! Each carries the finding's number as its id, so that whoever gets one twice, because an answer was
//! lost on its way, can tell.

mod shape;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::Serialize;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::programs;

pub use shape::Shape;

/// How long a server may take in all.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a command may take.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// What an alert says; all texts are fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Tells it from all others: the server and the finding.
    pub id: String,
    /// The finding.
    pub finding: i64,
    /// `high`.
    pub severity: &'static str,
    /// The account.
    pub account: String,
    /// The mail server.
    pub server: String,
    /// The time of the first sign, RFC 3339.
    pub since: String,
    /// In one line.
    pub title: String,
    /// A line for each sign.
    pub evidence: Vec<String>,
}

impl Alert {
    /// Title and evidence, as text.
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        for line in &self.evidence {
            text.push('\n');
            text.push_str(line);
        }
        text.push_str("\nOn the server, `maillogsentinel findings` tells what to do.");
        text
    }
}

/// Posts an alert; what failed is told without the URL, which is often a secret.
pub fn post(url: &str, shape: Shape, alert: &Alert) -> Result<(), String> {
    let request = shape.request(url, alert)?;
    let is_https = request.url.get(..8).is_some_and(|it| it.eq_ignore_ascii_case("https://"));
    let roots = if is_https { rustls_native_certs::load_native_certs().certs } else { Vec::new() };
    let roots = roots.iter().map(|it| Certificate::from_der(it).to_owned());
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .https_only(is_https)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("maillogsentinel/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build())
        .timeout_global(Some(PATIENCE))
        .build();
    let agent = config.new_agent();
    let sending = if request.is_put { agent.put(&request.url) } else { agent.post(&request.url) };
    let sending = sending
        .header("Content-Type", "application/json; charset=utf-8")
        .header("Idempotency-Key", &alert.id);
    let answer = sending.send(&request.body[..]).map_err(|error| match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "that is no URL of http or https".into(),
        ureq::Error::Timeout(_) => "the server does not answer in time".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "there is no such server".to_owned(),
        error => error.to_string().replace(&request.url, "(the webhook)"),
    })?;
    let status = answer.status().as_u16();
    if (200..300).contains(&status) { Ok(()) } else { Err(format!("the server says {status}")) }
}

/// Gives an alert to a command, as JSON on its standard input.
pub fn run(words: &[String], alert: &Alert) -> Result<(), String> {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let failed = |error: std::io::Error| error.to_string();
    let mut command = programs::command(&words).map_err(failed)?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let told = tell(&mut child, alert);
    let end = Instant::now() + COMMAND_PATIENCE;
    loop {
        match child.try_wait().map_err(failed)? {
            Some(status) if status.success() => return told,
            Some(status) => return Err(format!("it ended with {status}")),
            None if Instant::now() < end => std::thread::sleep(LOOK),
            None => {
                // With all that it started.
                if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
                    let _ = rustix::process::kill_process_group(group, Signal::KILL);
                }
                let _ = child.wait();
                return Err("it did not end in time".to_owned());
            }
        }
    }
}

/// A pipe holds more than an alert, so that this never waits.
fn tell(child: &mut Child, alert: &Alert) -> Result<(), String> {
    let Some(mut input) = child.stdin.take() else { return Ok(()) };
    let mut text = serde_json::to_string(alert).unwrap_or_default();
    text.push('\n');
    match input.write_all(text.as_bytes()) {
        // It need not read.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        told => told.map_err(|error| error.to_string()),
    }
}
