//! A folder in memory, where there is one, that goes with its value.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use tempfile::TempDir;

/// Makes the folder: where `TMPDIR` says, else in memory. The disk would be a thousand times slower,
/// since every run is flushed to it.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let chosen = std::env::var_os("TMPDIR").is_some() || !memory.is_dir();
    let place = if chosen { std::env::temp_dir() } else { memory.to_owned() };
    tempfile::Builder::new().prefix("maillogsentinel-fuzz-").tempdir_in(place).expect("a folder")
}

/// Writes `bytes` to `path`, over what was there.
pub fn write(path: &Path, bytes: &[u8]) {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("a file that can be written");
}
