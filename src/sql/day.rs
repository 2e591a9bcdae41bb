//! Asks a database for what a report tells: a day's rows, and the weeks before in numbers.

use jiff::ToSpan;
use jiff::civil::Date;

use super::connect::{Connection, Sink, Trouble};
use super::engine::Engine;
use super::layout::{Column, FIELDS, Field, Layout, Type};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question<'q> {
    /// The dialect.
    pub engine: Engine,
    /// The table.
    pub layout: &'q Layout,
    /// The day, in the local time of each server.
    pub day: Date,
    /// One server only.
    pub server: Option<&'q str>,
}

/// A server, and the time of its last row as `YYYY-MM-DD HH:MM`.
pub type LastRow = (Option<Vec<u8>>, String);

impl Question<'_> {
    /// The day's rows, oldest first: `sink` gets the nine fields of the CSV as text, `None` for NULL.
    pub fn rows(
        &self,
        connection: &mut dyn Connection,
        sink: &mut Sink<'_>,
    ) -> Result<(), Trouble> {
        let fields = FIELDS.map(|(field, _)| {
            self.layout.column(field).map_or("NULL".to_owned(), |column| self.text(column))
        });
        let order = self
            .layout
            .id
            .as_ref()
            .map_or(String::new(), |id| format!(", {}", self.engine.identifier(id)));
        let sql = format!(
            "SELECT {} FROM {} WHERE {} ORDER BY {}{order}",
            fields.join(", "),
            self.table(),
            self.condition(0)?,
            self.time()?,
        );
        connection.query(&sql, sink)
    }

    /// Rows by hour, of the day and of `back` days before it: each hour as `YYYY-MM-DD HH`, and how many.
    pub fn hours(
        &self,
        connection: &mut dyn Connection,
        back: i64,
    ) -> Result<Vec<(String, u64)>, Trouble> {
        let column = self.time()?;
        let hour = match self.engine {
            Engine::Sqlite => format!("substr({column}, 1, 13)"),
            Engine::Postgresql => format!("to_char({column}, 'YYYY-MM-DD HH24')"),
            Engine::Mysql => format!("DATE_FORMAT({column}, '%Y-%m-%d %H')"),
        };
        let count = self.as_text("count(*)");
        let (table, condition) = (self.table(), self.condition(back)?);
        let sql = format!("SELECT {hour}, {count} FROM {table} WHERE {condition} GROUP BY 1");
        let mut hours = Vec::new();
        connection.query(&sql, &mut |row| {
            if let [Some(hour), Some(count)] = row {
                let count = std::str::from_utf8(count).ok().and_then(|count| count.parse().ok());
                hours.push((String::from_utf8_lossy(hour).into_owned(), count.unwrap_or(0)));
            }
        })?;
        Ok(hours)
    }

    /// All servers that have rows on the day or in `back` days before it, rows without a server being of
    /// one too, and the time of the last one of each, as `YYYY-MM-DD HH:MM`.
    pub fn servers(
        &self,
        connection: &mut dyn Connection,
        back: i64,
    ) -> Result<Vec<LastRow>, Trouble> {
        let Some(server) = self.layout.column(Field::Server) else { return Ok(Vec::new()) };
        let name = self.engine.identifier(&server.name);
        let last = self.minute(&format!("max({})", self.time()?));
        let all = Self { server: None, ..self.clone() };
        let (table, condition) = (self.table(), all.condition(back)?);
        let sql = format!("SELECT {name}, {last} FROM {table} WHERE {condition} GROUP BY {name}");
        let mut servers = Vec::new();
        connection.query(&sql, &mut |row| {
            if let [name, Some(last)] = row {
                servers
                    .push((name.map(<[u8]>::to_vec), String::from_utf8_lossy(last).into_owned()));
            }
        })?;
        servers.sort_unstable();
        Ok(servers)
    }

    fn table(&self) -> String {
        self.engine.table(&self.layout.table)
    }

    fn time(&self) -> Result<String, Trouble> {
        let column = self.layout.column(Field::Date).filter(|column| column.kind == Type::Time);
        let missing = || Trouble::Refused {
            words: "the column mapping has no column of date and time for the field `date`"
                .to_owned(),
            line: None,
        };
        Ok(self.engine.identifier(&column.ok_or_else(missing)?.name))
    }

    fn condition(&self, back: i64) -> Result<String, Trouble> {
        let column = self.time()?;
        let from = self.day.saturating_sub(back.days());
        let to = self.day.saturating_add(1.day());
        let server = match (self.server, self.layout.column(Field::Server)) {
            (Some(server), Some(column)) => {
                let name = self.engine.identifier(&column.name);
                format!(" AND {name} = {}", self.engine.literal(server))
            }
            _ => String::new(),
        };
        Ok(format!("{column} >= '{from} 00:00:00' AND {column} < '{to} 00:00:00'{server}"))
    }

    /// A column as text, as the CSV has it.
    fn text(&self, column: &Column) -> String {
        let name = self.engine.identifier(&column.name);
        match (column.kind, self.engine) {
            (Type::Time, _) => self.minute(&name),
            // As text it would have its length of 32 or 128 bits with it.
            (Type::Address, Engine::Postgresql) => format!("host({name})"),
            (Type::Text { .. }, Engine::Sqlite | Engine::Postgresql) => name,
            _ => self.as_text(&name),
        }
    }

    fn minute(&self, time: &str) -> String {
        match self.engine {
            Engine::Sqlite => format!("substr({time}, 1, 16)"),
            Engine::Postgresql => format!("to_char({time}, 'YYYY-MM-DD HH24:MI')"),
            Engine::Mysql => format!("DATE_FORMAT({time}, '%Y-%m-%d %H:%i')"),
        }
    }

    fn as_text(&self, expression: &str) -> String {
        let text = if self.engine == Engine::Mysql { "CHAR" } else { "TEXT" };
        format!("CAST({expression} AS {text})")
    }
}
