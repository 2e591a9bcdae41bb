//! Fuzzes what is written as SQL, and how SQL is split into statements.
//!
//! Whatever the rows of a CSV hold, the file that is made of them has the statements that we wrote
//! and no others, as each engine reads it. Whatever a file holds, splitting it ends, and its
//! statements stand in it one after another.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maillogsentinel::sql::csv_rows::{CsvRows, Next, Row};
use maillogsentinel::sql::export::Script as Export;
use maillogsentinel::sql::import::kind::{Kind, kind};
use maillogsentinel::sql::import::script::Script;
use maillogsentinel::sql::{Engine, Layout};

const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::Postgresql, Engine::Mysql];

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let engine = ENGINES[usize::from(*choice) % ENGINES.len()];
    if *choice < 128 {
        splits(engine, input);
    } else {
        exports(engine, input);
    }
});

fn splits(engine: Engine, input: &[u8]) {
    let mut script = Script::new(input, engine);
    let mut from = 0;
    while let Ok(Some(statement)) = script.statement() {
        let text = statement.text.as_bytes();
        assert!(!text.is_empty());
        // The same words may stand in a comment before it: it is looked for on its own line.
        let ends = input.iter().zip(1..).filter(|(byte, _)| **byte == b'\n').map(|(_, end)| end);
        let start = std::iter::once(0).chain(ends).nth(statement.line as usize - 1);
        from = from.max(start.unwrap_or_else(|| panic!("{statement:?} has no such line")));
        let at = input[from..].windows(text.len()).position(|window| window == text);
        let at = from + at.unwrap_or_else(|| panic!("{statement:?} is not in the rest"));
        assert!(!input[from..at].contains(&b'\n'), "{statement:?} is on a later line");
        from = at + text.len();
        kind(engine, &statement.text);
    }
}

fn exports(engine: Engine, input: &[u8]) {
    let layout = Layout::standard("events");
    let mut rows = CsvRows::new(input, (0, 0));
    let mut row = Row::default();
    let mut export = Export::new(Vec::new(), engine, &layout, "title").unwrap();
    let mut count = 0;
    loop {
        match rows.next(&mut row).unwrap() {
            Next::Row => {
                export.add(&row).unwrap();
                count += 1;
            }
            Next::TooLong(_) => {}
            Next::End => break,
        }
    }
    assert!(rows.position().0 <= input.len() as u64);
    let (file, tally) = export.finish().unwrap();
    assert_eq!(tally.rows, count);
    let mut script = Script::new(&file[..], engine);
    let mut inserts = 0;
    let mut others = Vec::new();
    while let Some(statement) = script.statement().expect("our own file can be read") {
        if statement.text.starts_with("INSERT INTO ") {
            inserts += 1;
        } else {
            others.push(statement.text);
        }
    }
    let begins = others.iter().filter(|text| kind(engine, text) == Kind::Begin).count();
    let commits = others.iter().filter(|text| kind(engine, text) == Kind::Commit).count();
    assert_eq!((begins, commits), (1, 1), "{others:?}");
    assert_eq!(others.len(), engine.session().len() + 3, "{others:?}");
    assert_eq!(inserts, u64::from(count > 0).max(inserts), "rows are in statements");
    assert!(inserts <= count);
}
