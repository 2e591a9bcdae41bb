//! Why a report was not delivered, told apart by what the next attempt may hope for.

use super::reply::Reply;

/// Why a message was not delivered. But for [`SendError::Unknown`], nobody got it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The server said no for good.
    #[error("{server} refuses {what}: {reply}")]
    Refused {
        /// Which server, as `host:port`.
        server: String,
        /// What it refuses.
        what: String,
        /// In its words.
        reply: Reply,
    },
    /// The server said no for now.
    #[error("{server} does not take {what} at the moment: {reply}")]
    Later {
        /// Which server, as `host:port`.
        server: String,
        /// What it does not take.
        what: String,
        /// In its words.
        reply: Reply,
    },
    /// The server cannot be reached, the connection broke, or it does not speak SMTP.
    #[error("cannot deliver to {server}: {what}")]
    Unreachable {
        /// Which server, as `host:port`.
        server: String,
        /// What happened.
        what: String,
    },
    /// It would not be safe, or the server cannot do what the configuration demands.
    #[error("cannot deliver to {server}: {what}")]
    Unfit {
        /// Which server, as `host:port`.
        server: String,
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: Option<&'static str>,
    },
    /// The program was asked to end.
    #[error("delivery to {server} was stopped")]
    Stopped {
        /// Which server, as `host:port`.
        server: String,
    },
    /// The whole message was sent, and no answer came: the server may have taken it, or not.
    #[error("{server} may have taken the message or not: {what}")]
    Unknown {
        /// Which server, as `host:port`.
        server: String,
        /// What happened instead of an answer.
        what: String,
    },
}

impl SendError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            // RFC 4954, section 6.
            Self::Refused { reply, .. } if matches!(reply.code, 535 | 534 | 538) => {
                Some("check smtp_user and smtp_password_file")
            }
            Self::Refused { reply, .. } if reply.code == 530 => {
                Some("the server wants a login or encryption: set smtp_user or smtp_security")
            }
            Self::Refused { reply, .. } if matches!(reply.code, 552 | 523) => {
                Some("set attach_csv = today or a smaller attach_max_bytes")
            }
            Self::Refused { .. } => Some("check email, sender_override and smtp_host in [report]"),
            Self::Unreachable { .. } => {
                Some("check smtp_host and smtp_port in [report], and whether the server runs")
            }
            Self::Unfit { hint, .. } => *hint,
            Self::Later { .. } | Self::Stopped { .. } | Self::Unknown { .. } => None,
        }
    }
}
