//! Reads the rows of an `INSERT … VALUES` whose values are plain literals, as our own exports have them.
//!
//! For SQLite, which parses a statement of a thousand rows slower than it stores them: bound to one
//! prepared statement they take a third of the time.

/// A literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal<'s> {
    Null,
    Integer(i64),
    Text(std::borrow::Cow<'s, str>),
}

/// The rows of a statement.
pub(super) struct Rows<'s> {
    /// The statement up to and with `VALUES`.
    pub(super) head: &'s str,
    /// How many values each row has.
    pub(super) width: usize,
    /// The values of all rows, one after another.
    pub(super) values: Vec<Literal<'s>>,
}

impl<'s> Rows<'s> {
    /// The rows of `sql`, if it is `INSERT INTO "table" ("column", …) VALUES`, rows of literals, and
    /// nothing else.
    pub(super) fn of(sql: &'s str) -> Option<Self> {
        let (head, _) =
            sql.split_once(" VALUES\n(").filter(|_| sql.starts_with("INSERT INTO \""))?;
        let columns = head.strip_suffix(')')?.rsplit_once('(')?.1;
        let width = columns.split(", ").count();
        // A name with a quote or a parenthesis in it is not worth the trouble.
        let plain = |name: &str| {
            let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
            name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        };
        columns.split(", ").all(plain).then_some(())?;
        let (head, mut rest) = sql.split_at_checked(head.len() + " VALUES\n".len())?;
        let mut values = Vec::new();
        loop {
            let before = values.len();
            rest = row(rest, &mut values)?;
            (values.len() - before == width).then_some(())?;
            if rest.is_empty() {
                return Some(Self { head, width, values });
            }
            rest = rest.strip_prefix(",\n")?;
        }
    }
}

/// Reads the row at the start of `text`; gives what follows it.
fn row<'s>(text: &'s str, values: &mut Vec<Literal<'s>>) -> Option<&'s str> {
    let mut rest = text.strip_prefix('(')?;
    loop {
        let (value, after) = literal(rest)?;
        values.push(value);
        match after.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return after.strip_prefix(')'),
        }
    }
}

/// The literal at the start of `text`, and what follows it.
fn literal(text: &str) -> Option<(Literal<'_>, &str)> {
    if let Some(rest) = text.strip_prefix("NULL") {
        return Some((Literal::Null, rest));
    }
    let Some(inner) = text.strip_prefix('\'') else {
        let length = text.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at_checked(length)?;
        return Some((Literal::Integer(digits.parse().ok()?), rest));
    };
    let mut from = 0;
    loop {
        let end = from + memchr::memchr(b'\'', inner.as_bytes().get(from..)?)?;
        let rest = inner.get(end + 1..)?;
        if rest.starts_with('\'') {
            from = end + 2;
            continue;
        }
        let text = inner.get(..end)?;
        let text = if from > 0 { text.replace("''", "'").into() } else { text.into() };
        return Some((Literal::Text(text), rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_literals_are_read_and_others_are_not() {
        let sql = "INSERT INTO \"t\" (\"a\", \"b\") VALUES\n('it''s', 12),\n(NULL, 'x;(\n')";
        let rows = Rows::of(sql).unwrap();
        assert_eq!((rows.head, rows.width), ("INSERT INTO \"t\" (\"a\", \"b\") VALUES\n", 2));
        let text = |text: &'static str| Literal::Text(text.into());
        assert_eq!(rows.values, [text("it's"), Literal::Integer(12), Literal::Null, text("x;(\n")]);
        for other in
            ["('a'||char(13)||'b', 1)", "('a')", "(1, 2, 3)", "(1, 2),\n", "(a, 1)", "(1.5, 2)"]
        {
            let sql = format!("INSERT INTO \"t\" (\"a\", \"b\") VALUES\n{other}");
            assert!(Rows::of(&sql).is_none(), "{other}");
        }
        assert!(Rows::of("INSERT INTO t VALUES\n(1)").is_none());
    }
}
