//! Passwords: in a file of their own, passed by systemd, or written in the configuration.

use std::path::{Path, PathBuf};

use super::{Note, Reader};
use crate::account;
use crate::files;

/// More than any password has.
const MOST_BYTES: u64 = 64 * 1024;

/// What is said of a file that holds a password, or a webhook's URL, and that others can read.
pub const EXPOSED: &str = "the file holds a secret and others can read it";

pub(super) fn exposed(path: &Path) -> Note {
    let hint = Some(format!("sudo chmod o-r {}", account::quoted(path)));
    Note { place: path.display().to_string(), what: EXPOSED.to_owned(), hint }
}

/// Where a password comes from; it has no `Debug` that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    file: Option<PathBuf>,
    /// The key that holds it; `_file` after it names the file, and systemd's credential is called so.
    key: &'static str,
}

/// Without the password.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Secret {
    /// The password: the file's, else that of the credential in `credentials` (systemd.exec(5)), else
    /// the configuration's: who moves it to a better place may forget the other. `None` if there is none.
    ///
    /// Read when it is needed and not before.
    pub fn read(&self, credentials: Option<&Path>) -> Result<Option<String>, Note> {
        let credential = credentials.map(|folder| folder.join(self.key));
        match (&self.file, credential.filter(|path| path.exists())) {
            (Some(path), _) => self.read_file(path).map(Some),
            (None, Some(path)) => self.read_file(&path).map(Some),
            (None, None) => Ok(Some(self.text.clone()).filter(|text| !text.is_empty())),
        }
    }

    /// Whether there is one, as far as can be told without reading it.
    pub fn is_set(&self, credentials: Option<&Path>) -> bool {
        let has_credential = || credentials.is_some_and(|folder| folder.join(self.key).exists());
        self.file.is_some() || !self.text.is_empty() || has_credential()
    }

    /// What is odd about the password's file.
    pub fn warning(&self) -> Option<Note> {
        let path = self.file.as_deref().filter(|path| super::is_readable_by_others(path))?;
        Some(exposed(path))
    }

    /// The file that holds the password, if one does.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn read_file(&self, path: &Path) -> Result<String, Note> {
        let note = |what: String, hint: &str| Note {
            place: path.display().to_string(),
            what,
            hint: Some(hint.to_owned()),
        };
        let text = files::read(path, MOST_BYTES).map_err(|error| {
            let what = format!("cannot read the password of `{}_file`: {error}", self.key);
            let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            match denied.then(|| account::secret_cure(path)) {
                Some(cure) => note(what, &cure),
                None => note(what, "let the user this runs as read it, and nobody else"),
            }
        })?;
        let text = String::from_utf8(text).map_err(|_| {
            note(format!("`{}_file` is not UTF-8 text", self.key), "printf '%s\\n' 'SECRET' > FILE")
        })?;
        let password = text.strip_suffix('\n').unwrap_or(&text);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if password.is_empty() || password.contains(['\n', '\r', '\0']) {
            let what = format!("`{}_file` must hold one line, the password", self.key);
            return Err(note(what, "printf '%s\\n' 'SECRET' > FILE"));
        }
        Ok(password.to_owned())
    }
}

impl Reader {
    /// The password of the keys `key` and `key` with `_file`.
    pub(super) fn secret(
        &self,
        section: &'static str,
        (key, file): (&'static str, &'static str),
    ) -> Secret {
        Secret { text: self.text(section, key), file: self.path(section, file), key }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_password_comes_from_its_file_then_from_systemd_then_from_the_configuration() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("password");
        let text = "other".to_owned();
        let mut secret = Secret { text, file: None, key: "db_password" };
        assert_eq!(secret.read(None).unwrap().as_deref(), Some("other"));
        let credential = folder.path().join("db_password");
        std::fs::File::create(credential).unwrap().write_all(b"from systemd\n").unwrap();
        let read = secret.read(Some(folder.path())).unwrap();
        assert_eq!(read.as_deref(), Some("from systemd"));
        secret.file = Some(path.clone());
        let error = secret.read(Some(folder.path())).unwrap_err();
        assert!(error.what.contains("No such file"), "{error}");
        for (content, password) in [
            ("p w\n", Some("p w")),
            ("p\r\n", Some("p")),
            (" p ", Some(" p ")),
            ("\n", None),
            ("a\nb\n", None),
        ] {
            std::fs::File::create(&path).unwrap().write_all(content.as_bytes()).unwrap();
            let read = secret.read(None).ok().flatten();
            assert_eq!(read.as_deref(), password, "{content:?}");
        }
        assert!(!format!("{secret:?}").contains("other"));
    }
}
