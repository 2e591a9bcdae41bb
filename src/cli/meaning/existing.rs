//! Which accounts exist, by the lists that the configuration names and by what Dovecot says.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use crate::cli::say;
use crate::config::Config;
use crate::files;
use crate::programs;
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

/// How long `doveadm user` may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names of accounts, as far as they could be found out.
pub(super) struct Existing {
    names: HashSet<Untrusted>,
    /// Whether all lists were read, so that who is in none does not exist.
    is_complete: bool,
}

impl Existing {
    /// Reads the lists, or asks Dovecot if there are none.
    pub(super) fn find(config: &Config) -> Self {
        let mut found = Self { names: HashSet::new(), is_complete: false };
        let read = config.accounts.iter().filter(|path| found.read(path)).count();
        found.is_complete = read > 0 && read == config.accounts.len();
        if config.accounts.is_empty() {
            found.ask();
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

    fn ask(&mut self) {
        let Ok(answer) = programs::ask(&["doveadm", "user", "*"], PATIENCE) else { return };
        if answer.status == Some(0) && !answer.output.trim().is_empty() {
            let names = answer.output.lines().map(str::trim).filter(|name| !name.is_empty());
            self.names.extend(names.map(|name| name_of(name.as_bytes())));
            self.is_complete = true;
        }
    }
}

/// The largest list that is read.
const MOST_BYTES: u64 = 64 << 20;
