//! Makes changes one after another, and takes all of them back if one fails.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use super::undo::{Taken, Undo};
use super::{Change, Place, io_error};
use crate::{files, programs};

/// What comes after the name of what made room, before the time.
pub(super) const SUFFIX: &str = ".before-setup-";

/// The changes of one run.
pub struct Actions<'r> {
    pub(super) place: Place,
    /// What is added to the name of what must make room.
    suffix: String,
    steps: Vec<Undo>,
    /// Where what made room is now.
    kept: Vec<PathBuf>,
    record: &'r mut dyn FnMut(&str),
}

impl<'r> Actions<'r> {
    /// None yet; `stamp` is a time that file names may have, and `record` gets every action.
    pub fn new(place: Place, stamp: &str, record: &'r mut dyn FnMut(&str)) -> Self {
        let suffix = format!("{SUFFIX}{stamp}");
        Self { place, suffix, steps: Vec::new(), kept: Vec::new(), record }
    }

    /// Makes one change.
    pub fn make(&mut self, change: &Change) -> io::Result<()> {
        let sentence = change.sentence(&|path| path.display().to_string());
        (self.record)(&sentence);
        change.make(self).inspect_err(|error| (self.record)(&format!("FAILED: {error}")))
    }

    /// Writes down something else that is done.
    pub fn record(&mut self, what: &str) {
        (self.record)(what);
    }

    /// Lets systemd forget which services failed with what is replaced or removed now: `systemctl --failed` and
    /// `doctor` would name them until their next run. Nothing is wrong if there are none.
    pub fn forget_failures(&mut self) {
        if self.place.has_systemd()
            && let Err(error) = run(&["systemctl", "reset-failed", "maillogsentinel*.service"])
        {
            self.record(&format!("NOT DONE: {error}"));
        }
    }

    /// Takes back all that was done, the last first; gives what is left, and whether that is on purpose.
    pub fn undo(mut self) -> (Vec<String>, bool) {
        let (mut kept, mut left) = (Vec::new(), Vec::new());
        for step in self.steps.drain(..).rev() {
            match step.take() {
                Ok(Taken::Nothing) => {}
                Ok(Taken::Back(what)) => (self.record)(&format!("undone: {what}")),
                Ok(Taken::Kept(what)) => {
                    (self.record)(&format!("kept: {what}"));
                    kept.push(what);
                }
                Err(error) => {
                    (self.record)(&format!("CANNOT UNDO {step:?}: {error}"));
                    left.push(error.to_string());
                }
            }
        }
        if left.is_empty() { (kept, true) } else { (left, false) }
    }

    /// Where files are that made room for others.
    pub fn kept(&self) -> &[PathBuf] {
        &self.kept
    }

    pub(super) fn noted(&mut self, step: Undo) {
        self.steps.push(step);
    }

    /// Renames what is at `path`; gives the new name.
    pub(super) fn aside(&mut self, path: &Path) -> io::Result<PathBuf> {
        let kept = self.free_name(path);
        self.steps.push(Undo::Name { from: kept.clone(), to: path.to_owned() });
        fs::rename(path, &kept).map_err(|error| io_error("rename", path, &error))?;
        self.kept.push(kept.clone());
        Ok(kept)
    }

    /// Writes a file whole, or leaves what is there; that gets a second name first.
    pub(super) fn write(
        &mut self,
        path: &Path,
        bytes: &[u8],
        (mode, group): (u32, Option<u32>),
        is_secret: bool,
    ) -> io::Result<()> {
        let failed = |error| io_error("write", path, &error);
        let before = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => return Err(failed(ErrorKind::IsADirectory.into())),
            Ok(meta) => Some(meta),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let new = with_end(path, ".new-of-setup");
        self.steps.push(Undo::File(new.clone()));
        let mut file = files::create(&new).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        let former = before.as_ref().filter(|meta| meta.is_file());
        // Its mode is the administrator's, unless passwords may be in it.
        let former_mode = former.filter(|_| !is_secret);
        let owner = former_mode.map(std::os::unix::fs::MetadataExt::uid);
        let group = former_mode.map(std::os::unix::fs::MetadataExt::gid).or(group);
        if owner.is_some() || group.is_some() {
            chown(&new, owner, group).map_err(failed)?;
        }
        let mode = former_mode.map_or(Permissions::from_mode(mode), fs::Metadata::permissions);
        file.set_permissions(mode).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        match (&before, former) {
            (None, _) => self.steps.push(Undo::File(path.to_owned())),
            // There is a file under this name at every moment.
            (_, Some(_)) => {
                let kept = self.free_name(path);
                self.steps.push(Undo::Name { from: kept.clone(), to: path.to_owned() });
                fs::hard_link(path, &kept).map_err(failed)?;
                self.kept.push(kept);
            }
            (Some(_), None) => {
                self.aside(path)?;
                self.steps.push(Undo::File(path.to_owned()));
            }
        }
        fs::rename(&new, path).map_err(failed)?;
        if let (true, Some(meta), Some(kept)) = (is_secret, former, self.kept.last()) {
            self.steps.push(Undo::own(kept, meta));
            fs::set_permissions(kept, Permissions::from_mode(0o600)).map_err(failed)?;
        }
        Ok(())
    }

    fn free_name(&self, path: &Path) -> PathBuf {
        let names = (1..).map(|count| match count {
            1 => with_end(path, &self.suffix),
            _ => with_end(path, &format!("{}-{count}", self.suffix)),
        });
        let mut free = names.filter(|name| fs::symlink_metadata(name).is_err());
        free.next().unwrap_or_else(|| with_end(path, &self.suffix))
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

/// Runs a program of this machine; its own words if it fails. Ctrl-C is for us and not for it: half of
/// what it does would be worse.
pub(super) fn run(words: &[&str]) -> io::Result<()> {
    let mut command = programs::command(words)?;
    command.process_group(0);
    let shown = words.join(" ");
    let output = command
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("{shown}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said =
        [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
    let said = said.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { output.status.to_string() } else { said };
    Err(io::Error::other(format!("{shown}: {said}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn what_was_there_is_kept_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("a/old"), folder.path().join("b/c/new"));
        fs::create_dir(folder.path().join("a")).unwrap();
        files::create(&old).unwrap().write_all(b"before").unwrap();
        let file = |path: &str, text: &str| Change::File {
            path: path.into(),
            bytes: text.into(),
            mode: 0o644,
            reader: None,
            what: "a file",
        };
        let changes = [
            file("/a/old", "one"),
            file("/a/old", "two"),
            file("/b/c/new", "three"),
            Change::Aside { path: "/b/c/new".into(), why: "a test" },
        ];
        let mut record = |_: &str| {};
        let mut actions = Actions::new(Place::new(Some(folder.path())), "1", &mut record);
        for change in &changes {
            actions.make(change).unwrap();
        }
        assert_eq!((content(&old), new.exists()), ("two".to_owned(), false));
        let kept: Vec<_> = actions.kept().iter().map(|path| content(path)).collect();
        assert_eq!(kept, ["before", "one", "three"]);
        assert_eq!(actions.undo(), (Vec::new(), true));
        assert_eq!(content(&old), "before");
        let left: Vec<_> = fs::read_dir(folder.path().join("a")).unwrap().collect();
        assert_eq!((left.len(), folder.path().join("b").exists()), (1, false));
    }

    #[test]
    fn a_program_that_fails_is_heard() {
        let said = run(&["ls", "/no such folder"]).unwrap_err().to_string();
        assert!(said.starts_with("ls /no such folder: ls: cannot access"), "{said}");
    }
}
