//! A strict reader of pages: what it reads without complaint, every mail client can.

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "br", "img", "!doctype"];

/// A start tag of a page.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// Names and values; values still escaped.
    pub(crate) attributes: Vec<(String, String)>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The elements of a page and its text, still escaped; panics if tags do not match, if an attribute
/// is not quoted or comes twice, or if text has a `<`, or an `&` that begins no character.
pub(crate) fn read(page: &str) -> (Vec<Element>, String) {
    let (mut elements, mut open, mut text) = (Vec::new(), Vec::<String>::new(), String::new());
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at]);
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").expect("a comment ends");
            rest = &comment[end + 3..];
        } else if let Some(name) = rest.strip_prefix("</") {
            let end = name.find('>').expect("a tag ends");
            assert_eq!(open.pop().as_deref(), Some(&name[..end]), "the last one opened is closed");
            rest = &name[end + 1..];
        } else {
            let (element, after) = tag(&rest[1..]);
            rest = after;
            if element.name == "br" {
                text.push('\n');
            }
            if element.name == "style" {
                rest = &rest[rest.find("</style>").expect("the style sheet ends")..];
            }
            if !VOID.contains(&element.name.as_str()) {
                open.push(element.name.clone());
            }
            elements.push(element);
        }
    }
    check_text(rest);
    assert!(open.is_empty(), "never closed: {open:?}");
    (elements, text)
}

fn tag(mut rest: &str) -> (Element, &str) {
    let end = rest.find([' ', '>', '/']).expect("a name ends");
    let name = rest[..end].to_lowercase();
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '!'), "{name}");
    rest = &rest[end..];
    let mut attributes = Vec::<(String, String)>::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            assert!(VOID.contains(&name.as_str()), "<{name}/> is not void");
            return (Element { name, attributes }, after);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (Element { name, attributes }, after);
        }
        if name == "!doctype" {
            rest = rest.strip_prefix("html").expect("<!DOCTYPE html>");
            continue;
        }
        let (key, value) = rest.split_once("=\"").expect("an attribute is quoted");
        assert!(key.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{key}");
        let (value, after) = value.split_once('"').expect("the quote ends");
        assert!(!value.contains(['<', '>']), "{value}");
        assert!(!attributes.iter().any(|(other, _)| other == key), "{key} comes twice in <{name}>");
        check_text(value);
        attributes.push((key.to_owned(), value.to_owned()));
        rest = after;
    }
}

fn check_text(text: &str) {
    for (at, _) in text.match_indices('&') {
        let end = text[at..].find(';').expect("an escaped character ends");
        let name = &text[at + 1..at + end];
        let known = ["amp", "lt", "gt", "quot"].contains(&name) || name.starts_with('#');
        assert!(known, "&{name};");
    }
}
