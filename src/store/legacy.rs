//! Takes over what was there before the store: a CSV with rows, and the Python program's offset.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::params;

use super::batch::Address;
use super::{Store, StoreError, find_or_add};
use crate::event::canonical;

/// What was imported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows taken.
    pub rows: u64,
    /// Rows that are none, with their line numbers; the first few.
    pub bad: Vec<(u64, String)>,
    /// How many of them there were.
    pub bad_count: u64,
    has_header: bool,
}

/// The Python program's dates, and ours.
const DATE_FORMATS: [&str; 2] = ["%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M"];
/// How many bad rows are kept to be shown.
const BAD_SAMPLES: usize = 5;

/// The name of the file in which the Python program kept its place in the log.
pub const OFFSET: &str = "state.offset";
/// Its name once it is used.
pub const RETIRED_OFFSET: &str = "state.offset.taken_over";

/// Where the Python program kept the number of bytes of the log that it had read: `state.offset`, in
/// `state_dir` or, by its own default, in `working_dir/state`.
pub fn offset_file(folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(OFFSET)).find(|path| path.is_file())
}

/// The number in that file.
pub fn offset(path: &Path) -> Result<u64, StoreError> {
    let path = path.to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| StoreError::NotAnOffset(path)),
        Err(source) => Err(StoreError::Io { action: "read", path, source }),
    }
}

/// Renames it, so that it is never taken over again, for another log, should the store be lost.
pub fn retire_offset(path: &Path) -> Result<(), StoreError> {
    let to = path.with_file_name(RETIRED_OFFSET);
    let action = "rename state.offset to";
    std::fs::rename(path, &to).map_err(|source| StoreError::Io { action, path: to, source })
}

impl Store {
    /// Imports the rows of the CSV at `path`, if there is one, marked as such, and continues it from
    /// its end; remembers the Python program's `offset`. For a new store only.
    pub fn take_over(
        &mut self,
        path: &Path,
        offset: Option<u64>,
        zone: &TimeZone,
    ) -> Result<Imported, StoreError> {
        let io = |source| StoreError::Io { action: "read", path: path.to_owned(), source };
        let database = self.path.clone();
        let write =
            |source| StoreError::Database { action: "write", path: database.clone(), source };
        let transaction = self.connection.transaction().map_err(write)?;
        if let Some(offset) = offset {
            let sql = "INSERT INTO takeover VALUES (?)";
            transaction.execute(sql, [offset.cast_signed()]).map_err(write)?;
        }
        let mut imported = Imported::default();
        // A CSV that is not there counts as an empty one that went away.
        let (mut device, mut inode, mut length) = (0, 0, 0);
        if path.exists() && !path.is_file() {
            return Err(StoreError::NotAFile(path.to_owned()));
        }
        match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(io(source)),
            Ok(file) => {
                let meta = file.metadata().map_err(io)?;
                (device, inode, length) = (meta.dev(), meta.ino(), meta.size());
                let mut reader = reader(BufReader::new(file).take(length));
                let mut record = csv::ByteRecord::new();
                while reader.read_byte_record(&mut record).map_err(|e| io(e.into()))? {
                    imported.add(&record, zone, &transaction).map_err(write)?;
                }
            }
        }
        if imported.rows == 0 && imported.bad_count > 0 && !imported.has_header {
            return Err(StoreError::NotOurCsv(path.to_owned()));
        }
        let sql = "INSERT OR REPLACE INTO tally SELECT time - time % 900, count(*) FROM failure GROUP BY 1";
        transaction.execute(sql, []).map_err(write)?;
        let mark = params![device.cast_signed(), inode.cast_signed(), length.cast_signed()];
        let sql = "INSERT INTO csv SELECT ?, ?, ?, coalesce(max(id), 0), NULL FROM failure";
        transaction.execute(sql, mark).map_err(write)?;
        transaction.commit().map_err(write)?;
        Ok(imported)
    }
}

impl Imported {
    fn add(
        &mut self,
        record: &csv::ByteRecord,
        zone: &TimeZone,
        connection: &rusqlite::Connection,
    ) -> rusqlite::Result<()> {
        // The Python program wrote a second header now and then.
        if record.get(0) == Some(b"server") && record.get(1) == Some(b"date") {
            self.has_header = true;
            return Ok(());
        }
        match row(record, zone) {
            Ok(row) => {
                insert(connection, &row)?;
                self.rows += 1;
            }
            Err(what) => {
                self.bad_count += 1;
                if self.bad.len() < BAD_SAMPLES {
                    self.bad.push((record.position().map_or(0, csv::Position::line), what));
                }
            }
        }
        Ok(())
    }
}

fn reader<R: Read>(file: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new()
        .delimiter(b';')
        .has_headers(false)
        .flexible(true)
        // Python ends lines with CR LF; with `\n` alone the reader's line numbers are right.
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(file)
}

/// A row of a CSV, as the store takes it.
struct CsvRow<'r> {
    second: i64,
    address: Address,
    user: Option<&'r [u8]>,
    server: &'r [u8],
    hostname: Option<&'r [u8]>,
    reverse_dns: &'r [u8],
    country: Option<&'r [u8]>,
    asn: Option<u32>,
    aso: Option<&'r [u8]>,
}

fn row<'r>(record: &'r csv::ByteRecord, zone: &TimeZone) -> Result<CsvRow<'r>, String> {
    let mut fields = record.iter().map(|field| field.strip_suffix(b"\r").unwrap_or(field));
    let mut field = |name: &str| fields.next().ok_or(format!("the field `{name}` is missing"));
    let server = field("server")?;
    let date = field("date")?;
    let ip = field("ip")?;
    let present = |text: &'r [u8], absent: &[u8]| Some(text).filter(|text| *text != absent);
    let user = present(field("user")?, b"null");
    let hostname = present(field("hostname")?, b"null");
    let reverse_dns = field("reverse_dns_status")?;
    // The Python program's first versions wrote no network.
    let mut rest = fields.map(|text| present(text, b"N/A").filter(|text| !text.is_empty()));
    let [country, asn, aso] = [(); 3].map(|()| rest.next().flatten());
    // What is no number is nobody's network, and nothing that reads the store expects it.
    let asn = asn.and_then(|asn| std::str::from_utf8(asn).ok()?.parse().ok());
    let date = String::from_utf8_lossy(date);
    let local =
        DATE_FORMATS.iter().find_map(|format| DateTime::strptime(format, date.as_ref()).ok());
    let local = local.ok_or("the date is neither `DD/MM/YYYY HH:MM` nor `YYYY-MM-DD HH:MM`")?;
    let time = zone.to_ambiguous_timestamp(local).compatible().map_err(|e| e.to_string())?;
    let ip = std::str::from_utf8(ip).ok().and_then(|ip| ip.parse().ok());
    let address = Address(canonical(ip.ok_or("the address is none")?));
    let second = time.as_second();
    Ok(CsvRow { second, address, user, server, hostname, reverse_dns, country, asn, aso })
}

fn insert(connection: &rusqlite::Connection, row: &CsvRow<'_>) -> rusqlite::Result<()> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let find = "SELECT id FROM manner WHERE server = ? AND service IS NULL";
    let add = "INSERT INTO manner VALUES (NULL, ?, NULL, NULL, NULL)";
    let manner = find_or_add(connection, (find, add), params![text(row.server)])?;
    let find = "SELECT id FROM origin WHERE address IS NULL AND hostname IS ? \
        AND reverse_dns = ? AND country IS ? AND asn IS ? AND aso IS ?";
    let add = "INSERT INTO origin VALUES (NULL, NULL, ?, ?, ?, ?, ?)";
    let [hostname, country, aso] =
        [row.hostname, row.country, row.aso].map(|field| field.map(text));
    let values = params![hostname, text(row.reverse_dns), country, row.asn, aso];
    let origin = find_or_add(connection, (find, add), values)?;
    let sql = "INSERT INTO failure VALUES (NULL, ?, ?, ?, ?, ?, NULL, NULL)";
    let user = row.user.map(text);
    let values = params![row.second, row.address, user, manner, origin];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
