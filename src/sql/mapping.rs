//! Reads the mapping of columns that users of the Python program may have written (JSON).
//!
//! An object with a member for each column of the table: `"username": {"sql_column_def":
//! "VARCHAR(100) NOT NULL", "csv_column_name": "user"}`. The definition is read, not copied: its
//! type, its length and `NOT NULL` count, and are then said in the words of the engine.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::layout::{Column, FIELDS, Layout, Type};
use crate::files;

/// What the Python program calls the source of the column that the database numbers.
const ID_PLACEHOLDER: &str = "csv_id_placeholder";

/// More than any mapping has.
const MOST_BYTES: u64 = 1024 * 1024;

/// Why a mapping cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// It cannot be read.
    #[error("cannot read the column mapping {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is no JSON, or JSON of another shape; the reason ends with line and column.
    #[error("the column mapping {} cannot be used: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong where.
        source: serde_json::Error,
    },
    /// It has no column that is filled.
    #[error("the column mapping {} cannot be used: no column in it is filled by the CSV", .0.display())]
    Empty(PathBuf),
    /// A column of it makes no sense.
    #[error("the column mapping {} cannot be used: column `{column}`: {what}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What is wrong with it.
        what: String,
    },
}

impl MappingError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "mend `column_mapping_file` of section [sql_export_settings], or leave it empty for the usual \
         columns; nothing was written"
    }
}

/// Reads the mapping at `path`, for a table.
pub fn read(path: &Path, table: &str) -> Result<Layout, MappingError> {
    let text = files::read(path, MOST_BYTES);
    let text = text.map_err(|source| MappingError::Io { path: path.to_owned(), source })?;
    let entries: Entries = serde_json::from_slice(&text)
        .map_err(|source| MappingError::Json { path: path.to_owned(), source })?;
    let layout = layout(&entries.0, table).map_err(|(column, what)| MappingError::Column {
        path: path.to_owned(),
        column,
        what,
    })?;
    if layout.columns.is_empty() {
        return Err(MappingError::Empty(path.to_owned()));
    }
    Ok(layout)
}

/// What is said of one column.
#[derive(serde::Deserialize)]
#[serde(expecting = "an object with `sql_column_def` and `csv_column_name`")]
struct Entry {
    sql_column_def: String,
    csv_column_name: String,
}

/// The members in the order of the file.
struct Entries(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a member for each column")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The layout; or the column that is wrong, and what is wrong with it.
fn layout(entries: &[(String, Entry)], table: &str) -> Result<Layout, (String, String)> {
    let mut layout = Layout { table: table.to_owned(), id: None, columns: Vec::new() };
    for (at, (name, entry)) in entries.iter().enumerate() {
        let wrong = |what: String| (name.clone(), what);
        if name.is_empty() || name.len() > 63 || name.contains(char::is_control) {
            return Err(wrong("a name has 1 to 63 bytes and no control characters".to_owned()));
        }
        let same = |(other, _): &&(String, Entry)| other.eq_ignore_ascii_case(name);
        if entries.iter().take(at).any(|entry| same(&entry)) {
            return Err(wrong("it is there twice".to_owned()));
        }
        let definition = definition(&entry.sql_column_def).map_err(wrong)?;
        if entry.csv_column_name == ID_PLACEHOLDER || definition.numbered {
            if let Some(other) = layout.id.replace(name.clone()) {
                return Err(wrong(format!("`{other}` is numbered by the database already")));
            }
            continue;
        }
        let field = FIELDS.iter().find(|(_, field)| *field == entry.csv_column_name);
        let Some((field, _)) = field else {
            let known = FIELDS.map(|(_, name)| name).join(", ");
            return Err(wrong(format!(
                "the CSV has no column `{}`; it has {known}",
                entry.csv_column_name
            )));
        };
        layout.columns.push(Column {
            name: name.clone(),
            field: *field,
            kind: definition.kind,
            required: definition.required,
        });
    }
    Ok(layout)
}

/// What a definition says, as far as it counts.
struct Definition {
    kind: Type,
    required: bool,
    numbered: bool,
}

fn definition(text: &str) -> Result<Definition, String> {
    let upper = text.to_ascii_uppercase();
    let word: String = upper.trim_start().chars().take_while(char::is_ascii_alphanumeric).collect();
    let rest = upper.trim_start().get(word.len()..).unwrap_or_default().trim_start();
    let rest = rest.strip_prefix("VARYING").map_or(rest, str::trim_start);
    let length = || -> Result<u32, String> {
        let inner = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let number = inner.and_then(|(number, _)| number.trim().parse().ok());
        number.filter(|n| *n > 0).ok_or(format!("`{text}`: {word} needs a length, as {word}(100)"))
    };
    let kind = match word.as_str() {
        "INT" | "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "MEDIUMINT" | "SERIAL"
        | "BIGSERIAL" => Type::Integer,
        "DATETIME" | "TIMESTAMP" => Type::Time,
        "INET" | "INET6" => Type::Address,
        "VARCHAR" | "NVARCHAR" | "CHARACTER" => Type::Text { most: Some(length()?) },
        "CHAR" => Type::Text { most: Some(if rest.starts_with('(') { length()? } else { 1 }) },
        // A list of words would refuse those that come later.
        "TEXT" | "TINYTEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" => Type::Text { most: None },
        _ => {
            return Err(format!(
                "`{text}` starts with no type that is known: INT, BIGINT, DATETIME, TIMESTAMP, INET, \
                 CHAR(n), VARCHAR(n), TEXT, ENUM(…)"
            ));
        }
    };
    let has = |words: &str| upper.contains(words);
    Ok(Definition {
        kind,
        required: has("NOT NULL"),
        numbered: has("AUTO_INCREMENT")
            || has("AUTOINCREMENT")
            || has("AS IDENTITY")
            || word.ends_with("SERIAL"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::layout::Field;
    use super::*;

    fn parse(json: &str) -> Result<Layout, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), json.as_bytes()).unwrap();
        read(file.path(), "t").map_err(|error| error.to_string())
    }

    #[test]
    fn a_mapping_names_columns_types_and_sources() {
        let layout = parse(
            r#"{"nr": {"sql_column_def": "INT UNSIGNED AUTO_INCREMENT PRIMARY KEY", "csv_column_name": "csv_id_placeholder"},
                "who": {"sql_column_def": "varchar (100) not null", "csv_column_name": "user"},
                "at": {"sql_column_def": "DATETIME", "csv_column_name": "date"},
                "dns": {"sql_column_def": "ENUM('OK', 'ERRNO 1') NOT NULL", "csv_column_name": "reverse_dns_status"}}"#,
        )
        .unwrap();
        assert_eq!(layout.id.as_deref(), Some("nr"));
        let shown: Vec<_> =
            layout.columns.iter().map(|c| (&*c.name, c.field, c.kind, c.required)).collect();
        assert_eq!(
            shown,
            [
                ("who", Field::User, Type::Text { most: Some(100) }, true),
                ("at", Field::Date, Type::Time, false),
                ("dns", Field::ReverseDnsStatus, Type::Text { most: None }, true),
            ]
        );
    }

    #[test]
    fn a_bad_mapping_says_what_is_wrong_where() {
        for (json, said) in [
            ("{", "line 1 column 1"),
            ("[]", "an object with a member for each column"),
            ("{}", "used: no column in it is filled"),
            (r#"{"a": "TEXT"}"#, "expected an object with `sql_column_def` and"),
            (r#"{"a": {"sql_column_def": "TEXT"}}"#, "missing field `csv_column_name`"),
            (
                r#"{"a": {"sql_column_def": "TEXT", "csv_column_name": "usr"}}"#,
                "no column `usr`; it has server, date",
            ),
            (
                r#"{"a": {"sql_column_def": "GEOMETRY", "csv_column_name": "user"}}"#,
                "no type that is known",
            ),
            (
                r#"{"a": {"sql_column_def": "VARCHAR", "csv_column_name": "user"}}"#,
                "needs a length",
            ),
            (
                r#"{"a": {"sql_column_def": "TEXT", "csv_column_name": "user"},
                    "A": {"sql_column_def": "TEXT", "csv_column_name": "ip"}}"#,
                "there twice",
            ),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
