//! Writes sample pages of the report into a folder, for looking at them in a browser.
//!
//!     cargo run --example report_html -- FOLDER
//!
//! Says for each how large it is as a file, how large the mail's page and pictures are, and how
//! long it took.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "a tool for looking at pages should stop at the first surprise, and talk"
)]

use std::path::PathBuf;
use std::time::Instant;

use maillogsentinel::report::html::{Images, page};
use maillogsentinel::report::summary;

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/html/samples.rs"]
mod samples;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap());
    let reports = [
        ("full", samples::full()),
        ("quiet", samples::quiet()),
        ("long-day", samples::long_day()),
        ("hostile", samples::hostile()),
        ("huge", samples::huge()),
        ("largest", samples::largest()),
    ];
    for (name, report) in reports {
        let summary = summary::sentences(&report);
        let start = Instant::now();
        let file = page(&report, &summary, Images::Inline);
        let took = start.elapsed();
        std::fs::write(folder.join(format!("{name}.html")), &file.html).unwrap();
        let mail = page(&report, &summary, Images::ContentIds);
        let pictures: usize = mail.images.iter().map(|image| image.png.len()).sum();
        let (all, html) = (file.html.len(), mail.html.len());
        println!("{name}: file {all} bytes; mail {html} and {pictures} in pictures; {took:.1?}");
    }
}
