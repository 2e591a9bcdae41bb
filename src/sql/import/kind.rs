//! What a statement does to the transaction that it is run in, told by its first words.
//!
//! Sources: "Statements That Cause an Implicit Commit" in the manual of MySQL; "BEGIN", "COMMIT",
//! "ABORT", "END" in that of PostgreSQL; <https://sqlite.org/lang_transaction.html>.

use crate::sql::Engine;

/// What a statement does to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// It only makes settings, or a table: in MySQL it may stand before the transaction.
    Preparing,
    /// It starts one.
    Begin,
    /// It ends one and keeps what was done.
    Commit,
    /// It would take back what was done before it in the file.
    Rollback,
    /// It would end the transaction whatever it says otherwise.
    CommitsImplicitly,
    /// It would change how the database works, for the files after it too.
    Configures,
    /// It would go on in another database.
    Leaves,
    /// It reads from the client, or writes to it: rows after the statement, or a file.
    TalksToClient,
}

/// Settings of SQLite that the files of `sqlite3`'s `.dump` and of other programs begin with, and that
/// change nothing here.
const PRAGMAS: [&str; 4] = ["FOREIGN_KEYS", "DEFER_FOREIGN_KEYS", "ENCODING", "AUTO_VACUUM"];

/// The kind of a statement without comments before it.
pub fn kind(engine: Engine, text: &str) -> Kind {
    let text = executed(engine, text);
    let end = text.char_indices().nth(200).map_or(text.len(), |(end, _)| end);
    let start = text.get(..end).unwrap_or_default().to_ascii_uppercase();
    let mut words = start.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '@'));
    let mut next = || words.find(|word| !word.is_empty()).unwrap_or_default();
    let (first, second, third) = (next(), next(), next());
    let is_mysql = engine == Engine::Mysql;
    match (first, second) {
        ("BEGIN", _) | ("START", "TRANSACTION") => Kind::Begin,
        ("COMMIT" | "PREPARE", "PREPARED" | "TRANSACTION") if !third.is_empty() && !is_mysql => {
            if first == "PREPARE" || second == "PREPARED" {
                Kind::Rollback
            } else {
                Kind::Commit
            }
        }
        ("COMMIT", _) => Kind::Commit,
        ("END", _) if !is_mysql => Kind::Commit,
        ("ROLLBACK", _) if [second, third].contains(&"TO") => Kind::Plain,
        ("ROLLBACK" | "ABORT", _) => Kind::Rollback,
        ("SET", _) if is_mysql && start.contains("AUTOCOMMIT") => Kind::CommitsImplicitly,
        ("SET", _) => Kind::Preparing,
        ("USE", _) => Kind::Leaves,
        ("ATTACH" | "DETACH", _) if engine == Engine::Sqlite => Kind::Leaves,
        ("PRAGMA", name) if engine == Engine::Sqlite && !PRAGMAS.contains(&name) => {
            Kind::Configures
        }
        ("COPY", _) if ["FROM STDIN", "TO STDOUT"].iter().any(|it| text.contains_words(it)) => {
            Kind::TalksToClient
        }
        ("LOAD", "DATA" | "XML") if is_mysql && text.contains_words("LOCAL") => Kind::TalksToClient,
        ("CREATE" | "DROP", "TEMPORARY") => Kind::Plain,
        ("CREATE" | "DROP" | "ALTER", _) if is_mysql => Kind::Preparing,
        (
            "ANALYZE" | "CACHE" | "CHECK" | "FLUSH" | "GRANT" | "INSTALL" | "LOCK" | "OPTIMIZE"
            | "RENAME" | "REPAIR" | "RESET" | "REVOKE" | "TRUNCATE" | "UNINSTALL" | "UNLOCK",
            _,
        ) if is_mysql => Kind::CommitsImplicitly,
        _ => Kind::Plain,
    }
}

/// Words in a text, whatever their case and the space between them.
trait Words {
    fn contains_words(&self, words: &str) -> bool;
}

impl Words for str {
    fn contains_words(&self, words: &str) -> bool {
        let plain = self.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        plain.contains(words)
    }
}

/// What MySQL runs of `/*!40101 SET … */`.
fn executed(engine: Engine, text: &str) -> &str {
    match text.strip_prefix("/*!").filter(|_| engine == Engine::Mysql) {
        Some(inner) => inner.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_transaction_is_known() {
        for (engine, text, expected) in [
            (Engine::Sqlite, "begin transaction", Kind::Begin),
            (Engine::Sqlite, "END TRANSACTION", Kind::Commit),
            (Engine::Sqlite, "INSERT INTO t VALUES ('BEGIN')", Kind::Plain),
            (Engine::Sqlite, "CREATE TABLE x (a)", Kind::Plain),
            (Engine::Sqlite, "ATTACH 'x' AS y", Kind::Leaves),
            (Engine::Sqlite, "PRAGMA foreign_keys=OFF", Kind::Plain),
            (Engine::Sqlite, "pragma main.query_only = 1", Kind::Configures),
            (Engine::Postgresql, "COMMIT AND CHAIN", Kind::Commit),
            (Engine::Postgresql, "PREPARE TRANSACTION 'x'", Kind::Rollback),
            (Engine::Postgresql, "COMMIT PREPARED 'x'", Kind::Rollback),
            (Engine::Postgresql, "COMMIT WORK", Kind::Commit),
            (Engine::Postgresql, "ROLLBACK TO SAVEPOINT a", Kind::Plain),
            (Engine::Postgresql, "ABORT", Kind::Rollback),
            (Engine::Mysql, "START TRANSACTION READ WRITE", Kind::Begin),
            (Engine::Mysql, "CREATE TABLE IF NOT EXISTS x (a int)", Kind::Preparing),
            (Engine::Mysql, "/*!40000 ALTER TABLE x DISABLE KEYS */", Kind::Preparing),
            (Engine::Mysql, "CREATE TEMPORARY TABLE x (a int)", Kind::Plain),
            (Engine::Mysql, "LOCK TABLES x WRITE", Kind::CommitsImplicitly),
            (Engine::Mysql, "SET @@autocommit=1", Kind::CommitsImplicitly),
            (Engine::Mysql, "SET NAMES utf8mb4", Kind::Preparing),
            (Engine::Mysql, "USE other", Kind::Leaves),
            (
                Engine::Mysql,
                "LOAD DATA LOW_PRIORITY LOCAL INFILE 'x' INTO TABLE t",
                Kind::TalksToClient,
            ),
            (Engine::Mysql, "LOAD DATA INFILE 'x' INTO TABLE t", Kind::Plain),
            (Engine::Postgresql, "copy t (a)\n from  stdin", Kind::TalksToClient),
            (Engine::Postgresql, "COPY t FROM '/tmp/x'", Kind::Plain),
        ] {
            assert_eq!(kind(engine, text), expected, "{text}");
        }
    }
}
