//! Rows of the CSV: any reader of CSV gets the words of the log, and no control characters.

use maillogsentinel::config;
use maillogsentinel::host::Host;
use maillogsentinel::parse::syslog::Layout;
use maillogsentinel::pipeline::{self, Progress};
use proptest::collection::vec;
use proptest::prelude::*;

use super::postfix::{line, refusal};
use super::{Words, cases};

/// Watches nothing.
struct Nobody;

impl Progress for Nobody {
    fn bytes(&mut self, _done: u64, _total: u64) {}

    fn names(&mut self, _addresses: usize) {}
}

/// Runs the main job on a log of `lines`; gives the CSV.
fn csv_of(lines: &[Vec<u8>]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("conf"), "").unwrap();
    std::fs::write(path("mail.log"), [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    let settings = [
        format!("paths.mail_log={}", path("mail.log").display()),
        format!("paths.working_dir={}", path("work").display()),
        format!("paths.state_dir={}", path("state").display()),
        "dns.enabled=false".to_owned(),
        concat!(
            "geolocation.country_db_path=",
            env!("CARGO_MANIFEST_DIR"),
            "/samples/databases/country.csv"
        )
        .to_owned(),
        concat!("ASN_ASO.asn_db_path=", env!("CARGO_MANIFEST_DIR"), "/samples/databases/asn.csv")
            .to_owned(),
    ];
    let config = config::load(Some(&path("conf")), &settings).0.unwrap();
    let summary = pipeline::run(&Host::real(), &config, &mut Nobody).unwrap();
    assert_eq!((summary.errors, summary.warnings), (vec![], vec![]));
    std::fs::read_to_string(&config.paths.csv).unwrap()
}

/// Whether `shown` is `bytes` with controls and bytes that are not UTF-8 as `\xhh`.
fn is_escaped(bytes: &[u8], shown: &str) -> bool {
    let mut shown = shown.as_bytes();
    for chunk in bytes.utf8_chunks() {
        let visible = chunk.valid().chars().map(|c| {
            if c.is_ascii_control() { format!("\\x{:02x}", u32::from(c)) } else { c.to_string() }
        });
        let broken = chunk.invalid().iter().map(|b| format!("\\x{b:02x}"));
        for text in visible.chain(broken) {
            let Some(rest) = shown.strip_prefix(text.as_bytes()) else { return false };
            shown = rest;
        }
    }
    shown.is_empty()
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_row_is_read_back_as_it_was(refusals in vec(refusal(), 1..40)) {
        let line = |message: &Words| line(Layout::Rfc3339, "postfix/smtpd", message);
        let lines: Vec<_> = refusals.iter().map(|refusal| line(&refusal.render())).collect();
        let text = csv_of(&lines);
        prop_assert!(!text.chars().any(|c| c.is_ascii_control() && c != '\n'));
        prop_assert_eq!(text.lines().count(), refusals.len() + 1, "a row is a line");
        let mut reader = ::csv::ReaderBuilder::new();
        let mut reader = reader.delimiter(b';').from_reader(text.as_bytes());
        for (record, refusal) in reader.records().zip(&refusals) {
            let record = record.unwrap();
            prop_assert_eq!(&record[2], refusal.address.to_canonical().to_string());
            let user = refusal.user.clone().unwrap_or("null".into());
            prop_assert!(is_escaped(&user, &record[3]), "{:?} {:?}", record, user);
            prop_assert_eq!(record.len(), 9);
        }
    }
}
