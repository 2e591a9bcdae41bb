//! A real Postfix on loopback, with logins by a real Dovecot, in a folder and a PID namespace of its own.
#![allow(dead_code, reason = "each of those who start it uses its part")]

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const MAIN: &str = "\
compatibility_level = 3.6
queue_directory = FOLDER/queue
data_directory = FOLDER/data
maillog_file = FOLDER/mail.log
maillog_file_prefixes = FOLDER
mail_owner = postfix
setgid_group = postdrop
myhostname = mx1.example.org
mydestination =
virtual_mailbox_domains = example.org
virtual_mailbox_base = FOLDER/boxes
virtual_mailbox_maps = inline:{ { bob@example.org = bob/ } { carol@example.org = carol/ } }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
mynetworks =
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname
strict_rfc821_envelopes = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = FOLDER/auth
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = CERTIFICATE
smtpd_tls_key_file = KEY
header_size_limit = 4000
message_size_limit = 10240000
";

const MASTER: &str = "\
127.0.0.1:PORT1 inet n - n - - smtpd
127.0.0.1:PORT2 inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
postlog   unix-dgram n - n - 1 postlogd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
proxymap  unix - - n - - proxymap
virtual   unix - n n - - virtual
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
";

const DOVECOT: &str = "\
protocols =
base_dir = FOLDER/dovecot
state_dir = FOLDER/dovecot
log_path = FOLDER/dovecot.log
auth_mechanisms = plain login
auth_failure_delay = 0
ssl = no
passdb {
  driver = static
  args = user=sentinel password=secret
}
service auth {
  unix_listener FOLDER/auth {
    mode = 0666
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";

/// Postfix, ended with the test.
pub(crate) struct Postfix {
    process: Child,
    folder: TempDir,
    /// For STARTTLS.
    pub(crate) port: u16,
    /// For TLS from the start on.
    pub(crate) tls_port: u16,
}

impl Postfix {
    /// With this certificate and key.
    pub(crate) fn start((certificate, key): (&Path, &Path)) -> Self {
        for (program, package) in
            [("postfix", "postfix"), ("dovecot", "dovecot-core"), ("unshare", "util-linux")]
        {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
            assert!(found.unwrap().status.success(), "no {program}: install the package {package}");
        }
        assert!(rustix::process::geteuid().is_root(), "Postfix needs root: run this as root");
        // The ports are free when we look; should one be taken in between, we try others.
        let mut said = String::new();
        for _ in 0..5 {
            match Self::try_start(certificate, key) {
                Ok(started) => return started,
                Err(logs) => said = logs,
            }
        }
        panic!("Postfix did not start:\n{said}");
    }

    fn try_start(certificate: &Path, key: &Path) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (first, second) = (free(), free());
        let [port, tls_port] = [&first, &second].map(|it| it.local_addr().unwrap().port());
        let write = |name: &str, text: &str| {
            let text = text
                .replace("FOLDER", folder.path().to_str().unwrap())
                .replace("CERTIFICATE", certificate.to_str().unwrap())
                .replace("KEY", key.to_str().unwrap())
                .replace("PORT1", &port.to_string())
                .replace("PORT2", &tls_port.to_string());
            fs::write(folder.path().join(name), text).unwrap();
        };
        write("main.cf", MAIN);
        write("master.cf", MASTER);
        write("dovecot.conf", DOVECOT);
        for (name, mode) in [("", 0o755), ("queue", 0o755), ("data", 0o700), ("boxes", 0o1777)] {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let owned = Command::new("chown").arg("postfix").arg(folder.path().join("data")).status();
        assert!(owned.unwrap().success());
        drop((first, second));
        // The kernel ends unshare with this thread, the shell with unshare, and all else with the shell,
        // for it is the first process of the namespace. Postfix in its place would not be told: it
        // changes users, and that cancels the order.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc", "sh", "-c"])
            .arg("dovecot -c $0/dovecot.conf && postfix -c $0 start-fg; exit $?")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run setpriv: {error}; install util-linux"));
        let started = Instant::now();
        while !greets(port) {
            let ended = process.try_wait().unwrap().is_some();
            if ended || started.elapsed() > Duration::from_secs(60) {
                let _ = process.kill();
                process.wait().unwrap();
                let logs = ["stderr", "mail.log", "dovecot.log"].map(|log| folder.path().join(log));
                return Err(logs.map(|log| fs::read_to_string(log).unwrap_or_default()).concat());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { process, folder, port, tls_port })
    }

    /// The messages in a mailbox, as soon as there are so many.
    pub(crate) fn mail(&self, user: &str, count: usize) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join("boxes").join(user).join("new");
        let started = Instant::now();
        loop {
            let files: Vec<PathBuf> =
                fs::read_dir(&folder).into_iter().flatten().map(|it| it.unwrap().path()).collect();
            if files.len() >= count {
                return files.iter().map(|file| fs::read(file).unwrap()).collect();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "no mail: {}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Fails if `text` does not come into its log, which another process writes.
    pub(crate) fn logs(&self, text: &str) {
        let started = Instant::now();
        while !self.log().contains(text) {
            assert!(started.elapsed() < Duration::from_secs(60), "no `{text}`: {}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("mail.log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its files can be removed once nobody writes any.
        let ended = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && ended.elapsed() < Duration::from_secs(20)
        {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_exact(&mut [0; 3]).is_ok()
}
