//! The secret that placeholders are made with: random for one run, or from a file for several.
//!
//! HMAC-SHA-256 (RFC 2104): who does not have the key cannot try out which name gives a placeholder.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha256};

/// As much secret as the hash has: `openssl rand -base64 32` makes 44 characters.
const LEAST_BYTES: usize = 32;
/// A longer file is another one, given by mistake.
const MOST_BYTES: u64 = 4096;

/// A secret key.
pub struct Key(Hmac<Sha256>);

/// Why a file is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("cannot read the key file {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Other users may read or change it.
    #[error("the key file {} is open to other users (mode {mode:03o})", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is too little in it to be a secret.
    #[error("the key file {} holds {bytes} bytes, which can be guessed", path.display())]
    Short {
        /// Which.
        path: PathBuf,
        /// What it holds besides blanks at both ends.
        bytes: usize,
    },
    /// There is too much in it.
    #[error("{} is longer than any key file", .0.display())]
    Long(PathBuf),
}

impl KeyError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        let make = |path: &Path| {
            format!("make one: `(umask 077; openssl rand -base64 32 > {})`", path.display())
        };
        match self {
            Self::Io { path, source } => {
                (source.kind() == io::ErrorKind::NotFound).then(|| make(path))
            }
            Self::Exposed { path, .. } => Some(format!(
                "`chmod 600 {}`, and make a new key if somebody may have read it",
                path.display()
            )),
            Self::Short { path, .. } => Some(make(path)),
            Self::Long(_) => Some("give the file that `openssl rand -base64 32` wrote".to_owned()),
        }
    }
}

impl Key {
    /// A key that nobody knows and that is forgotten with the process.
    pub fn random() -> io::Result<Self> {
        let mut secret = [0; LEAST_BYTES];
        let mut filled = 0;
        while let Some(rest) = secret.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match getrandom(rest, GetRandomFlags::empty()) {
                Ok(bytes) => filled += bytes,
                Err(error) if error == rustix::io::Errno::INTR => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self::of(&secret))
    }

    /// The key in the file at `path`: all its bytes but blanks at both ends.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
        let mut content = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut content).map_err(io)?;
        if content.len() as u64 > MOST_BYTES {
            return Err(KeyError::Long(path.to_owned()));
        }
        let secret = content.trim_ascii();
        if secret.len() < LEAST_BYTES {
            return Err(KeyError::Short { path: path.to_owned(), bytes: secret.len() });
        }
        Ok(Self::of(secret))
    }

    /// The key that is `secret`.
    pub fn of(secret: &[u8]) -> Self {
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        let digest = Sha256::digest(secret);
        // As RFC 2104 has it for a secret that is longer than a block of the hash.
        let secret = if secret.len() > block.len() { &digest } else { secret };
        block.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block))
    }

    /// A number that `parts` always give for `purpose`, and that tells nothing of them.
    pub(super) fn hash(&self, purpose: &str, parts: &[&[u8]]) -> u64 {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&[0]);
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_rfc_4231() {
        assert_eq!(Key::of(&[0x0b; 20]).hash("Hi There", &[]), 0xb034_4c61_d8db_3853);
        let text = "Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(Key::of(&[0xaa; 131]).hash(text, &[]), 0x60e4_3159_1ee0_b67f);
    }
}
