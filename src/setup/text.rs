//! Sets keys in the text of a configuration and leaves all else as it is, comments too.

use crate::config::read_ini;

/// The text with `key` of `section` set to `value`: in place of what set it before, else of the line that
/// shows its default, else at the section's end.
pub fn set(text: &str, (section, key): (&str, &str), value: &str) -> String {
    // As Python's configparser, which reads it too, has it.
    let value = value.replace('%', "%%");
    let new = if value.is_empty() { format!("{key} =") } else { format!("{key} = {value}") };
    let lines: Vec<&str> = text.lines().collect();
    let Some((start, end)) = bounds(&lines, section) else {
        let blank = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
        let ending = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{ending}{blank}[{section}]\n{new}\n");
    };
    let (entries, _) = read_ini(text);
    let set_at: Vec<_> = entries
        .iter()
        .filter(|it| it.section == section && it.key == key && !it.inherited)
        .map(|it| (it.line - 1, it.end))
        .collect();
    let shown_at = || {
        let at = (start..end).find(|at| lines.get(*at).is_some_and(|line| shows(line, key)));
        at.map(|at| (at, at + 1))
    };
    let mut out: Vec<&str> = Vec::new();
    let indented;
    if let Some((at, rest)) = set_at.last().copied().or_else(shown_at) {
        // As deep as the keys around it, or those below would be taken for more of its value.
        let is_text =
            |line: &&&str| !line.trim().is_empty() && !line.trim().starts_with(['#', ';']);
        let from = if set_at.is_empty() { rest } else { at };
        let like = lines.get(from..end.max(rest)).unwrap_or_default().iter().find(is_text);
        let depth = like.map_or(0, |line| line.len() - line.trim_start().len());
        indented = like.and_then(|line| line.get(..depth)).unwrap_or_default().to_owned() + &new;
        out.extend(lines.iter().take(at));
        out.push(&indented);
        out.extend(lines.iter().skip(rest));
    } else {
        let kept = lines.get(start..end).unwrap_or_default();
        let blank = kept.iter().rev().take_while(|line| line.trim().is_empty()).count();
        out.extend(lines.iter().take(end - blank));
        out.push(&new);
        out.extend(lines.iter().skip(end - blank));
    }
    out.join("\n") + "\n"
}

/// The lines of a section, without its header: from, and up to.
fn bounds(lines: &[&str], section: &str) -> Option<(usize, usize)> {
    let header = |line: &str| line.starts_with('[') && line.trim_end().ends_with(']');
    let wanted = format!("[{section}]");
    let start = lines.iter().position(|line| line.trim() == wanted)? + 1;
    let length = lines.iter().skip(start).position(|line| header(line));
    Some((start, length.map_or(lines.len(), |length| start + length)))
}

/// Whether the line is `#key = …`, as the sample has it.
fn shows(line: &str, key: &str) -> bool {
    let commented = line.strip_prefix('#').and_then(|rest| rest.split_once('='));
    commented.is_some_and(|(name, _)| name.trim_end() == key)
}

#[cfg(test)]
mod tests {
    use super::set;
    use crate::config::{read_ini, sample};

    #[test]
    fn what_is_set_replaces_what_was_and_nothing_else() {
        let text = "# mine\n[report]\nemail = a@x.example,\n  b@x.example\nhtml = no\n\n[dns]\n";
        let changed = set(text, ("report", "email"), "c@x.example");
        assert_eq!(changed, "# mine\n[report]\nemail = c@x.example\nhtml = no\n\n[dns]\n");
        let added = set(text, ("report", "smtp_port"), "26");
        assert_eq!(added, text.replace("no\n", "no\nsmtp_port = 26\n"));
        assert_eq!(set("", ("dns", "enabled"), "no"), "[dns]\nenabled = no\n");
        assert_eq!(
            set("[a]\nb = c", ("dns", "enabled"), "no"),
            "[a]\nb = c\n\n[dns]\nenabled = no\n"
        );
    }

    #[test]
    fn keys_that_are_indented_and_values_that_go_on_stay_apart() {
        let text =
            "[paths]\n  working_dir = /a,\n    /b\n  state_dir = /s\n#  csv\n  csv_filename = a\n";
        let changed = set(text, ("paths", "working_dir"), "/new");
        assert_eq!(changed, text.replace("/a,\n    /b", "/new"));
        let text = "[report]\nemail = a,\n# second\n\n  b\nhtml = no\n";
        assert_eq!(set(text, ("report", "email"), "c"), "[report]\nemail = c\nhtml = no\n");
        let text = "[paths]\n#working_dir = /var\n  state_dir = /s\n";
        let changed = set(text, ("paths", "working_dir"), "/w");
        assert_eq!(changed, "[paths]\n  working_dir = /w\n  state_dir = /s\n");
        assert_eq!(read_ini(&changed).0.len(), 2);
    }

    #[test]
    fn in_the_sample_it_stands_where_the_default_was_shown() {
        let sample = sample();
        let changed = set(&sample, ("paths", "working_dir"), "/srv/100%/sentinel");
        assert_eq!(changed.lines().count(), sample.lines().count());
        assert!(changed.contains("\n# Where the CSV is.\nworking_dir = /srv/100%%/sentinel\n"));
        let (entries, mistakes) = read_ini(&changed);
        assert_eq!((entries.len(), mistakes.len()), (1, 0));
        assert_eq!(entries[0].value, "/srv/100%/sentinel");
    }
}
