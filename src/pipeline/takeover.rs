//! What the Python program left: its CSV, and how far it had read.

use crate::source::compressed;
use crate::source::file::{From, Reading};
use crate::store::{StoreError, legacy};

use super::Run;

impl Run<'_> {
    /// In a new store: imports the CSV that is there and finds the Python program's offset.
    pub(super) fn take_over(&mut self) -> Result<(), StoreError> {
        let paths = &self.config.paths;
        let offset_file = legacy::offset_file(&paths.python_state_dirs);
        let mut imported = legacy::Imported::default();
        if self.store.is_new()? {
            let offset = offset_file.as_deref().map(legacy::offset).transpose()?;
            imported = self.store.take_over(&paths.csv, offset, &self.host.zone)?;
            if let Some(offset) = offset {
                log::info!("Took over the offset of the Python program: {offset} bytes are read");
            }
        }
        offset_file.as_deref().map_or(Ok(()), legacy::retire_offset)?;
        if imported.rows > 0 {
            log::info!("Took over {} rows of {}", imported.rows, paths.csv.display());
        }
        if imported.bad_count > 0 {
            let csv = paths.csv.display();
            self.warn(format!(
                "{} lines of {csv} are not rows of a login; they stay there, and count nowhere",
                imported.bad_count
            ));
            for (line, what) in &imported.bad {
                self.warn(format!("{csv}:{line}: {what}"));
            }
        }
        Ok(())
    }
}

/// Finds the file of which the Python program had read `offset` bytes, and passes over what it
/// had read. If the log was rotated since, it is the newest rotation that is long enough.
pub(super) fn pass_over(readings: &mut [Reading], offset: u64) {
    let compressed = |reading: &Reading| {
        !matches!(
            compressed::Compression::of_file(&reading.path),
            Ok(compressed::Compression::None)
        )
    };
    let holder = readings.iter().rposition(|r| r.stamp.size >= offset || compressed(r));
    let Some(holder) = holder else { return };
    for (at, reading) in readings.iter_mut().enumerate().take(holder + 1) {
        if reading.from != From::Start {
            continue;
        }
        reading.from = From::TakenOver(if at == holder { offset } else { u64::MAX });
    }
}
