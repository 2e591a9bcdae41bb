//! Whether the user of the runs can write what they write.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::{Scene, Told, shown};
use crate::account::{folder_cure, is_writable, own_name, ownership_cure, secret_cure};
use crate::sql::Engine;
use crate::store::whole::{COMPANIONS, companion};
use crate::store::{self, lock};

const ELSE: &str = "let the user of the runs write there, or set another in the configuration";

pub(super) fn check(scene: &Scene, told: &Told) {
    let config = &scene.config;
    let paths = &config.paths;
    let mut folders = vec![(&*paths.working_dir, "working_dir"), (&*paths.state_dir, "state_dir")];
    if config.database.export_dir.exists() {
        folders.push((&config.database.export_dir, "sql_export_dir"));
    }
    let mut wrong = u32::from(!can_read_configuration(scene, told));
    for (folder, key) in folders {
        wrong += u32::from(!can_change(folder, key, told));
    }
    let store = paths.state_dir.join(store::FILE_NAME);
    let mut files: Vec<PathBuf> = vec![
        store.clone(),
        paths.state_dir.join(lock::FILE_NAME),
        paths.state_dir.join(lock::MAIL_FILE_NAME),
    ];
    files.extend(COMPANIONS.map(|ending| companion(&store, ending)));
    files.push(paths.csv.clone());
    files.extend(config.general.log_file.clone());
    if config.database.engine == Engine::Sqlite {
        files.push(config.database.path.clone());
    }
    for file in files.iter().filter(|file| file.exists()) {
        let path = shown(file);
        if file.is_dir() {
            wrong += 1;
            told.error(&format!("{path} is a folder, and a file is to be there"), "move it away");
        } else if !is_writable(file) {
            wrong += 1;
            let cure = ownership_cure(file);
            let what = format!("user {} cannot write {path}", own_name());
            told.error(&what, cure.as_deref().unwrap_or(ELSE));
        }
    }
    for path in config.countries.paths.iter().chain(&config.networks.paths) {
        let Some(folder) = path.parent().filter(|folder| folder.exists()) else { continue };
        if !is_writable(folder) {
            wrong += 1;
            let what =
                format!("user {} cannot update {}: its folder is closed", own_name(), shown(path));
            let cure = folder_cure(folder);
            told.warning(&what, cure.as_deref().unwrap_or(ELSE));
        }
    }
    if wrong == 0 {
        told.ok(&format!("user {} can write all that runs write", own_name()));
    }
}

/// A service reads it by itself; of runs that root starts, root has read it before.
fn can_read_configuration(scene: &Scene, told: &Told) -> bool {
    let Some(file) = scene.config_file.as_deref() else { return true };
    if accessat(CWD, file, Access::READ_OK, AtFlags::EACCESS).is_ok() {
        return true;
    }
    let what = format!("user {} cannot read the configuration, {}", own_name(), shown(file));
    told.error(&what, &secret_cure(file));
    false
}

/// Whether files can be made in `folder`, or the folder itself.
fn can_change(folder: &Path, key: &str, told: &Told) -> bool {
    let Some(existing) = folder.ancestors().find(|path| path.exists()) else { return true };
    let path = shown(folder);
    if !existing.is_dir() {
        let what = format!("{} is not a folder, and `{key}` is to be there", shown(existing));
        told.error(&what, &format!("move it away, or set `{key}`"));
        return false;
    }
    if is_writable(existing) {
        return true;
    }
    let what = if existing == folder {
        format!("user {} cannot make files in {path} (`{key}`)", own_name())
    } else {
        format!("{path} (`{key}`) is not there, and user {} cannot make it", own_name())
    };
    told.error(&what, folder_cure(folder).as_deref().unwrap_or(ELSE));
    false
}
