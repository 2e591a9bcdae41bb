//! The report as a page: the second form of the mail, for clients that show HTML.
//!
//! Mail clients keep little of a page. So the layout stands on tables and inline styles, which all
//! of them keep; `<style>` only adds what a client may drop: dark colours and less room at the sides
//! on a phone. Nothing is loaded from elsewhere and nothing runs: charts come with the mail, and the
//! one address in the page is that of the documentation. `report.html` is the template.

mod value;
mod view;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::Report;
use crate::report::charts::{Chart, Topic, draw};

use view::{Picture, View};

/// The page, and the pictures that have to be sent with it.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page, in UTF-8.
    pub html: String,
    /// What it refers to as `cid:` and the name; none if the pictures are in the page.
    pub images: Vec<Image>,
}

/// A picture of a mail.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its Content-ID without the angle brackets: the page has `src="cid:hours@maillogsentinel"`.
    pub name: &'static str,
    /// The picture.
    pub png: Vec<u8>,
}

/// Where the pictures of a page are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// In other parts of the mail: `cid:`.
    ContentIds,
    /// In the page itself, which is then one file that can be kept: `data:`.
    Inline,
}

/// Makes the page. `summary` is what the text part says in words, plain; its first sentence is the
/// verdict, and the headline.
pub fn page(report: &Report, summary: &[String], images: Images) -> Page {
    let mut sent = Vec::new();
    let charts = draw(report);
    let pictures = charts.iter().map(|chart| picture(chart, images, &mut sent)).collect();
    let view = View::new(report, summary, pictures, images);
    // Writing to a string fails only if a value refuses to be shown, and none does.
    Page { html: view.render().unwrap_or_default(), images: sent }
}

fn picture(chart: &Chart, images: Images, sent: &mut Vec<Image>) -> Picture {
    let [day, night] = names(chart.topic);
    let mut source = |name, png: &Vec<u8>| match images {
        Images::ContentIds => {
            sent.push(Image { name, png: png.clone() });
            format!("cid:{name}")
        }
        Images::Inline => format!("data:image/png;base64,{}", STANDARD.encode(png)),
    };
    Picture::new(chart, [source(day, &chart.day), source(night, &chart.night)])
}

/// The Content-IDs of a chart: for light backgrounds, for dark ones.
fn names(topic: Topic) -> [&'static str; 2] {
    match topic {
        Topic::Hours => ["hours@maillogsentinel", "hours-dark@maillogsentinel"],
        Topic::Days => ["days@maillogsentinel", "days-dark@maillogsentinel"],
        Topic::Countries => ["countries@maillogsentinel", "countries-dark@maillogsentinel"],
        Topic::Networks => ["networks@maillogsentinel", "networks-dark@maillogsentinel"],
    }
}
