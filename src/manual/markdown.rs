//! `docs/configuration.md`, made from the table of keys.

use std::fmt::Write;

use super::settings::{FORM, shown_default};
use crate::config::{DEFAULT_PATHS, KEYS};

/// The reference of the configuration, as Markdown.
pub fn configuration() -> String {
    let [first, second] = DEFAULT_PATHS;
    let mut text = format!(
        "# Configuration\n\n`{first}`, or `{second}`. This page is made from the table that the program reads by \
         (`src/config/keys.rs`); the same is in `man 5 maillogsentinel.conf`, and as a file to fill in\n\
         [maillogsentinel.conf](maillogsentinel.conf).\n"
    );
    for paragraph in FORM {
        let _ = write!(text, "\n{}\n", escaped(paragraph));
    }
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            let _ = write!(
                text,
                "\n## [{section}]\n\n| key | default | takes | what it is for |\n|---|---|---|---|\n"
            );
        }
        let mut help = escaped(key.help);
        for (section, name) in key.older {
            let _ = write!(help, " Also read as `{name}` in section `[{section}]`.");
        }
        let default = shown_default(key);
        let takes = escaped(&key.kind.in_words());
        let _ = writeln!(text, "| `{}` | `{default}` | {takes} | {help} |", key.name);
    }
    text
}

/// Text in a cell of a table; the marks that would become something else are disarmed.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('[', "\\[").replace('*', "\\*")
}
