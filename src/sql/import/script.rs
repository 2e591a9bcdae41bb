//! Splits a file of SQL into statements, as the native client of each engine would.
//!
//! Strings, quoted names, comments and `$$` bodies may hold semicolons; so may the bodies of
//! triggers (SQLite) and of `BEGIN ATOMIC` functions (PostgreSQL). Sources: `sqlite3_complete()` of
//! SQLite, psqlscan.l of PostgreSQL, "Comments" in the manual of MySQL.

use std::io::{self, Read};

use memchr::{memchr, memchr2};

use crate::sql::Engine;

const READ_BYTES: usize = 256 * 1024;
/// A statement longer than this is refused: servers take less.
const LONGEST: usize = 64 * 1024 * 1024;

/// A statement, without the comments before it and the semicolon after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its text.
    pub text: String,
    /// The line that it starts on, the first being 1.
    pub line: u64,
}

/// Why a file cannot be read as SQL.
#[derive(Debug)]
pub enum ScriptError {
    /// The system said no.
    Io(io::Error),
    /// What is wrong on which line.
    Wrong(u64, String),
}

impl From<io::Error> for ScriptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where the scanner stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// In quotes of this kind; whether a backslash escapes.
    Quoted(u8, bool),
    LineComment,
    /// How many comments are open; only PostgreSQL nests them.
    Comment(u32),
    /// In a `$tag$` body, with the whole tag.
    Dollar(Vec<u8>),
}

/// The statements of a file.
pub struct Script<R> {
    input: R,
    engine: Engine,
    buffer: Vec<u8>,
    /// Where the statement that is looked for starts in `buffer`.
    start: usize,
    /// The line that `start` is on.
    line: u64,
    ended: bool,
}

impl<R: Read> Script<R> {
    /// The statements of `input`.
    pub fn new(input: R, engine: Engine) -> Self {
        Self { input, engine, buffer: Vec::new(), start: 0, line: 1, ended: false }
    }

    /// The next statement; `None` at the end.
    pub fn statement(&mut self) -> Result<Option<Statement>, ScriptError> {
        loop {
            self.skip_blank()?;
            if self.start >= self.buffer.len() {
                return Ok(None);
            }
            let line = self.line;
            let end = self.find_end()?;
            let text = self.buffer.get(self.start..end).unwrap_or_default();
            let text = std::str::from_utf8(text).map_err(|error| {
                let before = text.get(..error.valid_up_to()).unwrap_or_default();
                let line = line + memchr::memchr_iter(b'\n', before).count() as u64;
                ScriptError::Wrong(line, "it is not UTF-8 text".to_owned())
            })?;
            if let Some(at) = text.find('\0') {
                let line = line + text.get(..at).unwrap_or_default().matches('\n').count() as u64;
                return Err(ScriptError::Wrong(line, "it holds a NUL byte: remove it".to_owned()));
            }
            let text = text.trim_end().to_owned();
            self.advance_to((end + 1).min(self.buffer.len()));
            if !text.is_empty() {
                return Ok(Some(Statement { text, line }));
            }
        }
    }

    fn at(&self, at: usize) -> Option<u8> {
        self.buffer.get(at).copied()
    }

    fn from(&self, at: usize) -> &[u8] {
        self.buffer.get(at..).unwrap_or_default()
    }

    fn advance_to(&mut self, at: usize) {
        let passed = self.buffer.get(self.start..at).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.start = at;
    }

    /// Reads more behind what is there; the statement then starts at the start of the buffer.
    /// Gives by how much places have moved, or `None` at the end of the file.
    fn fill(&mut self) -> Result<Option<usize>, ScriptError> {
        if self.ended {
            return Ok(None);
        }
        if self.buffer.len() - self.start > LONGEST {
            let what = format!("the statement is longer than {} MiB: split it", LONGEST >> 20);
            return Err(ScriptError::Wrong(self.line, what));
        }
        let moved = self.start;
        self.buffer.drain(..moved);
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + READ_BYTES, 0);
        let read = loop {
            match self.input.read(self.buffer.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        self.buffer.truncate(length + read.as_ref().map_or(0, |read| *read));
        self.ended = read? == 0;
        Ok(Some(moved))
    }

    /// Makes sure that `wanted` bytes follow `at`, if the file has them; gives where `at` is then.
    fn ensure(&mut self, mut at: usize, wanted: usize) -> Result<usize, ScriptError> {
        while self.buffer.len() < at + wanted
            && let Some(moved) = self.fill()?
        {
            at -= moved;
        }
        Ok(at)
    }

    /// Passes over space, comments and empty statements. What MySQL runs although it looks like a
    /// comment, `/*! … */`, is none.
    fn skip_blank(&mut self) -> Result<(), ScriptError> {
        loop {
            let at = self.ensure(self.start, 3)?;
            let ahead = self.from(at);
            let Some(first) = ahead.first() else { return Ok(()) };
            let executed = self.engine == Engine::Mysql && ahead.starts_with(b"/*!");
            let end = if ahead.starts_with(b"\xef\xbb\xbf") && self.line == 1 {
                at + 3
            } else if first.is_ascii_whitespace() || *first == b';' {
                at + 1
            } else if let Some(state) = self.comment(ahead).filter(|_| !executed) {
                let opening = if state == State::LineComment { 1 } else { 2 };
                self.pass(at + opening, state)?.0
            } else {
                return Ok(());
            };
            self.advance_to(end);
        }
    }

    /// The comment that starts with `ahead`, if one does.
    fn comment(&self, ahead: &[u8]) -> Option<State> {
        match ahead {
            [b'/', b'*', ..] => Some(State::Comment(1)),
            [b'#', ..] if self.engine == Engine::Mysql => Some(State::LineComment),
            // MySQL wants a space there: `5--3` is a sum.
            [b'-', b'-', next, ..] if self.engine == Engine::Mysql && *next > b' ' => None,
            [b'-', b'-', ..] => Some(State::LineComment),
            _ => None,
        }
    }

    /// Where the statement that starts at `start` ends: its semicolon, or the end of the file.
    fn find_end(&mut self) -> Result<usize, ScriptError> {
        let mut blocks = Blocks::default();
        let mut at = self.start;
        self.refuse_client_command()?;
        loop {
            let special = self.from(at).iter().position(|b| self.is_special(*b, &blocks));
            at += special.unwrap_or_else(|| self.from(at).len());
            // Three bytes tell what starts here, and a word or a tag of usual length.
            at = self.ensure(at, 64)?;
            let Some(byte) = self.at(at) else {
                return if self.ended { Ok(at) } else { continue };
            };
            if !self.is_special(byte, &blocks) {
                continue;
            }
            at = if let Some(state) = self.comment(self.from(at)) {
                self.pass(at + if state == State::LineComment { 1 } else { 2 }, state)?.0
            } else if byte == b';' && blocks.depth == 0 {
                return Ok(at);
            } else if let Some(state) = self.opens(at, byte) {
                let length = if let State::Dollar(tag) = &state { tag.len() } else { 1 };
                let (end, closed) = self.pass(at + length, state)?;
                if !closed {
                    let what = "what is opened in the statement that starts here is never closed";
                    return Err(ScriptError::Wrong(self.line, what.to_owned()));
                }
                end
            } else if is_word(byte) {
                let length = self.from(at).iter().take_while(|b| is_word(**b)).count();
                let word = self.from(at).get(..length).unwrap_or_default();
                blocks.word(self.engine, word);
                at + length
            } else {
                at + 1
            };
        }
    }

    /// Whether a byte of code needs a closer look; words do in definitions only.
    fn is_special(&self, byte: u8, blocks: &Blocks) -> bool {
        match byte {
            b';' | b'\'' | b'"' | b'-' | b'/' => true,
            b'`' => self.engine != Engine::Postgresql,
            b'$' => self.engine == Engine::Postgresql,
            b'#' => self.engine == Engine::Mysql,
            b'[' => self.engine == Engine::Sqlite,
            _ => !blocks.settled && is_word(byte),
        }
    }

    /// What is opened at `at`.
    fn opens(&self, at: usize, byte: u8) -> Option<State> {
        let before = at.checked_sub(1).filter(|before| *before >= self.start);
        let before = |back: usize| at.checked_sub(back).filter(|_| before.is_some());
        let byte_before = |back| before(back).and_then(|at| self.at(at));
        match byte {
            b'\'' => {
                let escape = matches!(byte_before(1), Some(b'e' | b'E'))
                    && !byte_before(2).is_some_and(is_word);
                let postgresql = self.engine == Engine::Postgresql && escape;
                Some(State::Quoted(b'\'', self.engine == Engine::Mysql || postgresql))
            }
            b'"' => Some(State::Quoted(b'"', self.engine == Engine::Mysql)),
            b'`' => Some(State::Quoted(b'`', false)),
            b'[' => Some(State::Quoted(b']', false)),
            b'$' if !byte_before(1).is_some_and(is_word) => {
                let rest = self.from(at + 1);
                let length = rest.iter().take_while(|b| is_word(**b)).count();
                let digit = rest.first().is_some_and(u8::is_ascii_digit);
                let tag = self.buffer.get(at..at + length + 2)?;
                (tag.last() == Some(&b'$') && !digit).then(|| State::Dollar(tag.to_vec()))
            }
            _ => None,
        }
    }

    /// Passes over what was opened before `at`; gives where it ends, and whether it was closed.
    fn pass(&mut self, mut at: usize, mut state: State) -> Result<(usize, bool), ScriptError> {
        loop {
            at = self.ensure(at, 256)?;
            let rest = self.from(at);
            let found = match &state {
                State::Quoted(quote, true) => memchr2(*quote, b'\\', rest),
                State::Quoted(quote, false) => memchr(*quote, rest),
                State::LineComment => memchr(b'\n', rest),
                State::Comment(_) => memchr2(b'*', b'/', rest),
                State::Dollar(tag) => memchr::memmem::find(rest, tag),
            };
            let Some(found) = found else {
                // A tag may be cut in two by the end of the buffer.
                let keep = if let State::Dollar(tag) = &state { tag.len() - 1 } else { 0 };
                let passed = rest.len().saturating_sub(keep);
                at += passed;
                match self.fill()? {
                    Some(moved) => at -= moved,
                    None => return Ok((self.buffer.len(), state == State::LineComment)),
                }
                continue;
            };
            at = self.ensure(at + found, 2)?;
            let two = (self.at(at), self.at(at + 1));
            match (&mut state, two) {
                (State::LineComment, _) => return Ok((at + 1, true)),
                (State::Dollar(tag), _) => return Ok((at + tag.len(), true)),
                (State::Quoted(_, true), (Some(b'\\'), _)) => at += 2,
                (State::Quoted(quote, _), (_, Some(next))) if next == *quote => at += 2,
                (State::Quoted(..), _) => return Ok((at + 1, true)),
                (State::Comment(1), (Some(b'*'), Some(b'/'))) => return Ok((at + 2, true)),
                (State::Comment(open), (Some(b'*'), Some(b'/'))) => {
                    *open -= 1;
                    at += 2;
                }
                (State::Comment(open), (Some(b'/'), Some(b'*')))
                    if self.engine == Engine::Postgresql =>
                {
                    *open += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
    }

    /// What the native client does itself, and no server understands.
    fn refuse_client_command(&mut self) -> Result<(), ScriptError> {
        self.start = self.ensure(self.start, 64)?;
        let rest = self.from(self.start);
        let word: Vec<u8> =
            rest.iter().take_while(|b| !b.is_ascii_whitespace()).take(20).copied().collect();
        let word = word.to_ascii_lowercase();
        let client = match (self.engine, word.first()) {
            (Engine::Postgresql, Some(b'\\')) => Some("psql"),
            (Engine::Sqlite, Some(b'.')) => Some("sqlite3"),
            (Engine::Mysql, _) if word == b"delimiter" || word == b"source" => Some("mysql"),
            _ => None,
        };
        client.map_or(Ok(()), |client| {
            let shown = crate::untrusted::for_terminal(&word).into_owned();
            let what = format!("`{shown}` is a command of the program `{client}`, not SQL");
            Err(ScriptError::Wrong(self.line, what))
        })
    }
}

/// Whether a statement is a definition whose body holds semicolons, and how deep in it we are.
#[derive(Default)]
struct Blocks {
    words: u32,
    creates: bool,
    holds_body: bool,
    settled: bool,
    depth: u32,
}

impl Blocks {
    fn word(&mut self, engine: Engine, word: &[u8]) {
        let word = word.to_ascii_uppercase();
        self.words += 1;
        if !self.holds_body {
            self.creates |= self.words == 1 && word == b"CREATE" && engine != Engine::Mysql;
            let names: &[&[u8]] =
                if engine == Engine::Sqlite { &[b"TRIGGER"] } else { &[b"FUNCTION", b"PROCEDURE"] };
            self.holds_body = self.creates && names.contains(&word.as_slice());
            // CREATE OR REPLACE FUNCTION, CREATE TEMP TRIGGER: within the first words.
            self.settled = !self.holds_body && (!self.creates || self.words > 4);
            return;
        }
        match word.as_slice() {
            b"BEGIN" => self.depth += 1,
            b"CASE" if self.depth > 0 => self.depth += 1,
            b"END" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its input byte by byte, which is where scanners break.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            if let Some(slot) = buffer.first_mut() {
                *slot = *first;
            }
            Ok(1)
        }
    }

    fn all<R: Read>(mut script: Script<R>) -> Result<Vec<(String, u64)>, String> {
        let mut found = Vec::new();
        loop {
            match script.statement() {
                Ok(Some(statement)) => found.push((statement.text, statement.line)),
                Ok(None) => return Ok(found),
                Err(ScriptError::Wrong(line, what)) => return Err(format!("{line}: {what}")),
                Err(ScriptError::Io(error)) => return Err(error.to_string()),
            }
        }
    }

    fn split(engine: Engine, text: &str) -> Result<Vec<(String, u64)>, String> {
        let whole = all(Script::new(text.as_bytes(), engine));
        let drops = all(Script::new(Drops(text.as_bytes()), engine));
        assert_eq!(whole, drops, "{text}");
        whole
    }

    fn texts(engine: Engine, text: &str) -> Vec<String> {
        split(engine, text).unwrap().into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn strings_comments_and_names_hold_semicolons() {
        let text =
            "\u{feff}-- one; two\nSELECT ';', \";\" -- x;\n  /* ; */ , 'it''s;';;\n\nSELECT 2";
        for engine in [Engine::Sqlite, Engine::Postgresql, Engine::Mysql] {
            let found = split(engine, text).unwrap();
            assert_eq!(found.len(), 2, "{found:?}");
            assert_eq!(found[0].1, 2);
            assert_eq!(found[1], ("SELECT 2".to_owned(), 5));
        }
        assert_eq!(texts(Engine::Sqlite, "SELECT [a;b], `c;d`; x"), ["SELECT [a;b], `c;d`", "x"]);
    }

    #[test]
    fn backslashes_escape_where_they_do() {
        assert_eq!(texts(Engine::Mysql, r"SELECT 'a\';b'; x"), [r"SELECT 'a\';b'", "x"]);
        assert_eq!(texts(Engine::Postgresql, r"SELECT 'a\'; x"), [r"SELECT 'a\'", "x"]);
        assert_eq!(texts(Engine::Postgresql, r"SELECT E'a''\';b'; x"), [r"SELECT E'a''\';b'", "x"]);
        assert_eq!(texts(Engine::Postgresql, r"SELECT type'a\'; x"), [r"SELECT type'a\'", "x"]);
        assert_eq!(texts(Engine::Sqlite, r"SELECT 'a\'; x"), [r"SELECT 'a\'", "x"]);
    }

    #[test]
    fn bodies_hold_semicolons() {
        let postgresql = "DO $$ BEGIN PERFORM 1; END $$; DO $a$ x; $$; y; $a$; SELECT a$b$, $1; x";
        assert_eq!(
            texts(Engine::Postgresql, postgresql),
            ["DO $$ BEGIN PERFORM 1; END $$", "DO $a$ x; $$; y; $a$", "SELECT a$b$, $1", "x"]
        );
        let atomic = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true \
            THEN 1 END; SELECT 2; END; x";
        assert_eq!(texts(Engine::Postgresql, atomic).len(), 2);
        let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; \
            DELETE FROM b; END; BEGIN; SELECT 1; END; x";
        assert_eq!(texts(Engine::Sqlite, trigger).len(), 5);
        assert_eq!(texts(Engine::Postgresql, "/* a /* ; */ ; */ x; y"), ["x", "y"]);
        assert_eq!(
            texts(Engine::Mysql, "/* a /* ; */ x; /*!40101 SET a=1 */; y")[1],
            "/*!40101 SET a=1 */"
        );
        assert_eq!(texts(Engine::Mysql, "SELECT 5--3; # x;\ny"), ["SELECT 5--3", "y"]);
    }

    #[test]
    fn what_is_never_closed_is_an_error_with_its_line() {
        assert!(split(Engine::Sqlite, "x;\n\nSELECT 'a; b").unwrap_err().starts_with("3: "));
        assert!(split(Engine::Postgresql, "DO $$ x; $").unwrap_err().starts_with("1: "));
        assert!(split(Engine::Postgresql, "\n\\connect x\n").unwrap_err().contains("`psql`"));
        assert!(split(Engine::Mysql, "DELIMITER //\n").unwrap_err().contains("`mysql`"));
        assert!(split(Engine::Sqlite, "x;\n.read y\n").unwrap_err().starts_with("2: "));
    }
}
