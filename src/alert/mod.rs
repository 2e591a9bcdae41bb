//! Alerts that leave at once, by ways that do not need this mail server: a webhook, a command.
//!
//! Each carries the finding's number as its id, so that whoever gets one twice, because an answer was
//! lost on its way, can tell.

mod command;
mod shape;

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

pub use command::{program, run};
use shape::Request;
pub use shape::Shape;

/// How long a server may take in all.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is seen whether the run is to end.
const LOOK: Duration = Duration::from_millis(20);
/// How long what is under way may go on then.
const GRACE: Duration = Duration::from_millis(500);

/// Why an alert does not leave; neither text holds the webhook's URL, which is often a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What failed, on what, and why.
    pub what: String,
    /// What mends it.
    pub cure: String,
}

/// How bad it is, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An account is probably stolen.
    High,
    /// Nothing has happened: somebody tries whether alerts arrive.
    Test,
}

/// What an alert says; all texts are fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Tells it from all others: the server and the finding.
    pub id: String,
    /// The finding; 0 of a test.
    pub finding: i64,
    /// Whether it is meant.
    pub severity: Severity,
    /// The account; of a test, what is no name of any.
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
    /// One that tells of nothing; `second` keeps it apart from earlier ones, `since` is the same in RFC 3339.
    pub fn test(server: String, second: i64, since: String) -> Self {
        Self {
            id: format!("{server}-test-{second}"),
            finding: 0,
            severity: Severity::Test,
            account: "(test)".to_owned(),
            title: format!("TEST of the alerts of MailLogSentinel on {server}: NOBODY GOT IN"),
            evidence: vec![
                "This is a test that `maillogsentinel doctor --send-test` was asked for."
                    .to_owned(),
            ],
            since,
            server,
        }
    }

    /// Title and evidence, as text.
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        for line in &self.evidence {
            text.push('\n');
            text.push_str(line);
        }
        text.push_str(match self.severity {
            Severity::High => "\nOn the server, `sudo maillogsentinel findings` tells what to do.",
            Severity::Test => "\nNo account is stolen, and nothing is to be done.",
        });
        text
    }
}

/// Whether `text` is a URL of http or https that names a host.
pub fn is_url(text: &str) -> bool {
    // What sends the alert reads it in the same way.
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = place.strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':'));
    matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        // In place of what is no port, the usual one would be taken.
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Posts an alert, and gives up if `stop` says so; what failed is told without the URL, which is often a secret.
pub fn post(
    url: &str,
    shape: Shape,
    alert: &Alert,
    stop: &dyn Fn() -> bool,
) -> Result<(), Trouble> {
    let request = shape.request(url, alert)?;
    let id = alert.id.clone();
    let (sender, receiver) = channel();
    // It has an end of its own, and that of the process.
    let post = move || sender.send(send(&request, &id));
    thread::Builder::new().spawn(post).map_err(|error| Trouble {
        what: format!("no thread can be had: {error}"),
        cure: "see what uses up this machine".to_owned(),
    })?;
    let mut stopped = None;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Timeout) if is_over(&mut stopped, stop) => {
                return Err(interrupted());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let cure = "see `journalctl -u maillogsentinel`, and report it".to_owned();
                return Err(Trouble { what: "what sends it broke".to_owned(), cure });
            }
        }
    }
}

/// Whether `stop` said so some time ago; what is nearly done may be done.
fn is_over(stopped: &mut Option<Instant>, stop: &dyn Fn() -> bool) -> bool {
    if stopped.is_none() && stop() {
        *stopped = Some(Instant::now());
    }
    stopped.is_some_and(|at| at.elapsed() > GRACE)
}

/// What is said of an alert that is not waited for any more.
pub fn interrupted() -> Trouble {
    Trouble { what: "the run was told to end".to_owned(), cure: "nothing to do".to_owned() }
}

fn send(request: &Request, id: &str) -> Result<(), Trouble> {
    let is_https = request.url.get(..8).is_some_and(|it| it.eq_ignore_ascii_case("https://"));
    let roots = if is_https { rustls_native_certs::load_native_certs().certs } else { Vec::new() };
    if is_https && roots.is_empty() {
        let what = "there are no certificates of authorities in this system's store".to_owned();
        return Err(Trouble { what, cure: "apt install ca-certificates".to_owned() });
    }
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
        .header("Idempotency-Key", id);
    let answer =
        sending.send(&request.body[..]).map_err(|error| unreached(&error, &request.url))?;
    let status = answer.status().as_u16();
    if (200..300).contains(&status) { Ok(()) } else { Err(refused(status)) }
}

fn unreached(error: &ureq::Error, url: &str) -> Trouble {
    let what = match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            "that is no URL of http or https".to_owned()
        }
        ureq::Error::Timeout(_) => "the server does not answer in time".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "there is no such server".to_owned(),
        error => error.to_string().replace(url, "(the webhook)"),
    };
    let cure = "see that this machine reaches the server of the webhook in section [alert]; \
                `maillogsentinel doctor --send-test` tries it";
    Trouble { what, cure: cure.to_owned() }
}

fn refused(status: u16) -> Trouble {
    let cure = match status {
        300..400 => "redirects are not followed: set the URL that it leads to in section [alert]",
        400..500 => {
            "see that the webhook's URL and `webhook_shape` in section [alert] are those of the service; \
             `maillogsentinel doctor --send-test` tries them"
        }
        _ => "see what is wrong with that server; `maillogsentinel doctor --send-test` tries it",
    };
    Trouble { what: format!("the server says {status}"), cure: cure.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_that_is_known_and_a_host() {
        for url in [
            "https://ntfy.sh/topic",
            "HTTP://127.0.0.1:8080/?token=x",
            "https://user:word@[2001:db8::1]:8443/",
            "https://example.org",
        ] {
            assert!(is_url(url), "{url}");
        }
        for wrong in [
            "",
            "example.org/x",
            "ftp://example.org/x",
            "https://",
            "https:///x",
            "http://:80/x",
            "http://example.org:99999/x",
            "https://exa mple.org/x",
            "https://example.org/x\ny",
        ] {
            assert!(!is_url(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_test_says_that_it_is_one() {
        let stamp = "2026-11-22T02:13:40+01:00".to_owned();
        let trial = Alert::test("mx1.example.org".to_owned(), 7, stamp);
        let text = trial.text();
        assert!(text.starts_with("TEST ") && text.contains(": NOBODY GOT IN\n"), "{text}");
        assert!(
            text.contains("This is a test") && text.contains("nothing is to be done"),
            "{text}"
        );
        let json = serde_json::to_value(&trial).unwrap();
        assert_eq!((&json["severity"], &json["finding"]), (&"test".into(), &0.into()));
    }
}
