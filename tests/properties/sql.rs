//! Files of SQL that are made of hostile rows have our statements and no others, and any file is split
//! into what stands in it.

use proptest::prelude::*;

use maillogsentinel::sql::csv_rows::{CsvRows, Next, Row};
use maillogsentinel::sql::export::Script as Export;
use maillogsentinel::sql::import::kind::{Kind, kind};
use maillogsentinel::sql::import::script::Script;
use maillogsentinel::sql::{Engine, Layout};

use super::cases;

const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::Postgresql, Engine::Mysql];

/// What opens or closes something in a CSV or in a dialect of SQL.
const TOKENS: [&[u8]; 46] = [
    b"'",
    b"''",
    b"\\",
    b"\\'",
    b"\"",
    b"\"\"",
    b"`",
    b"[",
    b"]",
    b";",
    b"\n",
    b"\r\n",
    b"--",
    b"-- ",
    b"#",
    b"/*",
    b"*/",
    b"/*!40101 ",
    b"$$",
    b"$a$",
    b"$1",
    b"E'",
    b"e",
    b"x",
    b" ",
    b",",
    b"(",
    b")",
    b"BEGIN",
    b"BEGIN ATOMIC ",
    b"COMMIT",
    b"ROLLBACK",
    b"END",
    b"CASE ",
    b"CREATE TRIGGER ",
    b"CREATE FUNCTION ",
    b"USE x",
    b"INSERT INTO t VALUES ",
    b"N/A",
    b"null",
    b"2026-11-22 21:28",
    b"192.0.2.1",
    b"\0",
    b"\xff",
    "\u{1f600}".as_bytes(),
    b"\xef\xbb\xbf",
];

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(&TOKENS[..]);
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// Where a line starts, the first being 1.
fn start_of_line(file: &[u8], line: u64) -> usize {
    let ends = file.iter().zip(1..).filter(|(byte, _)| **byte == b'\n').map(|(_, end)| end);
    std::iter::once(0).chain(ends).nth(usize::try_from(line).unwrap() - 1).unwrap()
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_file_holds_our_statements_and_no_others(csv in hostile(), which in 0..3usize) {
        let engine = ENGINES[which];
        let layout = Layout::standard("events");
        let mut rows = CsvRows::new(&csv[..], (0, 0));
        let mut row = Row::default();
        let mut export = Export::new(Vec::new(), engine, &layout, "title").unwrap();
        while rows.next(&mut row).unwrap() != Next::End {
            export.add(&row).unwrap();
        }
        let (file, tally) = export.finish().unwrap();
        let mut script = Script::new(&file[..], engine);
        let (mut inserts, mut others) = (0, Vec::new());
        while let Some(statement) = script.statement().expect("our own file can be read") {
            if statement.text.starts_with("INSERT INTO ") {
                inserts += 1;
            } else {
                others.push(kind(engine, &statement.text));
            }
        }
        let count = |wanted| others.iter().filter(|kind| **kind == wanted).count();
        prop_assert_eq!((count(Kind::Begin), count(Kind::Commit)), (1, 1));
        prop_assert_eq!(others.len(), engine.session().len() + 3);
        prop_assert_eq!(inserts, u64::from(tally.rows > 0));
    }

    #[test]
    fn statements_stand_in_the_file_one_after_another(file in hostile(), which in 0..3usize) {
        let mut script = Script::new(&file[..], ENGINES[which]);
        let mut from = 0;
        while let Ok(Some(statement)) = script.statement() {
            let text = statement.text.as_bytes();
            prop_assert!(!text.is_empty());
            // The same words may stand in a comment before it: it is looked for on its own line.
            from = from.max(start_of_line(&file, statement.line));
            let at = file[from..].windows(text.len()).position(|window| window == text);
            let at = from + at.expect("a statement that is in the file");
            prop_assert!(!file[from..at].contains(&b'\n'));
            from = at + text.len();
            kind(ENGINES[which], &statement.text);
        }
    }
}
