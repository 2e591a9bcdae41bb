//! Modes and owners: who may read passwords and what is recorded, and who may change it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Level, Scene, Told, shown};
use crate::account::quoted;
use crate::config::Secret;
use crate::files::is_in_a_home;
use crate::programs;
use crate::store;

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
/// Who writes there cannot remove another's files.
const STICKY: u32 = 0o1000;

pub(super) fn check(scene: &Scene, told: &Told) {
    let config = &scene.config;
    let mut wrong = configuration(scene, told);
    for secret in
        [&config.report.smtp.password, &config.database.password, config.alert.webhook_secret()]
    {
        wrong += password(secret, told);
        secret.file().inspect(|file| hidden(file, told));
    }
    let paths = &config.paths;
    for folder in [&paths.working_dir, &paths.state_dir, &config.database.export_dir] {
        let Ok(meta) = folder.metadata() else { continue };
        if meta.mode() & OTHERS_WRITE != 0 && meta.mode() & STICKY == 0 {
            wrong += 1;
            told.error(
                &format!("everybody can change what is in {}", shown(folder)),
                &format!("sudo chmod o-w {}", quoted(folder)),
            );
        }
    }
    let store = paths.state_dir.join(store::FILE_NAME);
    let log = config.general.log_file.as_deref();
    for file in [Some(&*store), Some(&*paths.csv), log].into_iter().flatten() {
        // Behind a link it is that file's mode that counts; a device is no file of ours.
        let Some(meta) = file.metadata().ok().filter(Metadata::is_file) else { continue };
        wrong += record(file, meta.mode(), told);
    }
    if wrong == 0 {
        told.ok("secrets and records are closed to others");
    }
}

/// Tells if services will not find a file that is found here.
pub(super) fn hidden(path: &Path, told: &Told) {
    if programs::has_systemd() && is_in_a_home(path) {
        told.warning(
            &format!("services see nothing in homes, and so not {}", shown(path)),
            "put it elsewhere, such as /etc or /usr/local/bin, and name that in the configuration",
        );
    }
}

/// How many things are wrong with the file of a password.
fn password(secret: &Secret, told: &Told) -> u32 {
    let Some((file, meta)) = secret.file().and_then(|file| Some((file, file.metadata().ok()?)))
    else {
        // That it is not there is for those to say who need it.
        return 0;
    };
    if let Some(note) = secret.warning() {
        told.note(Level::Error, &note);
        return 1;
    }
    if meta.mode() & OTHERS_WRITE != 0 {
        let what = format!("{}: the file holds a secret and others can change it", shown(file));
        told.error(&what, &format!("sudo chmod o-w {}", quoted(file)));
        return 1;
    }
    0
}

fn record(file: &Path, mode: u32, told: &Told) -> u32 {
    let path = shown(file);
    if mode & OTHERS_WRITE != 0 {
        told.error(
            &format!("everybody can change {path}"),
            &format!("sudo chmod o-rw {}", quoted(file)),
        );
        return 1;
    }
    if mode & OTHERS_READ != 0 {
        let what = format!("everybody can read the names and addresses in {path}");
        told.warning(&what, &format!("sudo chmod o-r {}", quoted(file)));
        return 1;
    }
    0
}

/// Whether those can change the configuration whom root must not take orders from.
fn configuration(scene: &Scene, told: &Told) -> u32 {
    let file = scene.config_file.as_deref();
    let Some((file, meta)) = file.and_then(|file| Some((file, file.metadata().ok()?))) else {
        return 0;
    };
    let path = quoted(file);
    if meta.mode() & OTHERS_WRITE != 0 {
        let what = format!("everybody can change {}", shown(file));
        told.error(&what, &format!("sudo chmod o-w {path}"));
        return 1;
    }
    if scene.runs_as.is_some_and(|user| user != 0 && user == meta.uid()) {
        let what = format!(
            "runs can change {}, by which root goes when it starts the program",
            shown(file)
        );
        told.warning(&what, &format!("sudo chown root {path}; sudo chmod g+r {path}"));
        return 1;
    }
    0
}
