//! Loads a configuration from a file, from a text, and from what the command line sets on top.

use std::path::{Path, PathBuf};

use super::ini::Entry;
use super::{Loaded, Note, Reader};
use crate::files;

/// Where the configuration is looked for, in this order, if no file is named.
pub const DEFAULT_PATHS: [&str; 2] =
    ["/etc/maillogsentinel.conf", "/etc/maillogsentinel/maillogsentinel.conf"];

/// More than any configuration has.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Reads `file` (or the first default path that exists), with `settings` as `section.key=value`
/// on top. Without a file, the settings must give every path that the main job needs.
pub fn load(file: Option<&Path>, settings: &[String]) -> Loaded {
    load_with(file, settings, gives_paths(settings))
}

/// The same, for what can do with the defaults if there is no file.
pub fn load_or_default(file: Option<&Path>, settings: &[String]) -> Loaded {
    load_with(file, settings, true)
}

/// The file that is read: `file`, or the first default path that exists.
pub fn path(file: Option<&Path>) -> Option<PathBuf> {
    let found = DEFAULT_PATHS.iter().map(Path::new).find(|path| path.exists());
    file.or(found).map(Path::to_owned)
}

fn load_with(file: Option<&Path>, settings: &[String], may_be_absent: bool) -> Loaded {
    let mut reader = Reader::default();
    match path(file) {
        Some(path) => match read(&path) {
            Ok(text) => reader.read_text(&text, &path),
            Err(mistake) => reader.mistakes.push(mistake),
        },
        None if !may_be_absent => reader.mistakes.push(Note {
            place: DEFAULT_PATHS.join(" and "),
            what: "no configuration file".to_owned(),
            hint: Some(
                "`sudo maillogsentinel --setup` makes one; or name one with --config FILE, or give every \
                 path needed: --set paths.mail_log=FILE --set paths.working_dir=DIR --set paths.state_dir=DIR \
                 --set general.log_file="
                    .to_owned(),
            ),
        }),
        None => {}
    }
    finish(reader, settings)
}

/// The same of a file whose text is `text`, whatever is in it now.
pub fn load_text(text: &str, file: &Path, settings: &[String]) -> Loaded {
    let mut reader = Reader::default();
    reader.read_text(text, file);
    finish(reader, settings)
}

fn finish(mut reader: Reader, settings: &[String]) -> Loaded {
    for setting in settings {
        reader.read_setting(setting);
    }
    let config = reader.config();
    reader.refuse_shared_files(&config);
    reader.refuse_webhook();
    (if reader.mistakes.is_empty() { Ok(config) } else { Err(reader.mistakes) }, reader.warnings)
}

/// The text of a configuration. Root may read it before he becomes another user: a pipe or a device is
/// not touched.
pub fn read(path: &Path) -> Result<String, Note> {
    let mistake = |what: String, hint: Option<&str>| Note {
        place: path.display().to_string(),
        what,
        hint: hint.map(str::to_owned),
    };
    let bytes = match files::read(path, MOST_BYTES) {
        Ok(bytes) => bytes,
        // What people name to have none.
        Err(_) if path == Path::new("/dev/null") => Vec::new(),
        Err(error) => {
            let what = format!("cannot read the configuration: {error}");
            let hint = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "run it as the user of the services, or with sudo; passwords may be in it"
                }
                _ => "name another file with --config FILE",
            };
            return Err(mistake(what, Some(hint)));
        }
    };
    String::from_utf8(bytes).map_err(|_| mistake("the file is not UTF-8 text".to_owned(), None))
}

/// What `SECTION.KEY=VALUE` sets.
pub fn setting(text: &str) -> Option<Entry> {
    let (name, value) = text.split_once('=')?;
    let (section, key) = name.split_once('.')?;
    Some(Entry {
        section: section.trim().to_owned(),
        key: key.trim().to_lowercase(),
        value: value.trim().to_owned(),
        line: 0,
        end: 0,
        inherited: false,
    })
}

fn gives_paths(settings: &[String]) -> bool {
    ["mail_log", "working_dir", "state_dir"]
        .iter()
        .all(|key| settings.iter().any(|s| s.starts_with(&format!("paths.{key}="))))
}
