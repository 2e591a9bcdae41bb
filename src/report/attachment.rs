//! The copy of the CSV that goes with a report: a spreadsheet runs nothing in it.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::untrusted::for_terminal;

/// What a spreadsheet takes for the start of a formula.
const FORMULAS: [u8; 6] = *b"=+-@\t\r";

/// A copy of `csv` in which no cell is a formula: an apostrophe stands before those that were; and
/// none has characters that change what a reader sees.
///
/// Rows that are none are copied as they are, cell by cell.
pub fn disarmed(csv: &[u8]) -> io::Result<Vec<u8>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b';')
        .has_headers(false)
        .flexible(true)
        .from_reader(csv);
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .flexible(true)
        .from_writer(Vec::with_capacity(csv.len() + csv.len() / 16));
    let mut row = csv::ByteRecord::new();
    while reader.read_byte_record(&mut row)? {
        for cell in &row {
            // Characters that steer a terminal or turn text round have no place in a mail.
            let cell = for_terminal(cell);
            let cell = cell.as_bytes();
            if cell.first().is_some_and(|first| FORMULAS.contains(first)) {
                writer.write_field([b"'", cell].concat())?;
            } else {
                writer.write_field(cell)?;
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// The same bytes, compressed.
pub fn gzipped(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_all_else_is_as_it_was() {
        let csv = b"server;user\nmx1;=cmd|' /C calc'!A1\nmx1;\"+1;\"\"x\"\"\"\nmx1;a=b\n-;@x;z\xe2\x80\xae\n";
        let expected = "server;user\nmx1;'=cmd|' /C calc'!A1\nmx1;\"'+1;\"\"x\"\"\"\nmx1;a=b\n'-;'@x;z\\xe2\\x80\\xae\n";
        assert_eq!(String::from_utf8(disarmed(csv).unwrap()).unwrap(), expected);
    }
}
