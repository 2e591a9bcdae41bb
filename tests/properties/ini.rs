//! The configuration as INI: what Python's `configparser` writes and reads, we read alike.

use std::collections::BTreeMap;
use std::process::Command;

use maillogsentinel::config::read_ini;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::cases;

/// Section, key and value of each entry.
type Entries = Vec<(String, String, String)>;

/// Names and values made of the format's own tokens.
fn ini_word() -> impl Strategy<Value = String> {
    let tokens = vec![
        "mail_log", "Key", "a", "/var/log", " ", "#", ";", "[", "]", "=", ":", ",", "%%", "(",
        ")s", "é", "\"", "'", "1", ".",
    ];
    vec(select(tokens), 0..5).prop_map(|tokens| tokens.concat().trim().to_owned())
}

fn ini_value() -> impl Strategy<Value = Vec<String>> {
    let comment = |line: &String| line.starts_with(['#', ';']);
    vec(ini_word(), 1..4).prop_filter("lines that are none", move |lines| {
        !lines[1..].iter().any(|line| line.is_empty() || comment(line))
    })
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn what_is_written_by_configparsers_rules_is_read_back(
        sections in btree_map(
            select(vec!["paths", "report", "ASN_ASO", "x y"]),
            btree_map(
                select(vec!["mail_log", "Key", "a b", "x#y"]),
                (ini_value(), select(vec![" = ", ": ", "=", "  :"])),
                0..4,
            ),
            0..4,
        ),
        indent in select(vec!["", "  ", "\t"]),
        noise in select(vec!["", "\n", "# comment = 1\n", "  ; [x]\n"]),
        end in select(vec!["\n", "\r\n"]),
    ) {
        let (mut text, mut expected) = (String::new(), Entries::new());
        for (section, keys) in &sections {
            text.extend([noise, "[", section, "]\n"]);
            for (key, (lines, delimiter)) in keys {
                let value = lines.join(&format!("\n {indent}"));
                text.extend([noise, indent, key, delimiter, &value, "\n"]);
                let value = lines.join("\n").replace("%%", "%");
                expected.push(((*section).to_owned(), key.to_lowercase(), value.trim().to_owned()));
            }
        }
        let (entries, mistakes) = read_ini(&text.replace('\n', end));
        prop_assert_eq!(mistakes, vec![], "{}", text);
        let found: Entries = entries.into_iter().map(|e| (e.section, e.key, e.value)).collect();
        prop_assert_eq!(found, expected, "{}", text);
    }
}

/// Files of lines that INI readers may take for this or that.
fn ini_file() -> impl Strategy<Value = String> {
    let line = select(vec![
        "[paths]",
        "[report]",
        " [report]",
        "[DEFAULT]",
        "[paths] # x",
        "mail_log = /var/log/mail.log",
        "  mail_log = /x",
        "\tkey : value = x",
        "a = %(key)s/log",
        "b = 100%%",
        "c = 5%",
        "d = %(d)s",
        "key = [x]",
        "key=",
        "key",
        "= value",
        "  continued",
        "    more",
        "# comment",
        "  ; comment",
        "",
        "   ",
        "Key2 = a ; not a comment",
        "e: # value",
        "[",
        "[]",
        "f = %(a)s%(b)s",
        "g = %(nothing)s",
        "h = %(KEY)s",
        "key3 = é\u{a0}",
    ]);
    vec(line, 1..12).prop_map(|lines| format!("[first]\n{}\n", lines.join("\n")))
}

/// Prints for each file what Python reads: a line for each entry, its parts in hexadecimal; or
/// `refused` and why. `[DEFAULT]` must make sense too, but is no section of its own.
const CONFIGPARSER: &str = r#"
import configparser, sys
hexed = lambda text: text.encode().hex()
for number in range(int(sys.argv[2])):
    parser = configparser.ConfigParser()
    try:
        with open(f"{sys.argv[1]}/{number}", encoding="utf-8") as file:
            parser.read_file(file)
        [parser.get("DEFAULT", key) for key in parser.defaults()]
        rows = [(section, key, parser.get(section, key))
                for section in parser.sections() for key in parser[section]]
        for row in rows:
            print(number, "entry", *map(hexed, row))
    except configparser.Error as error:
        print(number, "refused", type(error).__name__)
"#;

#[test]
fn python_reads_the_same_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    let texts: Vec<_> =
        (0..3000).map(|_| ini_file().new_tree(&mut runner).unwrap().current()).collect();
    for (number, text) in texts.iter().enumerate() {
        std::fs::write(folder.path().join(number.to_string()), text).unwrap();
    }
    let python = Command::new("python3")
        .args(["-c", CONFIGPARSER])
        .arg(folder.path())
        .arg(texts.len().to_string())
        .output()
        .unwrap_or_else(|error| panic!("cannot run python3: {error}; install it"));
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let (mut entries, mut refused) = (BTreeMap::<usize, Entries>::new(), BTreeMap::new());
    for line in String::from_utf8(python.stdout).unwrap().lines() {
        let words: Vec<_> = line.split(' ').collect();
        let number = words[0].parse().unwrap();
        if words[1] == "refused" {
            refused.insert(number, words[2].to_owned());
        } else {
            let [section, key, value] = [2, 3, 4].map(|at| unhexed(words[at]));
            // No value of ours starts or ends with a blank.
            let entry = (section, key, value.trim().to_owned());
            entries.entry(number).or_default().push(entry);
        }
    }
    let mut compared = 0;
    for (number, text) in texts.iter().enumerate() {
        // We may be milder than Python, but what it reads, we read, and alike.
        if refused.contains_key(&number) {
            continue;
        }
        let (found, mistakes) = read_ini(text);
        assert_eq!(mistakes, [], "Python reads this:\n{text}");
        let mut found: Entries = found.into_iter().map(|e| (e.section, e.key, e.value)).collect();
        let mut expected = entries.remove(&number).unwrap_or_default();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "in\n{text}");
        compared += 1;
    }
    assert!(compared > 300, "only {compared} files were compared");
}

fn unhexed(text: &str) -> String {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    String::from_utf8((0..text.len()).step_by(2).map(byte).collect()).unwrap()
}
