//! Section `[report]`: who gets the report, what goes with it, and which server takes it.

use std::path::Path;

use super::secret::Secret;
use super::{Note, Reader};
use crate::report::address::Address;
use crate::report::send::{Authorities, Login, Security, Server, TIMEOUT};

/// Section `[report]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who gets it, as written; checked, see [`Report::recipients`].
    pub email: Vec<String>,
    /// What its subject starts with.
    pub subject_prefix: String,
    /// Its sender, as written; see [`Report::sender`].
    pub sender_override: Option<String>,
    /// Whether it has an HTML part.
    pub html: bool,
    /// Which rows of the CSV are attached.
    pub attach_csv: AttachCsv,
    /// Past this size only the reported day's rows are attached.
    pub attach_max_bytes: u64,
    /// The server that takes it.
    pub smtp: Smtp,
}

/// Which rows of the CSV are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachCsv {
    /// All of them.
    Full,
    /// Those of the reported day.
    Today,
    /// None.
    None,
}

/// The keys `smtp_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// The user to log in as; `None` means no login.
    pub user: Option<String>,
    /// The password to log in with.
    pub password: Secret,
}

impl Report {
    /// Who gets it; local accounts are those of `host`, this machine's full name.
    pub fn recipients(&self, host: &str) -> Vec<Address> {
        self.email.iter().filter_map(|text| Address::parse(text, host)).collect()
    }

    /// Its sender: the one that is configured, or else this process's user.
    pub fn sender(&self, user: &str, host: &str) -> Address {
        let configured = self.sender_override.as_deref();
        let configured = configured.and_then(|text| Address::parse(text, host));
        configured.unwrap_or_else(|| Address::of_user(user, host))
    }
}

impl Smtp {
    /// The server, ready to be used; `credentials` is the folder of systemd's.
    pub fn server(&self, own_name: &str, credentials: Option<&Path>) -> Result<Server, Note> {
        let login = match &self.user {
            Some(user) => Some(Login { user: user.clone(), password: self.password(credentials)? }),
            None => None,
        };
        Ok(Server {
            host: self.host.clone(),
            port: self.port,
            security: self.security,
            login,
            authorities: Authorities::System,
            own_name: own_name.to_owned(),
            timeout: TIMEOUT,
        })
    }

    fn password(&self, credentials: Option<&Path>) -> Result<String, Note> {
        let none = || Note {
            place: "[report]".to_owned(),
            what: "`smtp_user` is set, and there is no password for it".to_owned(),
            hint: Some(
                "set smtp_password_file; services, and only they, also take \
                 /etc/credstore/maillogsentinel.smtp_password"
                    .to_owned(),
            ),
        };
        self.password.read(credentials)?.ok_or_else(none)
    }
}

impl Reader {
    pub(super) fn report(&self) -> Report {
        let text = |name| self.text("report", name);
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Report {
            email: self.texts("report", "email"),
            subject_prefix: text("subject_prefix"),
            sender_override: self.texts("report", "sender_override").into_iter().next(),
            html: self.flag("report", "html"),
            attach_csv: match text("attach_csv").as_str() {
                "today" => AttachCsv::Today,
                "none" => AttachCsv::None,
                _ => AttachCsv::Full,
            },
            attach_max_bytes: self.number("report", "attach_max_bytes"),
            smtp: Smtp {
                host: text("smtp_host"),
                port: u16::try_from(self.number("report", "smtp_port")).unwrap_or(25),
                security: match text("smtp_security").as_str() {
                    "starttls" => Security::StartTls,
                    "tls" => Security::Tls,
                    _ => Security::None,
                },
                user: some(text("smtp_user")),
                password: self.secret("report", ("smtp_password", "smtp_password_file")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[&str]) -> Report {
        let mut reader = Reader::default();
        for setting in settings {
            reader.read_setting(&format!("report.{setting}"));
        }
        assert_eq!(reader.mistakes, []);
        reader.report()
    }

    #[test]
    fn nothing_set_means_the_server_on_this_machine() {
        let report = read(&[]);
        assert_eq!(report.recipients("mx1.example.org"), []);
        assert_eq!(
            report.sender("sentinel", "mx1.example.org").as_str(),
            "sentinel@mx1.example.org"
        );
        assert_eq!((report.html, report.attach_csv), (true, AttachCsv::Full));
        assert_eq!(report.attach_max_bytes, 5_242_880);
        assert_eq!(report.subject_prefix, "[MailLogSentinel]");
        let server = report.smtp.server("mx1.example.org", None).unwrap();
        assert_eq!((server.host.as_str(), server.port), ("localhost", 25));
        assert_eq!((server.security, server.login), (Security::None, None));
    }

    #[test]
    fn all_of_it_can_be_set() {
        let report = read(&[
            "email=a@example.org, root",
            "report_subject_prefix=[x]",
            "report_sender_override=no-reply@example.org",
            "html=no",
            "attach_csv=Today",
            "smtp_host=mail.example.org",
            "smtp_port=465",
            "smtp_security=TLS",
            "smtp_user=sentinel",
            "smtp_password=secret",
        ]);
        let to: Vec<_> = report.recipients("mx1").iter().map(ToString::to_string).collect();
        assert_eq!(to, ["a@example.org", "root@mx1"]);
        assert_eq!(report.sender("x", "y").as_str(), "no-reply@example.org");
        assert_eq!((report.html, report.attach_csv), (false, AttachCsv::Today));
        let server = report.smtp.server("mx1", None).unwrap();
        assert_eq!((server.port, server.security), (465, Security::Tls));
        assert_eq!(server.login.unwrap().password, "secret");
        assert!(!format!("{report:?}").contains("secret"));
    }

    #[test]
    fn a_password_is_asked_for_with_a_user_only() {
        assert!(read(&["smtp_password_file=/nowhere"]).smtp.server("mx1", None).is_ok());
        let error = read(&["smtp_user=sentinel"]).smtp.server("mx1", None).unwrap_err();
        assert!(error.to_string().contains("there is no password for it"), "{error}");
    }
}
