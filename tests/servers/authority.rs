//! An authority for TLS, and certificates that it signed, made by openssl.
#![allow(dead_code, reason = "each of those who start servers uses its part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority, and certificates that it signed.
pub(crate) struct Authority {
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let new = Self { folder: TempDir::new().unwrap() };
        new.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=Test -keyout ca.key -out ca.pem");
        new
    }

    /// A certificate and its key.
    pub(crate) fn sign(&self, name: &str, days: i32) -> (PathBuf, PathBuf) {
        let extensions = format!("subjectAltName={name}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(self.path("extensions"), extensions).unwrap();
        self.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout key.pem -out request.pem");
        self.openssl(&format!("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile extensions -out certificate.pem"));
        (self.path("certificate.pem"), self.path("key.pem"))
    }

    /// Its own certificate, for those who are to trust it.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("ca.pem")
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(&self.folder)
            .output()
            .unwrap_or_else(|error| {
                panic!("cannot run openssl: {error}; install the package openssl")
            });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(crate) fn pair(paths: &(PathBuf, PathBuf)) -> (&Path, &Path) {
    (&paths.0, &paths.1)
}
