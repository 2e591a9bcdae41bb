//! A room that stands for a machine: /etc, /var and /usr/local of its own, all else of this one, in a
//! namespace of mounts. Nothing done in it reaches this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use maillogsentinel::sql::import::sha256;
use tempfile::TempDir;

use crate::sentinel::program;

/// Mounts what the room shares with this machine, then goes in.
const ENTER: &str = r#"set -e
room=$1 program=$2; shift 2
mount --rbind /usr "$room/usr"
mount --bind "$room/local" "$room/usr/local"
mount --bind "$program" "$room/usr/local/bin/maillogsentinel"
mount --rbind /proc "$room/proc"
mount --rbind /dev "$room/dev"
cd /
exec chroot "$room" "$@""#;
/// What account programs leave beside their files.
const LEFT: [&str; 6] =
    ["passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock", "maillogsentinel_setup.log"];

pub struct Room {
    folder: TempDir,
}

/// The line of a failed login.
pub const ATTACK: &str = "2026-11-24T10:00:00+00:00 mx1 postfix/smtpd[1]: warning: \
    unknown[203.0.113.1]: SASL LOGIN authentication failed: x, sasl_username=bob\n";

impl Default for Room {
    /// A mail server without us, with a log that the group adm reads, and databases of addresses.
    fn default() -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap() };
        fs::set_permissions(room.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in [
            "usr",
            "local/bin",
            "proc",
            "dev",
            "etc/systemd/system",
            "etc/logrotate.d",
            "root",
            "home",
            "srv",
            "run",
            "tmp",
            "var/log",
            "var/lib/addresses",
        ] {
            fs::create_dir_all(room.path(folder)).unwrap();
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{link}"), room.path(link)).unwrap();
        }
        for file in ["ld.so.cache", "nsswitch.conf", "login.defs"] {
            fs::copy(Path::new("/etc").join(file), room.path("etc").join(file)).unwrap();
        }
        room.write("local/bin/maillogsentinel", "");
        room.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        room.write("etc/group", "root:x:0:\nadm:x:4:\nshadow:x:42:\nsystemd-journal:x:101:\n");
        room.write("etc/shadow", "root:*:19000:0:99999:7:::\n");
        room.write("etc/gshadow", "root:*::\nadm:*::\nshadow:*::\nsystemd-journal:*::\n");
        room.write("var/log/mail.log", ATTACK);
        std::os::unix::fs::chown(room.path("var/log/mail.log"), None, Some(4)).unwrap();
        fs::set_permissions(room.path("var/log/mail.log"), fs::Permissions::from_mode(0o640))
            .unwrap();
        room.write("var/lib/addresses/country.csv", "198.18.7.0,198.18.7.255,CH\n");
        room.write("var/lib/addresses/asn.csv", "198.18.7.0,198.18.7.255,64511,\"Net\"\n");
        room
    }
}

/// A configuration that needs no network.
pub const CONFIG: &str = "[geolocation]\ncountry_db_path = /var/lib/addresses/country.csv\n[ASN_ASO]\n\
    asn_db_path = /var/lib/addresses/asn.csv\n[dns]\nenabled = no\n[report]\nemail = root@example.org\n";

impl Room {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `words`, run by root in it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]);
        command.arg(self.folder.path()).arg(program()).args(words);
        command.env("TZ", "UTC").env_remove("SUDO_USER");
        command
    }

    /// The same failed login in the journal.
    pub fn with_journal(self) -> Self {
        let machine = "00000000000000000000000000000007";
        self.write("etc/machine-id", &format!("{machine}\n"));
        let folder = self.path("var/log/journal").join(machine);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("system.journal");
        let mut remote = Command::new("/lib/systemd/systemd-journal-remote");
        remote.arg("--output").arg(&file).arg("-").stdin(Stdio::piped()).stderr(Stdio::null());
        let mut remote = remote.spawn().unwrap();
        let message = ATTACK.split_once("]: ").unwrap().1;
        let entry = format!(
            "__REALTIME_TIMESTAMP=1795514400000000\n__MONOTONIC_TIMESTAMP=1000000\n_BOOT_ID={:032x}\n\
             _HOSTNAME=mx1\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postfix/smtpd\nSYSLOG_PID=1\nMESSAGE={message}\n",
            1
        );
        remote.stdin.take().unwrap().write_all(entry.as_bytes()).unwrap();
        assert!(remote.wait().unwrap().success());
        for path in [&folder, &file] {
            std::os::unix::fs::chown(path, None, Some(101)).unwrap();
        }
        self
    }

    /// What a run of the Python program has left here.
    pub fn with_python(self) -> Self {
        self.write(
            "etc/maillogsentinel.conf",
            &format!("# mine\n[paths]\nworking_dir = /var/log/maillogsentinel\n{CONFIG}"),
        );
        fs::set_permissions(
            self.path("etc/maillogsentinel.conf"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        self.write(
            "var/log/maillogsentinel/maillogsentinel.csv",
            "server;date;ip;user;hostname;reverse_dns_status;country_code;asn;aso\n",
        );
        let units = "etc/systemd/system";
        self.write(
            &format!("{units}/maillogsentinel.service"),
            "[Service]\nExecStart=python3 maillogsentinel.py\n",
        );
        self.write(
            &format!("{units}/maillogsentinel-extract.timer"),
            "[Timer]\nUnit=maillogsentinel.service\n",
        );
        self.write(&format!("{units}/maillogsentinel-report.timer"), "[Timer]\nOnCalendar=daily\n");
        fs::create_dir(self.path("etc/systemd/system/timers.target.wants")).unwrap();
        for timer in ["maillogsentinel-extract.timer", "maillogsentinel-report.timer"] {
            let link = self.path(&format!("{units}/timers.target.wants/{timer}"));
            symlink(format!("/{units}/{timer}"), link).unwrap();
        }
        self
    }

    /// All that is in it, with modes, owners and contents.
    pub fn all(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for folder in ["etc", "var", "local", "root", "run", "home", "srv"] {
            self.look(&self.path(folder), &mut all);
        }
        all
    }

    fn look(&self, path: &Path, all: &mut BTreeMap<String, String>) {
        let meta = fs::symlink_metadata(path).unwrap();
        if LEFT.iter().any(|name| path.ends_with(name)) {
            return;
        }
        let content = if meta.is_symlink() {
            fs::read_link(path).unwrap().display().to_string()
        } else if meta.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.look(&entry.unwrap().path(), all);
            }
            "folder".to_owned()
        } else {
            sha256(fs::File::open(path).unwrap()).unwrap()
        };
        let name = path.strip_prefix(self.folder.path()).unwrap().display().to_string();
        all.insert(
            name,
            format!("{:o} {} {} {content}", meta.mode() & 0o7777, meta.uid(), meta.gid()),
        );
    }
}

/// What differs between two looks.
pub fn difference(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    let names = one.keys().chain(other.keys());
    let mut odd: Vec<_> = names
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| format!("{name}: {:?} {:?}", one.get(name), other.get(name)))
        .collect();
    odd.sort();
    odd.dedup();
    odd
}
