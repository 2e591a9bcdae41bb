//! Where a path leads. Root follows links of root only: in its folders, the service's user can link to
//! anything, and change that at any time.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// More links than a path can have (`path_resolution(7)`).
const MOST_LINKS: u32 = 40;

/// The file that `path` leads to, without links. Each part is looked at once, so that what was allowed is
/// what is given.
pub(super) fn end_of(path: &Path) -> io::Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        return fs::canonicalize(path);
    }
    let owned = |path: &Path| -> VecDeque<PathBuf> {
        path.components().map(|part| PathBuf::from(part.as_os_str())).collect()
    };
    let mut rest = owned(&std::path::absolute(path)?);
    let mut end = PathBuf::new();
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part.components().next() == Some(Component::ParentDir) {
            end.pop();
            continue;
        }
        let next = end.join(&part);
        let meta = fs::symlink_metadata(&next)?;
        if !meta.is_symlink() {
            end = next;
            continue;
        }
        links += 1;
        if meta.uid() != 0 || links > MOST_LINKS {
            let (link, user) = (super::shown(&next), meta.uid());
            return Err(io::Error::other(format!(
                "{link} is a link of user {user}, and root does not follow it: remove it, or run this as \
                 that user"
            )));
        }
        // An absolute one starts over: joined to anything, `/` is `/`.
        let mut target = owned(&fs::read_link(&next)?);
        target.append(&mut rest);
        rest = target;
    }
    Ok(end)
}
