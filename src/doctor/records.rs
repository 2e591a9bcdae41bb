//! What runs have written: the store, reports that wait in it, and the CSV.

use std::io::Read;
use std::time::Duration;

use super::{Level, Scene, Told, shown};
use crate::figures::hides_clients;
use crate::files;
use crate::report::grouped;
use crate::store::csv::HEADER;
use crate::store::look::{Health, Seen, health};
use crate::store::{self, StoreError};

/// How long the search for damage may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn check(scene: &Scene, told: &Told) {
    let folder = &scene.config.paths.state_dir;
    let path = folder.join(store::FILE_NAME);
    let name = shown(&path);
    if path.symlink_metadata().is_ok() {
        match health(folder, PATIENCE) {
            Ok(Seen::All(health)) => {
                tell(&health, &name, told);
                hidden_clients(scene, &health, told);
            }
            Ok(Seen::InBetween) => told.unknown(&format!(
                "{name}: a run is at work or was killed, and the next one completes it; not looked into"
            )),
            Err(error) => refuse(&error, told),
        }
    } else {
        told.unknown(&format!("{name}: not there yet; the first run makes it"));
    }
    csv(scene, told);
}

fn refuse(error: &StoreError, told: &Told) {
    told.refusal(Level::Error, error, error.hint().as_deref());
}

fn tell(health: &Health, name: &str, told: &Told) {
    let (schema, current) = health.schema;
    if health.foreign {
        return told.error(
            &format!("{name} was made by another program"),
            "set another `state_dir` in section [paths], or move it away",
        );
    }
    if schema > current {
        return told.error(
            &format!("{name} was written by a later version of this program (schema {schema})"),
            "install that version again",
        );
    }
    let old = if schema == current {
        String::new()
    } else {
        format!(", of schema {schema}, which the next run brings to {current}")
    };
    let holds = format!("{name}: {} failed logins{old}", grouped(health.failures.unsigned_abs()));
    match health.damage.as_deref() {
        None => told.unknown(&format!("{holds}; too large to be searched for damage in time")),
        Some([]) => told.ok(&format!("{holds}, no damage")),
        Some(damage) => told.error(
            &format!("{name} is damaged: {}", damage.join("; ")),
            &format!(
                "move {name} away, with {name}-wal and {name}-shm if they are there: the next run builds it \
                 anew from the logs and the CSV"
            ),
        ),
    }
    if health.waiting > 0 {
        let plural = if health.waiting == 1 { "report waits" } else { "reports wait" };
        let trouble = health.trouble.as_deref().unwrap_or("it was not sent yet");
        told.warning(
            &format!("{} {plural} for a mail server: {trouble}", health.waiting),
            "mend what is told about mail; the next run sends what waits",
        );
    }
}

/// Tells if something stands before the mail server and hides who its clients are.
fn hidden_clients(scene: &Scene, health: &Health, told: &Told) {
    let Some((address, count, all)) = health.busiest else { return };
    if hides_clients(address, count, all, scene.host.address()) {
        let what = format!(
            "the clients' addresses are hidden: {} of the last {} failed logins came from {address}",
            grouped(count),
            grouped(all)
        );
        told.warning(
            &what,
            "let what stands before the mail server pass them on: `smtpd_upstream_proxy_protocol = haproxy` \
             in main.cf, `haproxy_trusted_networks` in Dovecot, `\"userland-proxy\": false` in Docker's \
             daemon.json; see docs/troubleshooting.md",
        );
    }
}

fn csv(scene: &Scene, told: &Told) {
    let path = &scene.config.paths.csv;
    let name = shown(path);
    let mut start = Vec::new();
    let read =
        files::open(path).and_then(|file| file.take(HEADER.len() as u64).read_to_end(&mut start));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            told.unknown(&format!("{name}: not there yet; the first failed login makes it"));
        }
        Err(error) => told.error(
            &format!("cannot read {name}: {error}"),
            "let the user of the runs read and write it, or set `csv_filename` in section [paths]",
        ),
        Ok(0) => told.ok(&format!("{name}: empty")),
        Ok(_) if is_header(&start) => told.ok(&format!("{name}: has its header")),
        Ok(_) => told.error(
            &format!("{name} does not start with the header of a CSV of failed logins"),
            "set `csv_filename` in section [paths], or move the file away: a new one is started",
        ),
    }
}

/// Whether that is the first line, as we or the Python program end it (CR LF, of which the CR is read).
fn is_header(start: &[u8]) -> bool {
    let end = start.strip_prefix(HEADER.trim_end().as_bytes());
    matches!(end, Some(b"\n" | b"\r"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_the_python_program_is_one_too() {
        let header = HEADER.trim_end();
        for (text, is_one) in [
            (HEADER.to_owned(), true),
            (format!("{header}\r"), true),
            (header.to_owned(), false),
            (format!("{header};"), false),
        ] {
            assert_eq!(is_header(text.as_bytes()), is_one, "{text:?}");
        }
    }
}
