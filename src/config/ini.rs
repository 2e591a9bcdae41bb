//! Reads INI as Python's `configparser` does, and keeps the line of every key.
//!
//! Sections in brackets, `key = value` or `key: value`, keys in any case, whole-line comments
//! with `#` or `;`, values continued on indented lines, `%%` for a percent sign and `%(key)s` for
//! another value of the section, `[DEFAULT]` for keys that all sections have.

use std::collections::{BTreeMap, BTreeSet};

/// One `key = value` of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its section, as written.
    pub section: String,
    /// Its key, in lower case.
    pub key: String,
    /// Its value, without blanks around it.
    pub value: String,
    /// The line its key is on.
    pub line: usize,
    /// The last line of its value.
    pub end: usize,
    /// It stands in `[DEFAULT]`, and this section has no such key of its own.
    pub inherited: bool,
}

/// A line that is no INI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Its number.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// The section whose keys all others have.
const DEFAULT: &str = "DEFAULT";

/// Reads `text`: the entries in their order, and every line that makes no sense.
pub fn read(text: &str) -> (Vec<Entry>, Vec<Syntax>) {
    let (mut entries, mut mistakes) = (Vec::<Entry>::new(), Vec::new());
    let mut section: Option<String> = None;
    let mut sections = BTreeSet::new();
    // How far the key that a line may continue is indented.
    let mut open = None;
    for (line, raw) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let trimmed = raw.trim();
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = raw.len() - raw.trim_start().len();
        if let Some(last) = entries.last_mut().filter(|_| open.is_some_and(|open| indent > open))
            && !trimmed.is_empty()
        {
            last.value.push('\n');
            last.value.push_str(trimmed);
            last.end = line;
            continue;
        }
        if trimmed.is_empty() {
            // Part of the value, if that goes on below.
            if let Some(last) = entries.last_mut().filter(|_| open.is_some()) {
                last.value.push('\n');
            }
            continue;
        }
        open = None;
        if let Some(rest) = trimmed.strip_prefix('[') {
            match rest.split_once(']') {
                Some((name, _)) if !name.trim().is_empty() => {
                    sections.insert(name.trim().to_owned());
                    section = Some(name.trim().to_owned());
                }
                _ => {
                    let what = "a section needs a name in brackets, as in `[paths]`".into();
                    mistakes.push(Syntax { line, what });
                }
            }
            continue;
        }
        let Some((key, value)) =
            trimmed.split_once(['=', ':']).filter(|(key, _)| !key.trim().is_empty())
        else {
            mistakes.push(Syntax { line, what: format!("`{trimmed}` is not `key = value`") });
            continue;
        };
        let Some(section) = &section else {
            mistakes
                .push(Syntax { line, what: "a key stands before the first `[section]`".into() });
            continue;
        };
        let (key, value) = (key.trim().to_lowercase(), value.trim().to_owned());
        let earlier = entries.iter().find(|e| e.section == *section && e.key == key);
        if let Some(earlier) = earlier {
            let what =
                format!("`{key}` is in section [{section}] already, on line {}", earlier.line);
            mistakes.push(Syntax { line, what });
        }
        let section = section.clone();
        entries.push(Entry { section, key, value, line, end: line, inherited: false });
        open = Some(indent);
    }
    for entry in &mut entries {
        entry.value.truncate(entry.value.trim_end().len());
    }
    let mut entries = inherit(entries, &sections);
    interpolate(&mut entries, &mut mistakes);
    entries.retain(|entry| entry.section != DEFAULT);
    for entry in &mut entries {
        // Python leaves the newline of a value that starts below its key.
        entry.value = entry.value.trim().to_owned();
    }
    (entries, mistakes)
}

/// Gives every section the keys of `[DEFAULT]` that it does not have itself.
fn inherit(mut entries: Vec<Entry>, sections: &BTreeSet<String>) -> Vec<Entry> {
    let own: BTreeSet<_> = entries.iter().map(|e| (e.section.clone(), e.key.clone())).collect();
    let defaults: Vec<_> = entries.iter().filter(|e| e.section == DEFAULT).cloned().collect();
    for section in sections.iter().filter(|section| *section != DEFAULT) {
        let missing = defaults.iter().filter(|e| !own.contains(&(section.clone(), e.key.clone())));
        let inherited =
            |entry: &Entry| Entry { section: section.clone(), inherited: true, ..entry.clone() };
        entries.extend(missing.map(inherited));
    }
    entries
}

/// Replaces `%(key)s` and `%%`, as `BasicInterpolation` does.
fn interpolate(entries: &mut [Entry], mistakes: &mut Vec<Syntax>) {
    let values: BTreeMap<(String, String), String> =
        entries.iter().map(|e| ((e.section.clone(), e.key.clone()), e.value.clone())).collect();
    for entry in entries.iter_mut().filter(|entry| entry.value.contains('%')) {
        let look_up = |key: &str| {
            let of = |section: &str| values.get(&(section.to_owned(), key.to_lowercase()));
            of(&entry.section).or_else(|| of(DEFAULT)).cloned()
        };
        match expand(&entry.value, &look_up, 10) {
            Ok(value) => entry.value = value,
            // What is wrong in [DEFAULT] is wrong in every section that inherits it.
            Err(what) => {
                let mistake = Syntax { line: entry.line, what };
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
        }
    }
}

fn expand(
    value: &str,
    look_up: &dyn Fn(&str) -> Option<String>,
    depth: u8,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|after| after.split_once(")s"));
        let (name, after) =
            name.ok_or("`%` must be written `%%`, or `%(key)s` to repeat a value")?;
        let inner = look_up(name).ok_or(format!("`%({name})s` repeats a key that is not there"))?;
        let depth = depth.checked_sub(1).ok_or(format!("`%({name})s` goes in circles"))?;
        out.push_str(&expand(&inner, look_up, depth)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<String> {
        let (entries, mistakes) = read(text);
        assert_eq!(mistakes, []);
        entries.iter().map(|e| format!("{}.{}={}@{}", e.section, e.key, e.value, e.line)).collect()
    }

    #[test]
    fn what_configparser_reads_is_read_alike() {
        let text =
            "# c\n[A]\nKey = 1\n ; c\nb: x = y\nempty =\nlong = one\n  two\n\n  three\n[B]\nc=%%\n";
        let read =
            ["A.key=1@3", "A.b=x = y@5", "A.empty=@6", "A.long=one\ntwo\n\nthree@7", "B.c=%@12"];
        assert_eq!(pairs(text), read);
        let text = "[DEFAULT]\nbase = /srv\n[A]\ndir = %(base)s/log\nfile = %(dir)s/x\n";
        let read = ["A.dir=/srv/log@4", "A.file=/srv/log/x@5", "A.base=/srv@2"];
        assert_eq!(pairs(text), read);
        let text = "[A]\n[DEFAULT]\nx = 1\ny=\n  2\n[B]\nx = 3\n";
        assert_eq!(pairs(text), ["B.x=3@7", "A.x=1@3", "A.y=2@4", "B.y=2@4"]);
    }

    #[test]
    fn every_mistake_is_found_in_one_go() {
        let text =
            "x = 1\n[A\n[]\n[A]\nnonsense\na = 1\na = 2\nb = 5%\nc = %(nothing)s\nd = %(d)s\n";
        let lines: Vec<_> = read(text).1.iter().map(|m| m.line).collect();
        assert_eq!(lines, [1, 2, 3, 5, 7, 8, 9, 10]);
    }
}
