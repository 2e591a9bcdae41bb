//! A mail server's log, our program and its folders, in a scratch folder that goes with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The header of the CSV.
pub const HEADER: &str = "server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n";

/// Builds a scene and runs the program in it.
pub struct Sentinel {
    folder: TempDir,
    settings: Vec<String>,
    zone: String,
}

impl Default for Sentinel {
    fn default() -> Self {
        Self::inside(&std::env::temp_dir())
    }
}

impl Sentinel {
    /// The same in a scratch folder that is made in `parent`.
    pub fn inside(parent: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("sentinel-").tempdir_in(parent).unwrap();
        let path = folder.path().display().to_string();
        // Whether this machine has an account for the program is no matter of a test's.
        let config = format!(
            "[paths]\nworking_dir = {path}/work\nstate_dir = {path}/state\nmail_log = \
             {path}/mail.log\n[general]\nlog_file = {path}/operational.log\n[dns]\nenabled = \
             false\n[geolocation]\ncountry_db_path = {path}/country.csv\n[ASN_ASO]\n\
             asn_db_path = {path}/asn.csv\n[User]\nrun_as_user = root\n"
        );
        fs::write(folder.path().join("country.csv"), "198.18.7.0,198.18.7.255,CH\n").unwrap();
        let network = "198.18.7.0,198.18.7.255,64511,\"Test; Net, Inc.\"\n";
        fs::write(folder.path().join("asn.csv"), network).unwrap();
        fs::write(folder.path().join("maillogsentinel.conf"), config).unwrap();
        Self { folder, settings: Vec::new(), zone: "UTC".to_owned() }
    }

    /// The path of `name` in the scratch folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `bytes` as file `name`, over what was there, in place.
    pub fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.write(name, bytes);
        self
    }

    /// The same, in the middle of a story.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Adds `bytes` to file `name`.
    pub fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        use std::io::Write;
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    /// Sets the time that file `name` was last written.
    pub fn set_time(&self, name: &str, time: &str) {
        let time: jiff::Timestamp = time.parse().unwrap();
        let file = fs::File::options().append(true).open(self.path(name)).unwrap();
        file.set_modified(time.into()).unwrap();
    }

    /// Sets `SECTION.KEY=VALUE`.
    pub fn set(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    /// The machine's time zone.
    pub fn zone(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.zone);
        self
    }

    /// The program with `arguments`, its configuration and settings, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env("TZ", &self.zone).env_remove("NO_COLOR").current_dir(self.folder.path());
        command.arg("--config").arg(self.path("maillogsentinel.conf"));
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        command.args(arguments);
        command
    }

    /// A copy of the program that every user can run.
    pub fn public_program(&self) -> PathBuf {
        let copy = self.path("maillogsentinel");
        copy_program(&copy);
        copy
    }

    /// Runs the main job.
    pub fn run(&self) -> Ran {
        Ran::of(&mut self.command(&[]))
    }

    /// The CSV without its header; fails if it has none.
    pub fn rows(&self) -> String {
        let csv = String::from_utf8(fs::read(self.path("work/maillogsentinel.csv")).unwrap());
        let csv = csv.expect("the CSV is UTF-8");
        csv.strip_prefix(HEADER).unwrap_or_else(|| panic!("no header: {csv}")).to_owned()
    }

    /// Address and user of each row of the CSV, as `203.0.113.9 bob`.
    pub fn who(&self) -> Vec<String> {
        who(&self.rows())
    }

    /// The same while the CSV is being written: of the rows that are whole by now.
    pub fn who_so_far(&self) -> Vec<String> {
        let csv = fs::read(self.path("work/maillogsentinel.csv")).unwrap_or_default();
        let whole = csv.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let csv = str::from_utf8(&csv[..whole]).expect("the CSV is UTF-8");
        csv.strip_prefix(HEADER).map(who).unwrap_or_default()
    }

    /// The first column of the first row that `sql` gives, asked of the store.
    pub fn ask_store(&self, sql: &str) -> String {
        let store = rusqlite::Connection::open(self.path("state/maillogsentinel.db")).unwrap();
        store
            .query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| match value {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            })
            .unwrap()
    }
}

fn who(rows: &str) -> Vec<String> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(rows.as_bytes());
    let who = |row: csv::StringRecord| format!("{} {}", &row[2], &row[3]);
    reader.records().map(|row| who(row.unwrap())).collect()
}

/// The binary under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_maillogsentinel"))
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Ran {
    /// Runs `command` to its end.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Fails unless the exit status is `status`.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Fails unless `text` was said on stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in: {}", self.stderr);
        self
    }

    /// Fails unless `text` was printed on stdout.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{text}` is not in: {}", self.stdout);
        self
    }
}

/// Copies the program. By another process: a child that another test starts meanwhile would keep a file
/// that this one writes open for a moment, and such a file cannot be run.
pub fn copy_program(to: &Path) {
    let copied = Command::new("cp").arg(program()).arg(to).status().unwrap();
    assert!(copied.success());
}

/// A line as Postfix logs a failed login, with its newline.
pub fn failure(stamp: &str, address: &str, user: &str) -> Vec<u8> {
    format!(
        "{stamp} mx1 postfix/submission/smtpd[12387]: warning: unknown[{address}]: SASL LOGIN \
         authentication failed: (reason unavailable), sasl_username={user}\n"
    )
    .into_bytes()
}
