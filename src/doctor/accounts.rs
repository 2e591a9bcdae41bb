//! The lists of accounts that `[accounts] lists` names, if it names any: whether they can be read.

use std::io::ErrorKind;
use std::path::Path;

use super::{Scene, Told, shown};
use crate::account::{own_name, quoted};
use crate::files;

/// The largest list that is read, as `account` and `accounts` have it.
const MOST_BYTES: u64 = 64 << 20;

pub(super) fn check(scene: &Scene, told: &Told) {
    for path in &scene.config.accounts {
        let name = shown(path);
        match files::read(path, MOST_BYTES) {
            Ok(_) => told.ok(&format!("{name}, of `lists` in section [accounts], can be read")),
            Err(error) => told.error(
                &format!("cannot read {name}, of `lists` in section [accounts]: {error}"),
                &cure(path, error.kind()),
            ),
        }
    }
}

fn cure(path: &Path, kind: ErrorKind) -> String {
    match kind {
        ErrorKind::NotFound => "correct `lists` in section [accounts]".to_owned(),
        // Its group stays as it is: the mail server reads it too.
        ErrorKind::PermissionDenied => {
            let user = own_name();
            let closed = path.parent().filter(|_| path.metadata().is_err());
            let (right, blamed) = closed.map_or(("r", path), |folder| ("x", folder));
            format!(
                "name a copy that holds the names only in `lists`, or `sudo setfacl -m u:{user}:{right} {}` (package \
                 acl)",
                quoted(blamed)
            )
        }
        _ => "name regular files, of at most 64 MiB, in `lists` of section [accounts]".to_owned(),
    }
}
