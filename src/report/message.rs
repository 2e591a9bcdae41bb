//! A report as a message: RFC 5322 headers and MIME parts, the same bytes for the same report.
//!
//! `mixed( alternative( text, related( HTML, images ) ), attachment )`, of which only what is there
//! is written. All lines end in CR LF and are ASCII, so that any server takes the message.

use std::io::{self, Write};

use jiff::Zoned;
use jiff::fmt::rfc2822;
use sha2::{Digest, Sha256};

use super::address::{Address, domain};
use super::encoding::{base64, parameter, quoted_printable, text_header, words};
use super::html::{Image, Page};

/// A report, ready to be written as a message.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Who sends it.
    pub from: Address,
    /// Who gets it.
    pub to: Vec<Address>,
    /// Its subject, as text.
    pub subject: String,
    /// When it was written.
    pub date: Zoned,
    /// Its name, by which servers and readers tell that a second copy is one: see [`message_id`].
    pub message_id: String,
    /// The report as text.
    pub text: String,
    /// The report as a page.
    pub html: Option<Page>,
    /// A file that goes with it.
    pub attachment: Option<File>,
}

/// A file that goes with a report.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name, without folders.
    pub name: String,
    /// What it is, such as `text/csv; charset=utf-8`.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A Message-ID, the same for the same `seed` on the same `host`: whatever makes this report
/// different from all others, such as the day and the time it was made.
pub fn message_id(seed: &str, host: &str) -> String {
    format!("{}@{}", digest(seed), domain(host))
}

impl Letter {
    /// The message. It needs about a third more memory than the attachment.
    pub fn to_bytes(&self) -> Vec<u8> {
        let files = self.attachment.iter().map(|file| file.bytes.len());
        let images = self.html.iter().flat_map(|page| &page.images).map(|image| image.png.len());
        // 57 bytes become 78; the text may triple, but hardly does.
        let encoded = files.chain(images).sum::<usize>() / 57 * 78;
        let html = self.html.as_ref().map_or(0, |page| page.html.len());
        let text = self.text.len() + html;
        let mut bytes = Vec::with_capacity(encoded + text + text / 4 + 8192);
        // Writing to memory cannot fail.
        let _ = self.write_to(&mut bytes);
        bytes
    }

    /// Writes the message, in many small pieces.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.headers(out)?;
        let Some(file) = &self.attachment else { return self.body(out) };
        let mixed = Parts::begin(out, "mixed", &self.message_id, "")?;
        mixed.part(out)?;
        self.body(out)?;
        mixed.part(out)?;
        let name = parameter("filename", &file.name);
        part_headers(out, file.content_type, "base64", Some(("attachment", name)))?;
        base64(out, &file.bytes)?;
        mixed.end(out)
    }

    fn headers(&self, out: &mut dyn Write) -> io::Result<()> {
        // Only years before 0 cannot be written; reports are not that old.
        let date = rfc2822::DateTimePrinter::new().zoned_to_string(&self.date);
        write!(out, "Date: {}\r\n", date.unwrap_or_default())?;
        write!(out, "From: {}\r\n", self.from)?;
        let last = self.to.len().saturating_sub(1);
        let comma = |at: usize| if at == last { "" } else { "," };
        words(out, "To", self.to.iter().enumerate().map(|(at, to)| format!("{to}{}", comma(at))))?;
        text_header(out, "Subject", &self.subject)?;
        write!(out, "Message-ID: <{}>\r\n", id(&self.message_id))?;
        // RFC 3834: an absent reader's machine must not answer to this one.
        write!(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n")
    }

    /// The text, and the page if there is one.
    fn body(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(page) = &self.html else { return text(out, "text/plain", &self.text) };
        let alternative = Parts::begin(out, "alternative", &self.message_id, "")?;
        alternative.part(out)?;
        text(out, "text/plain", &self.text)?;
        alternative.part(out)?;
        if page.images.is_empty() {
            text(out, "text/html", &page.html)?;
            return alternative.end(out);
        }
        let related = Parts::begin(out, "related", &self.message_id, "; type=\"text/html\"")?;
        related.part(out)?;
        text(out, "text/html", &page.html)?;
        for Image { name, png } in &page.images {
            related.part(out)?;
            write!(out, "Content-ID: <{}>\r\n", id(name))?;
            let file = name.split('@').next().unwrap_or_default().trim_end_matches(".png");
            let file = parameter("filename", &format!("{file}.png"));
            part_headers(out, "image/png", "base64", Some(("inline", file)))?;
            base64(out, png)?;
        }
        related.end(out)?;
        alternative.end(out)
    }
}

fn text(out: &mut dyn Write, content_type: &str, text: &str) -> io::Result<()> {
    let content_type = format!("{content_type}; charset=utf-8");
    part_headers(out, &content_type, "quoted-printable", None)?;
    quoted_printable(out, text)
}

fn part_headers(
    out: &mut dyn Write,
    content_type: &str,
    encoding: &str,
    disposition: Option<(&str, Vec<String>)>,
) -> io::Result<()> {
    write!(out, "Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n")?;
    if let Some((disposition, parameters)) = disposition {
        let first = std::iter::once(format!("{disposition};"));
        words(out, "Content-Disposition", first.chain(parameters))?;
    }
    write!(out, "\r\n")
}

/// The parts of a multipart.
///
/// Its boundary holds `=_`, which neither quoted-printable nor base64 ever contains, so that it can
/// be made without looking at the parts (RFC 2045, section 6.7).
struct Parts {
    boundary: String,
}

impl Parts {
    /// Writes its headers, which end those of the message or of the part it is in.
    fn begin(
        out: &mut dyn Write,
        kind: &str,
        message_id: &str,
        parameters: &str,
    ) -> io::Result<Self> {
        let boundary = format!("=_{kind}_{}", digest(message_id));
        write!(out, "Content-Type: multipart/{kind}{parameters};\r\n boundary=\"{boundary}\"\r\n")?;
        Ok(Self { boundary })
    }

    fn part(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "\r\n--{}\r\n", self.boundary)
    }

    fn end(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "\r\n--{}--\r\n", self.boundary)
    }
}

/// 32 letters that stand for a text.
fn digest(text: &str) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15];
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(16).flat_map(digits).filter_map(|d| char::from_digit(d.into(), 16)).collect()
}

/// A name as it may stand between angle brackets, RFC 5322, section 3.6.4.
fn id(text: &str) -> String {
    let (left, right) = text.split_once('@').unwrap_or((text, ""));
    if right.is_empty() { domain(left) } else { format!("{}@{}", domain(left), domain(right)) }
}
