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
    /// Dovecot refused the attempts of a session.
    DovecotFailed,
    /// A user logged in at Dovecot.
    DovecotLoggedIn,
    /// Dovecot could not judge.
    DovecotTemporary,
    /// A session at Dovecot in which nothing was tried to its end.
    DovecotNoAttempt,
    /// Dovecot's auth service says what it was asked.
    DovecotAuth,
    /// Another message of Dovecot.
    DovecotOther,
    /// Another program wrote it.
    OtherProgram,
}

impl Rule {
    /// All rules, in the order in which `--rules` prints them.
    pub const ALL: [Self; 16] = [
        Self::SaslFailed,
        Self::MechanismRefused,
        Self::LoggedIn,
        Self::TemporaryFailure,
        Self::AuthServiceDown,
        Self::AuthServiceUnreached,
        Self::Aborted,
        Self::SaslLibrary,
        Self::OtherMessage,
        Self::DovecotFailed,
        Self::DovecotLoggedIn,
        Self::DovecotTemporary,
        Self::DovecotNoAttempt,
        Self::DovecotAuth,
        Self::DovecotOther,
        Self::OtherProgram,
    ];

    /// Whether it is about a message of Dovecot.
    pub fn is_dovecots(self) -> bool {
        self.name().starts_with("dovecot-")
    }

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
            Self::DovecotFailed => "dovecot-login-failed",
            Self::DovecotLoggedIn => "dovecot-logged-in",
            Self::DovecotTemporary => "dovecot-temporary-failure",
            Self::DovecotNoAttempt => "dovecot-no-attempt",
            Self::DovecotAuth => "dovecot-auth",
            Self::DovecotOther => "dovecot-other-message",
            Self::OtherProgram => "other-program",
        }
    }

    /// What its lines are taken for.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::SaslFailed | Self::MechanismRefused | Self::DovecotFailed => Verdict::Failure,
            Self::LoggedIn | Self::DovecotLoggedIn => Verdict::Login,
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
            Self::DovecotFailed => "Dovecot refused the attempts of this session, one or several",
            Self::DovecotLoggedIn => "a user logged in",
            Self::DovecotTemporary => "Dovecot could not judge; it is not the client's fault",
            Self::DovecotNoAttempt => "the session ended without an attempt that was judged",
            Self::DovecotAuth => {
                "the attempt itself is told by the service that asked; the user may be used there"
            }
            Self::DovecotOther => "of Dovecot; no login is told in it",
            Self::OtherProgram => "of neither Postfix smtpd nor Dovecot",
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
            Self::DovecotFailed => {
                "Nov 22 21:28:34 mx1 dovecot: imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 12 secs): user=<bob>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.1, TLS, session=<R22CzuRgcE3LAHEJ>"
            }
            Self::DovecotLoggedIn => {
                "Nov 22 21:28:34 mx1 dovecot: pop3-login: Login: user=<bob>, method=PLAIN, rip=198.51.100.18, lip=192.0.2.1, mpid=12416, TLS, session=<UzzpzeRgd+TGM2QS>"
            }
            Self::DovecotTemporary => {
                "Nov 22 21:28:34 mx1 dovecot: imap-login: Disconnected: Connection closed (auth service reported temporary failure): user=<bob>, method=PLAIN, rip=198.51.100.18, lip=192.0.2.1, session=<7VUS3eRgMczGM2QS>"
            }
            Self::DovecotNoAttempt => {
                "Nov 22 21:28:34 mx1 dovecot: imap-login: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=192.0.2.1, session=<NQzgzeRgjLfLAHEJ>"
            }
            Self::DovecotAuth => {
                "Nov 22 21:28:34 mx1 dovecot: auth: passwd-file(bob,203.0.113.9): Password mismatch"
            }
            Self::DovecotOther => {
                "Nov 22 21:28:34 mx1 dovecot: imap(bob)<12534><RD2xzuRgmlbGM2QS>: Disconnected: Logged out in=8 out=468"
            }
            Self::OtherProgram => {
                "Nov 22 21:28:34 mx1 postfix/cleanup[12404]: 313D59CE8EC: warning: header Subject: x[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=bob from mail.example.com[203.0.113.9]"
            }
        }
    }
}
