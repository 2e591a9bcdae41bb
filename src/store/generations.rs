//! What was read before: the files of a log, and how far.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Row;

use super::{Store, StoreError, unsigned};
use crate::position::{Fingerprint, Generation, JournalEntry, Progress, Stamp};

impl Store {
    /// Notes where generations are now, of which there is nothing to read: evidence names their lines.
    pub fn note_moved(&mut self, moved: &[(i64, PathBuf)]) -> Result<(), StoreError> {
        for (id, path) in moved {
            let sql = "UPDATE generation SET path = ? WHERE id = ?";
            let done = self.connection.execute(sql, (path.as_os_str().as_bytes(), id));
            done.map_err(|e| self.error("write", e))?;
        }
        Ok(())
    }

    /// The generations that were read of `log`, and of logs that are not among `configured` any
    /// more (it may have had another name); and those of the other configured logs. The newest last.
    pub fn generations(
        &self,
        log: &Path,
        configured: &[PathBuf],
    ) -> Result<(Vec<Generation>, Vec<Generation>), StoreError> {
        let sql = "SELECT id, path, device, inode, size, modified_ns, offset, lines, head_length, \
            head, tail_length, tail, unfinished, last_time, outage, names, log, cursor, boot, \
            monotonic_us, realtime_us FROM generation LEFT JOIN journal ON generation = id \
            ORDER BY last_time, id";
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let bytes: Vec<u8> = row.get(16)?;
                let its_log = Path::new(OsStr::from_bytes(&bytes));
                let other = its_log != log && configured.iter().any(|log| log == its_log);
                let known = Generation { own: its_log == log, ..generation(row)? };
                if other { &mut others } else { &mut own }.push(known);
            }
            Ok(())
        };
        read().map_err(|e| self.error("read", e))?;
        Ok((own, others))
    }
}

fn generation(row: &Row<'_>) -> rusqlite::Result<Generation> {
    let fingerprint = |length: usize, hash: usize| -> rusqlite::Result<Fingerprint> {
        Ok(Fingerprint { length: row.get::<_, u32>(length)? as usize, hash: row.get(hash)? })
    };
    let outage: Vec<u8> = row.get(14)?;
    let processes = outage.split(|b| *b == b' ').filter(|process| !process.is_empty());
    Ok(Generation {
        id: row.get(0)?,
        own: true,
        path: OsStr::from_bytes(&row.get::<_, Vec<u8>>(1)?).into(),
        stamp: Stamp {
            device: unsigned(row, 2)?,
            inode: unsigned(row, 3)?,
            size: unsigned(row, 4)?,
            modified_ns: row.get(5)?,
        },
        progress: Progress {
            offset: unsigned(row, 6)?,
            lines: unsigned(row, 7)?,
            head: fingerprint(8, 9)?,
            tail: fingerprint(10, 11)?,
            unfinished: row.get(12)?,
            last_time: row.get::<_, Option<i64>>(13)?.and_then(|s| Timestamp::from_second(s).ok()),
            outage: processes.map(Into::into).collect(),
            names: row.get(15)?,
            entry: journal_entry(row)?,
        },
    })
}

fn journal_entry(row: &Row<'_>) -> rusqlite::Result<Option<JournalEntry>> {
    let Some(cursor) = row.get(17)? else { return Ok(None) };
    let (boot, monotonic_us, realtime_us) = (row.get(18)?, unsigned(row, 19)?, unsigned(row, 20)?);
    Ok(Some(JournalEntry { cursor, boot, monotonic_us, realtime_us }))
}
