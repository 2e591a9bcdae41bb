//! Text on its way into the page: escaped, and short enough to fit.
//!
//! Whatever is not a word of ours goes through here, also what should be harmless: the template
//! takes a `Value` as it is, and escapes anything else.

use std::fmt;

use askama::filters::HtmlSafe;
use unicode_width::UnicodeWidthChar;

use crate::untrusted::{Untrusted, for_html, for_terminal};

/// Of a shortened value its `title` tells so many letters: a mail address has 320 at most. If they
/// take more bytes than that, it tells fewer: forty titles at their longest still leave the page
/// below the 102 KB at which Gmail cuts it off.
const MOST_TOLD: [usize; 2] = [320, 120];
const MOST_BYTES: usize = 720;
/// Letters carry at most so many marks: more of them pile up over the lines above.
const MOST_MARKS: usize = 3;
/// What stands before a command.
const CODE: &str = "<code style=\"font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;\
    font-size:0.92em;\">";

/// A text in the page; shows its `title` if there is more than can be seen.
#[derive(Clone, Debug)]
pub(super) struct Value {
    shown: String,
    told: Option<String>,
}

impl Value {
    /// Text that a stranger chose, in a place of so many letters.
    pub(super) fn untrusted(text: &Untrusted, room: usize) -> Self {
        Self::of(&text.for_terminal(), room)
    }

    /// Text from elsewhere, in a place of so many letters.
    pub(super) fn plain(text: &str, room: usize) -> Self {
        Self::of(&for_terminal(text.as_bytes()), room)
    }

    /// Text that is shown whole: a sentence.
    pub(super) fn whole(text: &str) -> Self {
        Self::plain(text, usize::MAX)
    }

    /// A sentence of ours, whole: what stands between backticks is a command or a key, and looks like one.
    /// No such value fits an attribute.
    pub(super) fn sentence(text: &str) -> Self {
        let value = Self::whole(text);
        Self { shown: with_code(&value.shown), ..value }
    }

    /// As the value of an attribute: without markup of its own.
    pub(super) fn attribute(&self) -> &str {
        &self.shown
    }

    fn of(text: &str, room: usize) -> Self {
        let text = thin_marks(text);
        let shown = shorten(&text, room);
        let told = (shown != text).then(|| {
            let [long, less] =
                MOST_TOLD.map(|room| for_html(shorten(&text, room).as_bytes()).into_owned());
            if long.len() <= MOST_BYTES { long } else { less }
        });
        Self { shown: for_html(shown.as_bytes()).into_owned(), told }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `bdi` keeps Hebrew or Arabic names from reordering the words and numbers around them.
        match &self.told {
            Some(told) => write!(f, "<bdi title=\"{told}\">{}</bdi>", self.shown),
            None => write!(f, "<bdi>{}</bdi>", self.shown),
        }
    }
}

/// Marks up what stands between backticks in a text that is escaped already: escaping leaves them.
fn with_code(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once('`')
        && let Some((code, after)) = after.split_once('`')
    {
        out.extend([before, CODE, code, "</code>"]);
        rest = after;
    }
    out + rest
}

/// Both parts have passed `for_html`.
impl HtmlSafe for Value {}

/// `text` if it is at most `room` columns wide, else its two ends with an ellipsis between.
fn shorten(text: &str, room: usize) -> String {
    if text.chars().map(columns).fold(0, usize::saturating_add) <= room {
        return text.to_owned();
    }
    let tail_room = room.saturating_sub(1) / 2;
    let head_room = room.saturating_sub(1) - tail_room;
    let head = fitting(text.chars(), head_room);
    let tail = fitting(text.chars().rev(), tail_room);
    head.into_iter().chain(['…']).chain(tail.into_iter().rev()).collect()
}

fn fitting(text: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    text.scan(0, |used, c| {
        *used += columns(c);
        (*used <= room).then_some(c)
    })
    .collect()
}

/// The columns of a letter; a mark counts too, so that marks alone cannot be endless.
fn columns(c: char) -> usize {
    c.width().unwrap_or(1).max(1)
}

/// `text` without the marks on a letter that are too many; an ellipsis stands for them.
fn thin_marks(text: &str) -> String {
    let mut marks = 0;
    let thinned = text.chars().filter_map(|c| {
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        match marks {
            0..=MOST_MARKS => Some(c),
            marks if marks == MOST_MARKS + 1 => Some('…'),
            _ => None,
        }
    });
    thinned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_both_ends_and_tells_the_rest() {
        let value = Value::plain("a-very-long-name@example.org", 15).to_string();
        let told = "a-very-long-name@example.org";
        assert_eq!(value, format!("<bdi title=\"{told}\">a-very-…ple.org</bdi>"));
        let endless = Value::plain(&"&".repeat(8192), 20).to_string();
        assert!(endless.len() < MOST_BYTES + 200, "{}", endless.len());
    }

    #[test]
    fn wide_letters_count_twice() {
        assert_eq!(shorten("漢字漢字", 8), "漢字漢字");
        assert_eq!(shorten("漢字漢字漢", 8), "漢字…字".replace("字…字", "字…漢"));
    }

    #[test]
    fn markup_is_escaped_after_shortening() {
        let value = Value::untrusted(&Untrusted::from("<script>alert('x')</script>"), 9);
        let shown = value.to_string();
        assert!(shown.contains(">&lt;scr…ipt&gt;</bdi>"), "{shown}");
        assert!(!shown.contains("<script"), "{shown}");
    }

    #[test]
    fn a_command_is_marked_up_and_still_escaped() {
        let shown = Value::sentence("`ack <1>` closes `it, or not").to_string();
        assert_eq!(shown, format!("<bdi>{CODE}ack &lt;1&gt;</code> closes `it, or not</bdi>"));
        let hostile = Value::sentence("`<script>`\"").to_string();
        assert!(hostile.contains("&lt;script&gt;</code>&quot;</bdi>"), "{hostile}");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let piled = format!("a{}b", "\u{301}".repeat(50));
        assert_eq!(thin_marks(&piled), "a\u{301}\u{301}\u{301}…b");
        assert_eq!(thin_marks("müller e\u{301}"), "müller e\u{301}");
    }
}
