//! The report as a page: nothing remote, nothing that runs, nothing hostile, and small.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test should stop at the first surprise"
)]

mod samples;
mod wellformed;

use maillogsentinel::report::html::{Image, Images, Page, page};
use maillogsentinel::report::summary::sentences as summary;
use maillogsentinel::report::{DOCUMENTATION, Report};
use wellformed::read;

/// What the issue allows a page and its pictures, as they are sent.
const MOST_BYTES: usize = 200_000;
/// Gmail shows no more of a page than this.
const GMAIL_CUTS_AT: usize = 102 * 1024;

fn reports() -> Vec<(&'static str, Report)> {
    vec![
        ("full", samples::full()),
        ("quiet", samples::quiet()),
        ("long day", samples::long_day()),
        ("hostile", samples::hostile()),
        ("huge", samples::huge()),
        ("largest", samples::largest()),
    ]
}

fn mail(report: &Report) -> Page {
    page(report, &summary(report), Images::ContentIds)
}

/// What a reader sees: text without tags, escapes resolved.
fn text(report: &Report) -> String {
    let (_, text) = read(&mail(report).html);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#39;", "'").replace("&#183;", "·").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_page_is_well_formed_and_small_enough_to_be_shown_whole() {
    for (name, report) in reports() {
        let file = page(&report, &summary(&report), Images::Inline);
        read(&file.html);
        assert!(file.images.is_empty());
        assert!(file.html.len() < MOST_BYTES, "{name}: a file of {}", file.html.len());
        let mail = mail(&report);
        read(&mail.html);
        let pictures: usize = mail.images.iter().map(|image| image.png.len().div_ceil(3) * 4).sum();
        assert!(mail.html.len() < GMAIL_CUTS_AT, "{name}: a page of {}", mail.html.len());
        assert!(mail.html.len() + pictures < MOST_BYTES, "{name}: pictures of {pictures}");
    }
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    for (name, report) in reports() {
        for images in [Images::ContentIds, Images::Inline] {
            let page = page(&report, &summary(&report), images);
            let (elements, _) = read(&page.html);
            for element in &elements {
                let known = [
                    "!doctype", "html", "head", "meta", "title", "style", "body", "table", "tr",
                    "td", "div", "p", "h1", "h2", "span", "bdi", "br", "img", "a",
                ];
                assert!(known.contains(&element.name.as_str()), "{name}: <{}>", element.name);
                for (key, value) in &element.attributes {
                    assert!(!key.starts_with("on"), "{name}: {key}");
                    match key.as_str() {
                        "href" => assert_eq!(value, DOCUMENTATION),
                        "src" => {
                            assert!(
                                value.starts_with("cid:") || value.starts_with("data:image/png;")
                            );
                        }
                        "style" => assert!(!value.contains("url(") && !value.contains("://")),
                        _ => {}
                    }
                }
            }
            let style =
                page.html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
            assert!(!style.contains("url(") && !style.contains("@import"));
        }
    }
}

#[test]
fn hostile_names_are_only_text() {
    let report = samples::hostile();
    let mail = mail(&report);
    let (elements, _) = read(&mail.html);
    for c in ['\u{202e}', '\u{1b}', '\u{9b}', '\u{7}', '\0', '\u{200b}', '\u{2028}', '\r'] {
        assert!(!mail.html.contains(c), "{c:?}");
    }
    assert!(!mail.html.to_lowercase().contains("<script"));
    assert!(!mail.html.contains("<img src=x") && !mail.html.contains("</td></table>-->"));
    let named = elements.iter().filter(|element| element.name == "bdi").count();
    assert!(named > 60, "{named} values");
    let shown = text(&report);
    for told in ["\\xe2\\x80\\xaemoc.elpmaxe@nimda", "\\x1b[2J\\x07", "' onmouseover='alert(1)"] {
        assert!(shown.contains(told), "{told} in {shown}");
    }
    assert!(shown.contains("{{ 7 * 7 }}"), "a name is no template");
    assert!(shown.contains("&lt;b&gt;&amp;"), "what looks escaped is shown as it was typed");
}

#[test]
fn long_values_are_shortened_and_told_in_a_title() {
    let (elements, _) = read(&mail(&samples::hostile()).html);
    let titles: Vec<_> = elements.iter().filter_map(|element| element.attribute("title")).collect();
    assert!(titles.len() > 20);
    assert!(titles.iter().all(|title| title.len() <= 1500), "titles are bounded");
    assert!(titles.iter().any(|title| title.contains("192.168.200.200%enp0s31f6-vlan")));
}

#[test]
fn every_picture_is_referred_to_and_can_be_decoded() {
    let mail = mail(&samples::full());
    let (elements, _) = read(&mail.html);
    let sources: Vec<_> = elements.iter().filter_map(|element| element.attribute("src")).collect();
    assert_eq!(mail.images.len(), 8, "four charts, by day and by night");
    assert_eq!(sources.len(), 8);
    for Image { name, png } in &mail.images {
        assert!(sources.contains(&format!("cid:{name}").as_str()), "{name}");
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height), (640, 328), "twice as many pixels as it is wide");
    }
    for image in elements.iter().filter(|element| element.name == "img") {
        assert!(image.attribute("alt").is_some_and(|alt| alt.len() > 20), "{image:?}");
        assert!(image.attribute("width").is_some());
    }
}

#[test]
fn a_full_report_tells_all_in_the_order_of_the_text() {
    let shown = text(&samples::full());
    let mut rest = shown.as_str();
    for told in [
        "MailLogSentinel v",
        "Report at 2026-11-23 06:30",
        "Server: 192.168.1.10 (mail.example.com)",
        "Extraction interval: hourly",
        "368 failed logins on 2026-11-22, about as usual",
        "median of the 14 days before",
        "Total attempts on 2026-11-22 368",
        "Top 10 failed authentications on 2026-11-22",
        "1 admin@example.org 203.0.113.77 · CN · host-203-0-113-77.broadband.example.net 53",
        "10 unknown 192.0.2.9 · N/A · mail.old-customer.example 2",
        "Top 10 usernames on 2026-11-22",
        "Top 10 countries on 2026-11-22",
        "1 CN 138",
        "Top 10 ASO on 2026-11-22",
        "CHINA UNICOM China169 Backbone",
        "Top 10 ASN on 2026-11-22",
        "1 4837 53",
        "Reverse DNS lookup failures on 2026-11-22: 238",
        "Host name not found (Errno 1) 139",
        "Lines read 12,311",
        "Look like logins, but matched nothing",
        "Last event 2026-11-22 23:59:41",
        "Total CSV file size 241.1K",
        "Total CSV lines 3,613",
        "Please see attached: maillogsentinel.csv",
        DOCUMENTATION,
    ] {
        let at = rest.find(told).unwrap_or_else(|| panic!("{told:?} in {rest}"));
        rest = &rest[at + told.len()..];
    }
}

#[test]
fn a_quiet_day_is_short_and_says_how_it_knows() {
    let report = samples::quiet();
    let shown = text(&report);
    assert!(mail(&report).images.is_empty());
    assert!(shown.contains("Total attempts on 2026-11-22 0"));
    assert!(
        shown.contains("Lines read 12,311") && shown.contains("Last event 2026-11-22 23:59:41")
    );
    assert!(!shown.contains("Top 10") && !shown.contains("Reverse DNS"));
}

#[test]
fn a_day_of_which_nothing_was_read_is_an_alarm() {
    let mut report = samples::quiet();
    report.figures.coverage = maillogsentinel::figures::Coverage::default();
    let shown = text(&report);
    assert!(shown.contains("Nothing was read"), "{shown}");
    assert!(shown.contains("Last event none"));
}

#[test]
fn today_is_called_today_and_imported_rows_are_told() {
    let shown = text(&samples::long_day());
    assert!(shown.contains("Total attempts today 368") && shown.contains("Top 10 ASN today"));
    assert!(!shown.contains("on 2026-10-25 "));
    assert!(shown.contains("312 of these were taken over from the CSV of the former program"));
    assert!(shown.contains("the rows of 2026-10-25 only; the whole CSV is too large to send"));
}

#[test]
fn without_a_usual_the_chart_does_not_speak_of_it() {
    let mut report = samples::full();
    report.figures.hours.iter_mut().for_each(|hour| hour.usual_hundredths = None);
    assert!(text(&report).contains("By hour Failures in each hour"));
    assert!(text(&samples::full()).contains("By hour Grey: usual"));
}

#[test]
fn a_chart_without_numbers_is_left_out() {
    let mut report = samples::full();
    report.figures.hours.clear();
    report.figures.days.clear();
    assert_eq!(mail(&report).images.len(), 4);
    assert!(!text(&report).contains("By hour"));
}

#[test]
fn the_same_report_is_the_same_page() {
    let report = samples::full();
    let (one, other) = (mail(&report), mail(&report));
    assert_eq!(one.html, other.html);
    assert!(one.images.iter().zip(&other.images).all(|(one, other)| one.png == other.png));
}

#[test]
fn a_file_is_forbidden_to_load_anything() {
    let file = page(&samples::full(), &[], Images::Inline);
    assert!(file.html.contains("default-src 'none'; img-src data:"));
    assert!(!file.html.contains("cid:"));
}
