//! Shares what many failures have in common, so that one more of a known kind costs no copy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::postfix::Attempt;
use super::syslog::Header;
use crate::event::Manner;
use crate::untrusted::Untrusted;

/// How many manners are remembered; attackers invent mechanisms.
const MANNERS: usize = 1024;
/// How much of a host, a service, a mechanism or a reason is kept. Postfix cuts a mechanism at 100.
const PART_BYTES: usize = 512;

/// The manners of late.
#[derive(Default)]
pub(super) struct Manners {
    known: HashMap<Vec<u8>, Arc<Manner>, foldhash::fast::RandomState>,
    key: Vec<u8>,
}

impl Manners {
    /// The manner of `attempt`; `own_host` names the machine where the line does not.
    pub(super) fn of(
        &mut self,
        header: &Header<'_>,
        attempt: &Attempt<'_>,
        own_host: &[u8],
    ) -> Arc<Manner> {
        let host = if matches!(header.host, b"" | b"-") { own_host } else { header.host };
        let service = service(header, attempt);
        let parts = [host, &service, attempt.mechanism, attempt.reason].map(cut);
        self.key.clear();
        for part in parts {
            self.key.extend_from_slice(part);
            self.key.push(b'\n');
        }
        if let Some(known) = self.known.get(&self.key) {
            return known.clone();
        }
        if self.known.len() >= MANNERS {
            self.known.clear();
        }
        let [server, service, mechanism, reason] = parts.map(Untrusted::from);
        let manner = Arc::new(Manner { server, service, mechanism, reason });
        self.known.insert(self.key.clone(), manner.clone());
        manner
    }
}

/// Which service a client talked to: `postfix/submission`, `dovecot/imap`.
pub(super) fn service<'l>(header: &Header<'l>, attempt: &Attempt<'_>) -> Cow<'l, [u8]> {
    if attempt.protocol.is_empty() {
        let program = header.program.strip_suffix(b"/smtpd").unwrap_or(header.program);
        Cow::Borrowed(cut(program))
    } else {
        Cow::Owned([b"dovecot/", cut(attempt.protocol)].concat())
    }
}

fn cut(part: &[u8]) -> &[u8] {
    part.get(..PART_BYTES).unwrap_or(part)
}
