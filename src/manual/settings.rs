//! The page maillogsentinel.conf(5), made from the table of keys.

use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::config::{DEFAULT_PATHS, KEYS, Key};

pub(super) fn page() -> Vec<u8> {
    let mut roff = Roff::new();
    super::title(&mut roff, "MAILLOGSENTINEL.CONF", "5");
    roff.control("SH", ["NAME"]);
    roff.text([roman("maillogsentinel.conf - configuration of maillogsentinel(8)")]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([italic(DEFAULT_PATHS[0])]);
    roff.control("br", []).text([italic(DEFAULT_PATHS[1])]);
    roff.control("SH", ["DESCRIPTION"]);
    for (at, paragraph) in FORM.into_iter().enumerate() {
        if at > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(paragraph)]);
    }
    roff.control("SH", ["KEYS"]);
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            roff.control("SS", [format!("[{section}]").as_str()]);
        }
        entry(&mut roff, key);
    }
    roff.control("SH", ["EXAMPLES"]);
    roff.control("EX", []);
    for line in EXAMPLE {
        roff.text([roman(line)]);
    }
    roff.control("EE", []);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("maillogsentinel"), roman("(8)")]);
    let mut page = Vec::new();
    // Writing into memory cannot fail.
    let _ = roff.to_writer(&mut page);
    page
}

/// How the file is read, for the page and for `docs/configuration.md`.
pub(super) const FORM: [&str; 4] = [
    "The first of these files that exists is read, unless --config names another. It has sections, [paths], and below \
     them lines KEY = VALUE. A line that starts with # or ; is a comment; a line that starts with a blank goes on with the value above.",
    "Every key has a default. An unknown key or section is warned of, with its line and the nearest name that is known. \
     With a wrong value nothing is done: each is listed with its line and what is allowed, and the exit status is 78.",
    "On the command line, --set SECTION.KEY=VALUE goes before the file.",
    "Keep a file that holds a password closed to others (mode 640, group maillogsentinel): each run warns otherwise.",
];

const EXAMPLE: [&str; 5] = [
    "[report]",
    "email = postmaster@example.org",
    "",
    "[detect]",
    "ignore_networks = 192.0.2.0/24, 2001:db8::/32",
];

fn entry(roff: &mut Roff, key: &Key) {
    roff.control("TP", []);
    roff.text([bold(key.name), roman(format!(" = {}", shown_default(key)))]);
    roff.text([roman(key.help)]);
    roff.text([roman(format!("Takes {}.", key.kind.in_words()))]);
    for (section, name) in key.older {
        roff.text([roman(format!("Also read as {name} in section [{section}]."))]);
    }
}

/// The default; `(empty)` where that is nothing.
pub(super) fn shown_default(key: &Key) -> &'static str {
    if key.default.is_empty() { "(empty)" } else { key.default }
}
