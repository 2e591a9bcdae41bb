//! Which accounts exist, by the lists that the configuration names and by what Dovecot says.

use std::collections::HashSet;
use std::path::Path;

use super::Desk;
use crate::cli::say;
use crate::files;
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

/// Names of accounts, as far as they could be found out.
pub(super) struct Existing {
    names: HashSet<Untrusted>,
    /// Whether all lists were read, so that who is in none does not exist.
    is_complete: bool,
}

impl Existing {
    /// Reads the lists, or hears Dovecot if there are none.
    pub(super) fn find(desk: &Desk<'_>) -> Self {
        let config = desk.config;
        let mut found = Self { names: HashSet::new(), is_complete: false };
        let read = config.accounts.iter().filter(|path| found.read(path)).count();
        found.is_complete = read > 0 && read == config.accounts.len();
        if let Some(users) = desk.dovecot.users() {
            let names = users.lines().map(str::trim).filter(|name| !name.is_empty());
            found.names.extend(names.map(|name| name_of(name.as_bytes())));
            found.is_complete = true;
        }
        found
    }

    /// Whether there is an account of this name; `None`: nobody knows.
    pub(super) fn has(&self, name: &Untrusted, has_logged_in: bool) -> Option<bool> {
        if has_logged_in || self.names.contains(name) {
            return Some(true);
        }
        self.is_complete.then_some(false)
    }

    /// Reads a passwd-file, a Postfix map or a list: the name is what stands first on each line. False
    /// if it cannot be read, which is said.
    fn read(&mut self, path: &Path) -> bool {
        let text = match files::read(path, MOST_BYTES) {
            Ok(text) => text,
            Err(error) => {
                let path = super::super::shown(path);
                let what = format!(
                    "cannot read the accounts in {path}, of `lists` in section [accounts]: {error}\n  hint: \
                     `sudo maillogsentinel doctor` says what mends it"
                );
                say("warning", &what);
                return false;
            }
        };
        for line in text.split(|byte| *byte == b'\n') {
            let end = |byte: &u8| matches!(byte, b':' | b' ' | b'\t' | b'|' | b'\r');
            let name = line.split(end).next().unwrap_or_default();
            // A map's line that begins with a blank goes on; `@domain` is a domain.
            if !name.is_empty() && !name.starts_with(b"#") && !name.starts_with(b"@") {
                self.names.insert(name_of(name));
            }
        }
        true
    }
}

/// The largest list that is read.
const MOST_BYTES: u64 = 64 << 20;
