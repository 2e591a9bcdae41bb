//! The commented configuration file, made from the table of keys.

use std::fmt::Write;

use super::keys::{FIRST_OLDER_SECTION, KEYS};
use super::value::Kind;

/// A configuration with every key at its default, commented out.
pub fn sample() -> String {
    let mut text =
        "# MailLogSentinel. Every key is shown with its default; remove the # to set it.\n"
            .to_owned();
    let mut section = "";
    for key in KEYS.iter().take_while(|key| key.section != FIRST_OLDER_SECTION) {
        if key.section != section {
            section = key.section;
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "# {}", key.help);
        if let Kind::OneOf(words) = key.kind {
            let _ = writeln!(text, "# One of: {}.", words.join(", "));
        }
        let _ = writeln!(text, "#{} = {}", key.name, key.default);
    }
    text.replace(" = \n", " =\n")
}
