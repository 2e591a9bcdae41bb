//! The commented configuration file, made from the table of keys.

use std::fmt::Write;

use super::keys::{FIRST_OLDER_SECTION, KEYS};

/// The sections that this version reads; the others are checked and kept for later ones.
const USED: [&str; 3] = ["paths", "general", "detect"];

/// A configuration with every key at its default, commented out.
pub fn sample() -> String {
    let mut text =
        "# MailLogSentinel. Every key is shown with its default; remove the # to set it.\n"
            .to_owned();
    let mut section = "";
    for key in KEYS.iter().take_while(|key| key.section != FIRST_OLDER_SECTION) {
        if key.section != section {
            section = key.section;
            let unused =
                if USED.contains(&section) { "" } else { "# Not used yet in this version.\n" };
            let _ = write!(text, "\n[{section}]\n{unused}");
        }
        let _ = write!(text, "# {}\n#{} = {}\n", key.help, key.name, key.default);
    }
    text.replace(" = \n", " =\n")
}
