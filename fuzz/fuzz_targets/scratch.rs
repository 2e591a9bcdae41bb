//! A folder in memory, where there is one, that goes with its value.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use tempfile::TempDir;

/// Makes the folder. The disk would be a thousand times slower, since every run is flushed to it.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("maillogsentinel-fuzz-").tempdir_in(place).expect("a folder")
}

/// Writes `bytes` to `path`, over what was there.
pub fn write(path: &Path, bytes: &[u8]) {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("a file that can be written");
}
