//! Every rule that decides what a line is, with an example; `maillogsentinel explain --rules` prints it.

/// What a line that matched a rule is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A failed login: recorded.
    Failure,
    /// A message of a user who logged in: counted apart.
    Login,
    /// Nothing to record.
    Unrelated,
}

/// A rule for one kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A password was judged and refused.
    SaslFailed,
    /// The client asked for a mechanism that the server does not have.
    MechanismRefused,
    /// The auth service, not the password, was at fault.
    TemporaryFailure,
    /// Postfix cannot reach the auth service.
    AuthServiceDown,
    /// The failure that Postfix logs right after [`Rule::AuthServiceDown`].
    AuthServiceUnreached,
    /// The client gave up in the middle of a login.
    Aborted,
    /// The Cyrus SASL library thinks aloud before the real line.
    SaslLibrary,
    /// A message was accepted from a user who logged in.
    LoggedIn,
    /// Another message of `smtpd`, which may quote what the client sent.
    OtherMessage,
    /// Another program wrote it.
    OtherProgram,
}

impl Rule {
    /// All rules, in the order in which `--rules` prints them.
    pub const ALL: [Self; 10] = [
        Self::SaslFailed,
        Self::MechanismRefused,
        Self::LoggedIn,
        Self::TemporaryFailure,
        Self::AuthServiceDown,
        Self::AuthServiceUnreached,
        Self::Aborted,
        Self::SaslLibrary,
        Self::OtherMessage,
        Self::OtherProgram,
    ];

    /// Its name, as `explain` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SaslFailed => "postfix-sasl-failed",
            Self::MechanismRefused => "postfix-mechanism-refused",
            Self::TemporaryFailure => "postfix-temporary-failure",
            Self::AuthServiceDown => "postfix-auth-service-down",
            Self::AuthServiceUnreached => "postfix-auth-service-unreached",
            Self::Aborted => "postfix-sasl-aborted",
            Self::SaslLibrary => "postfix-sasl-library",
            Self::LoggedIn => "postfix-logged-in",
            Self::OtherMessage => "postfix-other-message",
            Self::OtherProgram => "other-program",
        }
    }

    /// What its lines are taken for.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::SaslFailed | Self::MechanismRefused => Verdict::Failure,
            Self::LoggedIn => Verdict::Login,
            _ => Verdict::Unrelated,
        }
    }

    /// Why, in a sentence.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SaslFailed => "Postfix refused the login of the client in the brackets",
            Self::MechanismRefused => {
                "the client asked for a mechanism that is not offered; no user name was sent yet"
            }
            Self::TemporaryFailure => "the auth service failed; no password was judged",
            Self::AuthServiceDown => "Postfix cannot reach the auth service; no client is involved",
            Self::AuthServiceUnreached => {
                "the line before, of the same process, says that the auth service cannot be reached"
            }
            Self::Aborted => "the client gave up before it sent a password",
            Self::SaslLibrary => "the SASL library's own words; Postfix logs the failure itself",
            Self::LoggedIn => "a message was accepted from a user who logged in",
            Self::OtherMessage => "no login is judged in it; words of one in it are the client's",
            Self::OtherProgram => "not of Postfix smtpd, whose logins this version records",
        }
    }

    /// A line, or two, that it takes.
    pub fn example(self) -> &'static str {
        match self {
            Self::SaslFailed => {
                "Nov 22 21:28:34 mx1 postfix/submission/smtpd[12387]: warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=bob"
            }
            Self::MechanismRefused => {
                "Nov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: unknown[203.0.113.9]: SASL \"PLAIN x\" authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)"
            }
            Self::TemporaryFailure => {
                "Nov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: unknown[203.0.113.9]: SASL PLAIN authentication failed: Connection lost to authentication server, sasl_username=(unavailable)"
            }
            Self::AuthServiceDown => {
                "Nov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused"
            }
            Self::AuthServiceUnreached => {
                "Nov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: Connection refused\nNov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: unknown[203.0.113.9]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=(unavailable)"
            }
            Self::Aborted => {
                "Nov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: unknown[203.0.113.9]: SASL LOGIN authentication aborted"
            }
            Self::SaslLibrary => {
                "Nov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: SASL authentication failure: Password verification failed"
            }
            Self::LoggedIn => {
                "Nov 22 21:28:34 mx1 postfix/submission/smtpd[12387]: A59429CE8C1: client=unknown[198.51.100.18], sasl_method=PLAIN, sasl_username=bob"
            }
            Self::OtherMessage => {
                "Nov 22 21:28:34 mx1 postfix/smtpd[12387]: warning: non-SMTP command from unknown[203.0.113.9]: x[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=bob"
            }
            Self::OtherProgram => {
                "Nov 22 21:28:34 mx1 postfix/cleanup[12404]: 313D59CE8EC: warning: header Subject: x[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=bob from mail.example.com[203.0.113.9]"
            }
        }
    }
}
