//! Opens files so that nothing makes us wait.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// A pipe that is opened with it does not wait for a writer.
const NOT_WAITING: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// Opens a regular file for reading; a pipe, a device or a folder is an error.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(NOT_WAITING).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// Reads a regular file of at most `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it is larger than {} KiB", most / 1024);
        return Err(io::Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        for path in [&pipe, folder.path(), Path::new("/dev/null")] {
            let error = open(path).unwrap_err().to_string();
            assert_eq!(error, "it is not a regular file");
        }
        let file = folder.path().join("file");
        File::create(&file).unwrap().set_len(2000).unwrap();
        assert_eq!(read(&file, 2000).unwrap().len(), 2000);
        assert_eq!(read(&file, 1999).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }
}
