//! Section `[alert]`: how findings that cannot wait leave.

use std::path::Path;

use super::secret::Secret;
use super::{Note, Reader};
use crate::alert::{Shape, Trouble, is_url};

/// What a webhook is, for people.
const URL: &str = "a URL that starts with https:// or http:// and names a host";
const EXAMPLE: &str = "such as https://ntfy.sh/TOPIC";

/// Section `[alert]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Whether those who get the report get them by mail.
    pub mail: bool,
    webhook: Secret,
    /// What the webhook takes.
    pub shape: Shape,
    /// A program and its arguments; none means no command.
    pub command: Vec<String>,
}

impl Alert {
    /// Where the webhook's URL is kept, which is a secret.
    pub fn webhook_secret(&self) -> &Secret {
        &self.webhook
    }

    /// Whether a webhook is configured; `credentials` is the folder of systemd's.
    pub fn has_webhook(&self, credentials: Option<&Path>) -> bool {
        self.webhook.is_set(credentials)
    }

    /// The URL to post to. What is wrong with it is told without it, for it is a secret.
    pub fn webhook(&self, credentials: Option<&Path>) -> Result<String, Trouble> {
        let url = self.webhook.read(credentials).map_err(of_a_url)?;
        if let Some(url) = url.filter(|url| is_url(url)) {
            return Ok(url);
        }
        let credential = credentials.map(|folder| folder.join("webhook"));
        let credential = credential.filter(|path| path.exists());
        let what = match self.webhook.file().or(credential.as_deref()) {
            Some(path) => format!("{}: `webhook_file` must hold one line, {URL}", path.display()),
            None => format!("`webhook` in section [alert] must be {URL}"),
        };
        Err(Trouble { what, cure: format!("set it as the service gives it, {EXAMPLE}") })
    }
}

/// Secrets are passwords elsewhere, and what is said of them says so.
fn of_a_url(note: Note) -> Trouble {
    let what = note.what.replace("the password", "the webhook's URL");
    let cure = note.hint.unwrap_or_default().replace("PASSWORD", "URL");
    Trouble { what: format!("{}: {what}", note.place), cure }
}

impl Reader {
    pub(super) fn alert(&self) -> Alert {
        Alert {
            mail: self.flag("alert", "mail"),
            webhook: self.secret("alert", ("webhook", "webhook_file")),
            shape: Shape::of(&self.text("alert", "webhook_shape")),
            command: self.text("alert", "command").split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// A webhook that is no URL is a mistake at once, and not when an alert has to leave.
    pub(super) fn refuse_webhook(&mut self) {
        let url = self.text("alert", "webhook");
        if url.is_empty() || is_url(&url) {
            return;
        }
        let place = self.places.get("webhook").map_or("[alert]", String::as_str);
        // The place of what the command line sets is all of it, the secret too.
        let place = if place.starts_with("--set ") { "--set alert.webhook" } else { place };
        self.mistakes.push(Note {
            place: place.to_owned(),
            what: "`webhook` in section [alert] cannot be `(hidden)`".to_owned(),
            hint: Some(format!("allowed: {URL}, {EXAMPLE}")),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(settings: &[&str]) -> Reader {
        let mut reader = Reader::default();
        for setting in settings {
            reader.read_setting(&format!("alert.{setting}"));
        }
        reader
    }

    #[test]
    fn a_webhook_that_is_no_url_is_a_mistake_that_does_not_show_it() {
        for right in ["webhook=", "webhook=https://ntfy.sh/topic"] {
            let mut reader = reader(&[right]);
            reader.refuse_webhook();
            assert_eq!(reader.mistakes, [], "{right}");
        }
        let mut reader = reader(&["webhook=hooks.example.org/hidden-token"]);
        reader.refuse_webhook();
        let told = reader.mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let start = "--set alert.webhook: `webhook` in section [alert] cannot be `(hidden)`";
        assert!(told.starts_with(start) && told.contains("\n  hint: allowed: a URL"), "{told}");
        assert!(!told.contains("token"), "{told}");
    }

    #[test]
    fn a_file_of_the_webhook_is_named_and_what_is_in_it_is_not() {
        use std::io::Write;
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("url");
        let setting = format!("webhook_file={}", path.display());
        let alert = reader(&[&setting]).alert();
        assert!(alert.has_webhook(None));
        let trouble = alert.webhook(None).unwrap_err();
        let absent =
            format!("{}: cannot read the webhook's URL of `webhook_file`: ", path.display());
        assert!(trouble.what.starts_with(&absent), "{trouble:?}");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"hooks.example.org/hidden-token\n").unwrap();
        let trouble = alert.webhook(None).unwrap_err();
        let wrong = format!("{}: `webhook_file` must hold one line, a URL", path.display());
        assert!(trouble.what.starts_with(&wrong), "{trouble:?}");
        assert!(!format!("{trouble:?}").contains("token"), "{trouble:?}");
        std::fs::File::create(&path).unwrap().write_all(b"https://ntfy.sh/topic\n").unwrap();
        assert_eq!(alert.webhook(None).unwrap(), "https://ntfy.sh/topic");
    }
}
