//! Times as systemd.time(7) writes them.

use std::io;
use std::time::Duration;

use crate::programs;

const PATIENCE: Duration = Duration::from_secs(15);

/// Whether systemd takes `text` as `OnCalendar=`; the reason if not. Without systemd's own program nobody
/// can tell, and it is taken.
pub fn check(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err("a time is needed, such as hourly, or *-*-* 00:05:00".to_owned());
    }
    match programs::ask(&["systemd-analyze", "calendar", "--", text], PATIENCE) {
        Ok(answer) if answer.status == Some(0) => Ok(()),
        Ok(_) => Err(format!(
            "systemd does not take `{text}` as a time: see man systemd.time, or use hourly"
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("systemd-analyze: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn times_are_those_of_systemd() {
        assert_eq!(check("*-*-* 00:05:00"), Ok(()));
        assert_eq!(check("weekly"), Ok(()));
        assert!(check("never ever").unwrap_err().contains("`never ever`"));
        assert!(check("hourly\nExecStart=x").is_err());
        assert!(check("").is_err());
    }
}
