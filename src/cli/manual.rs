//! `manual`: writes man pages and completions below a folder, for packages.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{fail, shown};
use crate::exit::Status;
use crate::manual;

pub(super) fn run(folder: &Path) -> Status {
    let files = match manual::files() {
        Ok(files) => files,
        Err(error) => return fail(&format!("cannot make the pages: {error}"), None),
    };
    for file in files {
        let path = folder.join(file.path);
        if let Err(error) = place(&path, &file.bytes) {
            return fail(&format!("cannot write {}: {error}", shown(&path)), None);
        }
        // Written is written, whether anybody reads of it or not.
        let _ = writeln!(anstream::stdout(), "{}", shown(&path));
    }
    Status::Done
}

/// The file whole, or what was there before.
fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
