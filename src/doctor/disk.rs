//! Room on the disks that runs write to: bytes, and files that can still be made.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::statvfs;

use super::{Scene, Told, shown};
use crate::report::grouped;

const MIB: u64 = 1024 * 1024;
/// Less room than this ends the next run, or one soon after.
const NONE: u64 = 16 * MIB;
const LITTLE: u64 = 256 * MIB;
/// The same of files; those that the program makes are few.
const NO_FILES: u64 = 50;
const FEW_FILES: u64 = 1000;

const CURE: &str = "make room on that disk";

pub(super) fn check(scene: &Scene, told: &Told) {
    let (paths, database) = (&scene.config.paths, &scene.config.database);
    let mut seen = Vec::new();
    for folder in [&*paths.working_dir, &*paths.state_dir, &*database.export_dir] {
        let Some(existing) = folder.ancestors().find(|path| path.exists()) else { continue };
        let Ok(device) = existing.metadata().map(|meta| meta.dev()) else { continue };
        if !seen.contains(&device) {
            seen.push(device);
            room(existing, told);
        }
    }
}

fn room(folder: &Path, told: &Told) {
    let path = shown(folder);
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            return told.warning(&format!("cannot tell the room in {path}: {error}"), "see why");
        }
    };
    let bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    // Some file systems have no table of them, and say 0 of 0.
    let files = (disk.f_files > 0).then_some(disk.f_favail);
    let told_bytes = format!("{path}: {} MiB are free", grouped(bytes / MIB));
    match bytes {
        ..NONE => told.error(&told_bytes, CURE),
        NONE..LITTLE => told.warning(&told_bytes, CURE),
        _ => told.ok(&told_bytes),
    }
    let Some(files) = files else { return };
    let what = format!("{path}: {} more files can be made", grouped(files));
    match files {
        ..NO_FILES => told.error(&what, "remove files on that disk (`df -i` tells of it)"),
        NO_FILES..FEW_FILES => {
            told.warning(&what, "remove files on that disk (`df -i` tells of it)");
        }
        _ => {}
    }
}
