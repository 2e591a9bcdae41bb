//! Which files beside a log are its rotations, by name, and in which order they were written.
//!
//! Names as logrotate(8) gives them: `mail.log.1`, `mail.log.2.gz`, `mail.log-20260101.gz`
//! (`dateext`), `mail-20260101.log` (`extension .log`), and `mail.log.0.bz2` of newsyslog(8).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Endings that a compressed rotation may have; what is inside is told by its content.
const COMPRESSED: [&[u8]; 5] = [b".gz", b".xz", b".zst", b".bz2", b".bz"];

/// Where a rotation stands among its siblings; smaller is older.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// By date: the digits of its name.
    Dated(Vec<u8>),
    /// By number: the largest is the oldest.
    Numbered(std::cmp::Reverse<u64>),
    /// The log itself.
    Live,
}

/// A file's place in the life of a log, and the name it shares with its compressed twin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its age.
    pub age: Age,
    /// Its name without a compression ending: while `gzip` runs, there are two of them.
    pub stem: Vec<u8>,
}

/// The place of `name` in the life of the log `base`; `None` if it is not one of its files.
pub fn place(base: &OsStr, name: &OsStr) -> Option<Place> {
    let (base, name) = (base.as_bytes(), name.as_bytes());
    if name == base {
        return Some(Place { age: Age::Live, stem: base.to_vec() });
    }
    let stem = COMPRESSED.iter().find_map(|end| name.strip_suffix(*end)).unwrap_or(name);
    let mark = if let Some(mark) = stem.strip_prefix(base) {
        mark
    } else {
        // `extension .log`: the mark stands before it.
        let dot = base.iter().rposition(|b| *b == b'.').filter(|dot| *dot > 0)?;
        let (start, extension) = base.split_at_checked(dot)?;
        stem.strip_prefix(start)?.strip_suffix(extension)?
    };
    let (separator, mark) = mark.split_first()?;
    let digits = mark.first()?.is_ascii_digit() && mark.last()?.is_ascii_digit();
    let number = || std::str::from_utf8(mark).ok().and_then(|text| text.parse().ok());
    let age = match separator {
        b'.' | b'-' if digits && mark.len() <= 5 => Age::Numbered(std::cmp::Reverse(number()?)),
        b'.' | b'-' if digits && mark.iter().all(|b| b.is_ascii_digit() || b"-_T:".contains(b)) => {
            Age::Dated(mark.iter().copied().filter(u8::is_ascii_digit).collect())
        }
        _ => return None,
    };
    Some(Place { age, stem: stem.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(base: &str, names: &[&str]) -> Vec<String> {
        let mut placed: Vec<_> = names
            .iter()
            .filter_map(|name| Some((place(base.as_ref(), name.as_ref())?, *name)))
            .collect();
        placed.sort();
        placed.into_iter().map(|(_, name)| name.to_owned()).collect()
    }

    #[test]
    fn rotations_are_read_oldest_first() {
        let names = ["mail.log", "mail.log.1", "mail.log.10.gz", "mail.log.2.gz", "mail.log.0"];
        let ordered = ["mail.log.10.gz", "mail.log.2.gz", "mail.log.1", "mail.log.0", "mail.log"];
        assert_eq!(order("mail.log", &names), ordered);
        let names = ["maillog", "maillog-20260101.gz", "maillog-20251231.xz", "maillog-2026-01-02"];
        let ordered =
            ["maillog-20251231.xz", "maillog-20260101.gz", "maillog-2026-01-02", "maillog"];
        assert_eq!(order("maillog", &names), ordered);
        let names = ["mail-20260102.log", "mail.1.log.gz", "mail.log", "mail-20260101.log.gz"];
        let ordered = ["mail-20260101.log.gz", "mail-20260102.log", "mail.1.log.gz", "mail.log"];
        assert_eq!(order("mail.log", &names), ordered);
    }

    #[test]
    fn other_files_are_left_alone() {
        for other in [
            "mail.log.bak",
            "mail.log.1.gz-20260101.backup",
            "mail.log.1~",
            "mail.err",
            "mail.log.gz.tmp",
            "mail.log.",
            "mail.logs",
            "mail.log.d",
            "mail.log.1.lz",
        ] {
            assert_eq!(place("mail.log".as_ref(), other.as_ref()), None, "{other}");
        }
    }
}
