//! Fuzzes the databases of countries and networks: no file makes them panic, and what is kept of it in
//! compiled form answers as the file itself does. As a compiled form, no bytes change an answer.

#![no_main]

mod scratch;

use std::cell::RefCell;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use maillogsentinel::enrich::geo::{Databases, Kind, check};
use maillogsentinel::origin::{AutonomousSystem, Country};
use tempfile::TempDir;

thread_local! {
    static FOLDER: RefCell<TempDir> = RefCell::new(scratch::folder());
}

type Answers = (Vec<(Option<Country>, Option<AutonomousSystem>)>, Vec<String>);

/// What a database says of addresses at the edges and of those in the seeds, and what it warns of.
fn answers(source: &Path, cache: Option<&Path>) -> Answers {
    let paths = || vec![source.to_owned()];
    let mut databases = Databases::new(paths(), paths(), cache.map(Path::to_owned));
    let addresses =
        ["0.0.0.0", "1.2.3.4", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "ffff::"];
    let answers = addresses.map(|it| databases.look_up(it.parse::<IpAddr>().expect("an address")));
    (answers.to_vec(), databases.warnings().into_iter().map(|it| it.text).collect())
}

fuzz_target!(|input: &[u8]| {
    FOLDER.with_borrow(|folder| {
        let (source, cache) = (folder.path().join("source"), folder.path().join("cache"));
        let _ = fs::remove_dir_all(&cache);
        scratch::write(&source, input);
        let _ = (check(&source, Kind::Countries), check(&source, Kind::Networks));
        let plain = answers(&source, None);
        assert_eq!(answers(&source, Some(&cache)), plain, "compiled and kept");
        assert_eq!(answers(&source, Some(&cache)), plain, "opened again");
        for compiled in fs::read_dir(&cache).into_iter().flatten().flatten() {
            scratch::write(&compiled.path(), input);
        }
        assert_eq!(answers(&source, Some(&cache)), plain, "with a compiled form that is none");
    });
});
