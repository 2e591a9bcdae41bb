//! SQLite: a file on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection as Database, ErrorCode, OpenFlags, ToSql, params_from_iter};

use super::literals::{Literal, Rows};
use super::{Connection, Sink, Trouble};

/// How long another program may write before we give up for now.
const PATIENCE: Duration = Duration::from_secs(15);

/// An open database.
pub struct Sqlite {
    database: Database,
    path: PathBuf,
}

impl Sqlite {
    /// Opens the database at `path`, which is made if there is none.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let lost = Trouble::Lost;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| lost(error.to_string()))?;
        }
        if !path.exists() {
            use std::os::unix::fs::OpenOptionsExt;
            // Whoever may read the CSV may read it, as with all that is written here.
            let mut options = std::fs::OpenOptions::new();
            let made = options.write(true).create(true).truncate(false).mode(0o640).open(path);
            made.map_err(|error| lost(error.to_string()))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<Database> {
            let database = Database::open_with_flags(path, flags)?;
            database.busy_timeout(PATIENCE)?;
            database.pragma_update(None, "cache_size", -16_000)?;
            Ok(database)
        };
        let database = open().map_err(|error| match trouble(&error, "") {
            known @ (Trouble::Busy(_) | Trouble::Unable(_)) => known,
            other => lost(other.words().to_owned()),
        })?;
        Ok(Self { database, path: path.to_owned() })
    }
}

impl Sqlite {
    /// Inserts the rows of `sql` one by one if they are plain; `None` if they are not, and nothing is
    /// inserted then.
    fn insert(&self, sql: &str) -> rusqlite::Result<Option<u64>> {
        let Some(rows) = Rows::of(sql) else { return Ok(None) };
        let places = vec!["?"; rows.width].join(", ");
        let before = self.database.total_changes();
        let mut statement = self.database.prepare_cached(&format!("{}({places})", rows.head))?;
        for row in rows.values.chunks(rows.width) {
            statement.execute(params_from_iter(row))?;
        }
        Ok(Some(self.database.total_changes() - before))
    }
}

impl ToSql for Literal<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Literal::Null => ValueRef::Null,
            Literal::Integer(number) => ValueRef::Integer(*number),
            Literal::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl Connection for Sqlite {
    fn execute(&mut self, sql: &str) -> Result<u64, Trouble> {
        if let Some(inserted) = self.insert(sql).map_err(|error| trouble(&error, sql))? {
            return Ok(inserted);
        }
        let before = self.database.total_changes();
        let run = || -> rusqlite::Result<()> {
            let mut statement = self.database.prepare(sql)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        };
        run().map_err(|error| trouble(&error, sql))?;
        Ok(self.database.total_changes() - before)
    }

    fn query(&mut self, sql: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        // A column that is not there is an error in what we ask, and no text in double quotes.
        let quotes = DbConfig::SQLITE_DBCONFIG_DQS_DML;
        let may_quote = |may| self.database.set_db_config(quotes, may);
        let mut run = || -> rusqlite::Result<()> {
            let were = may_quote(false);
            let statement = self.database.prepare(sql);
            were.and_then(|_| may_quote(true))?;
            let mut statement = statement?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut values = Vec::with_capacity(columns);
                for column in 0..columns {
                    values.push(match row.get_ref(column)? {
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
                        _ => None,
                    });
                }
                sink(&values);
            }
            Ok(())
        };
        run().map_err(|error| trouble(&error, sql))
    }

    fn reset(&mut self) -> Result<(), Trouble> {
        *self = Self::open(&self.path.clone())?;
        Ok(())
    }
}

fn trouble(error: &rusqlite::Error, sql: &str) -> Trouble {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase,
        OutOfMemory, ReadOnly, SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => return Trouble::Busy(error.to_string()),
        Some(
            CannotOpen | DatabaseCorrupt | DiskFull | NotADatabase | OutOfMemory | ReadOnly
            | SystemIoFailure,
        ) => return Trouble::Unable(error.to_string()),
        _ => {}
    }
    match error {
        // The statement itself would fill the screen.
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            let before = usize::try_from(*offset).ok().and_then(|end| sql.get(..end));
            let line = before.map(|before| before.matches('\n').count() as u64);
            Trouble::Refused { words: msg.clone(), line }
        }
        other => Trouble::Refused { words: other.to_string(), line: None },
    }
}
