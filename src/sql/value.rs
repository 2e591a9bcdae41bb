//! A field of the CSV as a value of SQL: typed, and NULL where the CSV says that nothing is known.

use std::io::Write;
use std::net::IpAddr;

use jiff::civil::DateTime;

use super::engine::Engine;
use super::layout::{Column, Field, Type};

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was written.
    Whole,
    /// It is not what its column holds: the value is NULL.
    Odd,
    /// It is longer than its column: the rest is left out.
    Cut,
}

/// Adds the value of `field` for `column`; `None` is a field that the row does not have.
pub fn push(out: &mut Vec<u8>, engine: Engine, column: &Column, field: Option<&str>) -> Told {
    let present = field.filter(|text| !is_absent(column.field, text));
    let Some(text) = present else {
        push_absent(out, engine, column);
        return Told::Whole;
    };
    let written = match column.kind {
        Type::Text { most } => return push_text(out, engine, text, most),
        Type::Time => push_time(out, text),
        Type::Integer => push_number(out, text),
        Type::Address => push_address(out, text),
    };
    if written.is_some() {
        return Told::Whole;
    }
    push_absent(out, engine, column);
    Told::Odd
}

/// What the CSV writes for nothing; a user who is called `N/A` is one.
fn is_absent(field: Field, text: &str) -> bool {
    match field {
        Field::User | Field::Hostname => text == "null",
        Field::CountryCode | Field::Asn | Field::Aso => text == "N/A" || text.is_empty(),
        Field::Server | Field::Date | Field::Ip | Field::ReverseDnsStatus => false,
    }
}

fn push_absent(out: &mut Vec<u8>, engine: Engine, column: &Column) {
    let text: &[u8] = match column.kind {
        _ if !column.required => b"NULL",
        Type::Text { .. } => b"''",
        Type::Integer => b"0",
        Type::Time => b"'1970-01-01 00:00:00'",
        // The address that stands for none.
        Type::Address if engine == Engine::Postgresql => b"'::'",
        Type::Address => b"''",
    };
    out.extend_from_slice(text);
}

fn push_text(out: &mut Vec<u8>, engine: Engine, text: &str, most: Option<u32>) -> Told {
    let end = most.and_then(|most| text.char_indices().nth(most as usize)).map(|(end, _)| end);
    engine.push_text(out, end.and_then(|end| text.get(..end)).unwrap_or(text));
    if end.is_some() { Told::Cut } else { Told::Whole }
}

fn push_address(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let text = text.trim();
    match text.parse().ok()? {
        // There is one way to write it.
        IpAddr::V4(_) => push_quoted(out, text),
        IpAddr::V6(address) => {
            let _ = write!(out, "'{address}'");
        }
    }
    Some(())
}

/// A number; `AS64496` is one too.
fn push_number(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let text = text.trim();
    let digits = text.strip_prefix("AS").or(text.strip_prefix("as")).unwrap_or(text);
    // Mostly it is written as it would be written here.
    let usual = (1..=18).contains(&digits.len()) && !digits.starts_with('0');
    if usual && digits.bytes().all(|b| b.is_ascii_digit()) {
        out.extend_from_slice(digits.as_bytes());
        return Some(());
    }
    let number = digits.parse().ok().filter(|number: &i64| *number >= 0)?;
    let _ = write!(out, "{number}");
    Some(())
}

/// `YYYY-MM-DD HH:MM:SS` of a date as this program or the Python one writes it.
fn push_time(out: &mut Vec<u8>, text: &str) -> Option<()> {
    if usual_time(text.trim()).is_some() {
        out.push(b'\'');
        out.extend_from_slice(text.trim().as_bytes());
        out.extend_from_slice(b":00'");
        return Some(());
    }
    push_quoted(out, &time(text)?.strftime("%Y-%m-%d %H:%M:%S").to_string());
    Some(())
}

/// The local time that a date of this program or the Python one means.
pub fn time(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let formats = ["%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"];
    let other = || formats.iter().find_map(|format| DateTime::strptime(format, text).ok());
    // There are no years before 1 in some engines.
    usual_time(text).or_else(other).filter(|time| (1..=9999).contains(&time.year()))
}

/// The same of the usual form, `YYYY-MM-DD HH:MM`, in a fraction of the time.
fn usual_time(text: &str) -> Option<DateTime> {
    let bytes = text.as_bytes();
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', h1, h2, b':', n1, n2] = bytes else {
        return None;
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2];
    digits.iter().all(|b| b.is_ascii_digit()).then_some(())?;
    let two = |a: &u8, b: &u8| i8::try_from((a - b'0') * 10 + (b - b'0')).ok();
    let year = i16::from(two(y1, y2)?) * 100 + i16::from(two(y3, y4)?);
    (year > 0).then_some(())?;
    let time = DateTime::new(year, two(m1, m2)?, two(d1, d2)?, two(h1, h2)?, two(n1, n2)?, 0, 0);
    time.ok()
}

fn push_quoted(out: &mut Vec<u8>, plain: &str) {
    out.push(b'\'');
    out.extend_from_slice(plain.as_bytes());
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::super::layout::Layout;
    use super::*;

    fn written(engine: Engine, name: &str, text: &str) -> (String, Told) {
        let layout = Layout::standard("t");
        let column = layout.columns.iter().find(|c| c.name == name).unwrap();
        let mut out = Vec::new();
        let told = push(&mut out, engine, column, Some(text));
        (String::from_utf8(out).unwrap(), told)
    }

    #[test]
    fn what_is_not_known_is_null_but_names_stay_names() {
        for (column, text, expected) in [
            ("username", "null", "NULL"),
            ("username", "N/A", "'N/A'"),
            ("username", "", "''"),
            ("username", "NULL", "'NULL'"),
            ("hostname", "null", "NULL"),
            ("country_code", "N/A", "NULL"),
            ("country_code", "CN", "'CN'"),
            ("asn_int", "N/A", "NULL"),
            ("asn_int", "AS4294967295", "4294967295"),
            ("asn_varchar", "", "NULL"),
            ("server", "null", "'null'"),
            ("ip", "2001:DB8::1", "'2001:db8::1'"),
        ] {
            assert_eq!(written(Engine::Postgresql, column, text), (expected.into(), Told::Whole));
        }
    }

    #[test]
    fn dates_of_both_programs_are_typed() {
        for (text, expected) in [
            ("2026-11-25 09:07", "'2026-11-25 09:07:00'"),
            ("05/11/2026 09:07", "'2026-11-05 09:07:00'"),
            ("2026-11-25 09:07:31", "'2026-11-25 09:07:31'"),
        ] {
            let expected = (expected.to_owned(), Told::Whole);
            assert_eq!(written(Engine::Sqlite, "event_time", text), expected);
        }
        for odd in ["2026-02-30 09:07", "25/13/2026 09:07", "yesterday", "", "0000-01-01 00:00"] {
            let expected = ("NULL".to_owned(), Told::Odd);
            assert_eq!(written(Engine::Sqlite, "event_time", odd), expected);
        }
    }

    #[test]
    fn a_column_with_a_length_gets_no_more_letters() {
        let column = Column {
            name: "who".to_owned(),
            field: Field::User,
            kind: Type::Text { most: Some(3) },
            required: true,
        };
        for (text, expected) in [("müller", ("'mül'", Told::Cut)), ("null", ("''", Told::Whole))]
        {
            let mut out = Vec::new();
            let told = push(&mut out, Engine::Mysql, &column, Some(text));
            assert_eq!((std::str::from_utf8(&out).unwrap(), told), expected);
        }
    }
}
