//! Section `[alert]`: how findings that cannot wait leave.

use std::path::Path;

use super::Reader;
use super::secret::Secret;
use crate::alert::Shape;

/// Section `[alert]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Whether those who get the report get them by mail.
    pub mail: bool,
    webhook: Secret,
    has_webhook: bool,
    /// What the webhook takes.
    pub shape: Shape,
    /// A program and its arguments; none means no command.
    pub command: Vec<String>,
}

impl Alert {
    /// Whether a webhook is configured.
    pub fn has_webhook(&self) -> bool {
        self.has_webhook
    }

    /// The URL to post to; `credentials` is the folder of systemd's.
    pub fn webhook(&self, credentials: Option<&Path>) -> Result<String, String> {
        let url = self.webhook.read(credentials).map_err(|note| note.to_string())?;
        url.ok_or_else(|| "no URL is configured".to_owned())
    }
}

impl Reader {
    pub(super) fn alert(&self) -> Alert {
        let is_set = |name| !self.text("alert", name).is_empty();
        let in_file = self.path("alert", "webhook_file").is_some();
        Alert {
            mail: self.flag("alert", "mail"),
            webhook: self.secret("alert", ("webhook", "webhook_file")),
            has_webhook: is_set("webhook") || in_file,
            shape: Shape::of(&self.text("alert", "webhook_shape")),
            command: self.text("alert", "command").split_whitespace().map(str::to_owned).collect(),
        }
    }
}
