//! The shapes that services want an alert in; docs/alerts.md has an example of each.

use serde_json::json;

use super::{Alert, Trouble};

/// What a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All of [`Alert`].
    Json,
    /// Slack's incoming webhooks, which Mattermost and Rocket.Chat take too.
    Slack,
    /// ntfy, by JSON: <https://docs.ntfy.sh/publish/#publish-as-json>.
    Ntfy,
    /// Gotify: <https://gotify.net/docs/pushmsg>.
    Gotify,
    /// Matrix, `PUT …/rooms/{room}/send/m.room.message/{id}` of the client-server API.
    Matrix,
}

/// What goes to a server.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) is_put: bool,
    pub(super) body: Vec<u8>,
}

impl Shape {
    /// By the name in the configuration.
    pub fn of(name: &str) -> Self {
        match name {
            "slack" => Self::Slack,
            "ntfy" => Self::Ntfy,
            "gotify" => Self::Gotify,
            "matrix" => Self::Matrix,
            _ => Self::Json,
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Ntfy => "ntfy",
            Self::Gotify => "gotify",
            Self::Matrix => "matrix",
        }
    }

    /// Whether `url` is one that such a service has; any is, but for ntfy.
    pub fn check(self, url: &str) -> Result<(), Trouble> {
        if self == Self::Ntfy { server_and_topic(url).map(drop) } else { Ok(()) }
    }

    pub(super) fn request(self, url: &str, alert: &Alert) -> Result<Request, Trouble> {
        let (title, text) = (&alert.title, alert.text());
        let mut to = url.to_owned();
        let body = match self {
            Self::Json => serde_json::to_value(alert).unwrap_or_default(),
            Self::Slack => json!({ "text": text }),
            Self::Gotify => json!({ "title": title, "message": text, "priority": 8 }),
            Self::Ntfy => {
                let (server, topic) = server_and_topic(url)?;
                to = server;
                let tags = ["rotating_light"];
                json!({ "topic": topic, "title": title, "message": text, "priority": 5, "tags": tags })
            }
            Self::Matrix => {
                // The id is that of the transaction: sent twice, it is one message.
                let (path, query) = url.split_once('?').map_or((url, None), |(p, q)| (p, Some(q)));
                let query = query.map_or(String::new(), |query| format!("?{query}"));
                let id: String = alert.id.chars().filter(char::is_ascii_alphanumeric).collect();
                to = format!("{}/{id}{query}", path.trim_end_matches('/'));
                json!({ "msgtype": "m.text", "body": text })
            }
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        Ok(Request { url: to, is_put: self == Self::Matrix, body })
    }
}

/// Of a URL of ntfy: JSON goes to the server itself, and names the topic.
fn server_and_topic(url: &str) -> Result<(String, &str), Trouble> {
    let (path, query) = url.split_once('?').map_or((url, None), |(p, q)| (p, Some(q)));
    let cut = path.trim_end_matches('/').rsplit_once('/');
    let cut = cut.filter(|(server, _)| !server.ends_with('/') && server.len() > 8);
    let (server, topic) = cut.ok_or_else(|| Trouble {
        what: "`webhook_shape` in section [alert] is ntfy, and the webhook's URL names no topic"
            .to_owned(),
        cure: "set it as https://ntfy.sh/TOPIC".to_owned(),
    })?;
    let server = query.map_or(server.to_owned(), |query| format!("{server}/?{query}"));
    Ok((server, topic))
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    fn alert() -> Alert {
        Alert {
            id: "mail.example.org-finding-7".to_owned(),
            finding: 7,
            severity: Severity::High,
            account: "alice".to_owned(),
            server: "mail.example.org".to_owned(),
            since: "2026-11-22T02:13:40+01:00".to_owned(),
            title: "ACCOUNT alice PROBABLY STOLEN on mail.example.org".to_owned(),
            evidence: vec!["02:13 login from 203.0.113.9".to_owned()],
        }
    }

    fn made(shape: Shape, url: &str) -> (String, bool, serde_json::Value) {
        let request = shape.request(url, &alert()).unwrap();
        (request.url, request.is_put, serde_json::from_slice(&request.body).unwrap())
    }

    #[test]
    fn each_service_gets_its_shape() {
        let (url, _, body) = made(Shape::Ntfy, "https://ntfy.sh/my-topic");
        assert_eq!((&*url, &body["topic"]), ("https://ntfy.sh", &json!("my-topic")));
        let (_, _, body) = made(Shape::Slack, "https://hooks.example/x");
        assert!(body["text"].as_str().unwrap().starts_with("ACCOUNT alice PROBABLY STOLEN"));
        let (url, put, body) = made(
            Shape::Matrix,
            "https://m.example/_matrix/client/v3/rooms/!r:m/send/m.room.message?access_token=t",
        );
        let end = "/send/m.room.message/mailexampleorgfinding7?access_token=t";
        assert!(put && url.ends_with(end), "{url}");
        assert_eq!(body["msgtype"], "m.text");
        let (_, _, body) = made(Shape::Gotify, "https://g.example/message?token=t");
        assert_eq!(body["priority"], 8);
        let (_, _, body) = made(Shape::Json, "http://127.0.0.1:1/");
        assert_eq!((&body["finding"], &body["account"]), (&json!(7), &json!("alice")));
        assert_eq!(body["severity"], "high");
    }

    #[test]
    fn a_url_of_ntfy_without_a_topic_is_refused() {
        Shape::Ntfy.request("https://ntfy.sh/", &alert()).unwrap_err();
        Shape::Ntfy.request("https://ntfy.sh", &alert()).unwrap_err();
        Shape::Ntfy.check("https://ntfy.sh/").unwrap_err();
        Shape::Ntfy.check("https://ntfy.sh/my-topic").unwrap();
        Shape::Json.check("https://ntfy.sh/").unwrap();
    }
}
