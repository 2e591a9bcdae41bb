//! What locks an account on this machine, as commands to copy.

use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::table::WIDTH;
use crate::config::MailLog;
use crate::programs;
use crate::report::text;
use crate::untrusted::{Untrusted, for_terminal};

/// So wide a line may be: those who print it put two blanks before it.
const ROOM: usize = WIDTH - 2;
/// How long doveconf may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What `doveconf -n` says; nothing if it is not there.
pub(super) fn ask() -> String {
    programs::ask(&["doveconf", "-n"], PATIENCE).map(|answer| answer.output).unwrap_or_default()
}

/// Commands that lock `account` here, each with what it does; `settings` are those of [`ask`].
pub(super) fn for_account(account: &Untrusted, settings: &str, logs: &[MailLog]) -> Vec<String> {
    let quoted = quoted(&account.for_terminal());
    let mut lines = lock(settings, &quoted);
    let commands = [
        (format!("doveadm kick -- {quoted}"), "ends its IMAP and POP3 sessions"),
        (restart().to_owned(), "ends its SMTP sessions, with all others"),
        (sent(&quoted, logs), "what it sent: the queue IDs are before client="),
        ("postsuper -h QUEUE_ID".to_owned(), "holds what is still there; -d deletes it"),
        (format!("maillogsentinel why -- {quoted}"), "what is known of it"),
    ];
    lines.extend(commands.iter().flat_map(|(command, what)| step(command, what)));
    lines
}

/// Where what an account sent stands in the logs: the queue itself does not tell who logged in.
fn sent(account: &str, logs: &[MailLog]) -> String {
    let files = logs.iter().filter_map(|log| match log {
        MailLog::File(path) => Some(quoted(&for_terminal(path.as_os_str().as_bytes()))),
        _ => None,
    });
    let files: Vec<_> = files.collect();
    if files.is_empty() {
        return format!("journalctl --since=-7d | grep -i -F -e sasl_username={account}");
    }
    format!("grep -i -F -e sasl_username={account} {}", files.join(" "))
}

/// How Postfix is restarted here: where systemd runs it, `postfix start` would run beside its unit.
fn restart() -> &'static str {
    if programs::has_systemd() {
        "systemctl restart postfix"
    } else {
        "postfix stop && postfix start"
    }
}

/// A command with what it does after it, or before it if there is no room; the command itself stays
/// on one line, to be copied.
fn step(command: &str, what: &str) -> Vec<String> {
    let line = format!("  {command:<34} # {what}");
    if line.width() <= ROOM {
        return vec![line];
    }
    let what = text::lines(what, ROOM - 4);
    let mut lines: Vec<_> = what.iter().map(|line| format!("  # {line}")).collect();
    lines.push(format!("  {command}"));
    lines
}

/// Something to do for which there is no command.
fn said(what: &str) -> Vec<String> {
    text::lines(what, ROOM - 2).iter().map(|line| format!("  {line}")).collect()
}

/// What makes its password worthless, by where `doveconf -n` says that passwords are.
fn lock(settings: &str, account: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let drivers = settings.lines().map(str::trim).filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "driver" | "passdb_driver").then(|| value.trim().to_owned())
    });
    let drivers: Vec<_> = drivers.collect();
    let has = |driver: &str| drivers.iter().any(|it| it == driver);
    // Who has a domain is no user of the system.
    let is_virtual = account.contains('@');
    if (has("pam") || has("passwd") || has("shadow")) && !is_virtual {
        let command = format!("usermod --lock -- {account}");
        lines.extend(step(&command, "or give it a new password, with passwd"));
    }
    if has("passwd-file") {
        let file = settings.lines().map(str::trim).find_map(|line| {
            let value = line.split_once('=').map(|(_, value)| value.trim())?;
            value.split_whitespace().last().filter(|path| path.starts_with('/'))
        });
        let file = file.unwrap_or("the passwd-file");
        lines.extend(step("doveadm pw", &format!("what it prints goes into {file} for {account}")));
    }
    if has("sql") || has("ldap") || has("lua") {
        lines.extend(said("give it a new password in your directory or database"));
    }
    if lines.is_empty() {
        let what = format!("give {account} a new password where your mail server keeps them");
        lines.extend(said(&what));
    }
    lines
}

/// A text that is fit for a terminal as one word of a shell; what cannot be typed is left to the reader.
fn quoted(shown: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._+-/".contains(c);
    if !shown.is_empty() && shown.chars().all(is_plain) && !shown.starts_with('-') {
        return shown.to_owned();
    }
    format!("'{}'", shown.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_one_word_of_a_shell() {
        let word = quoted;
        assert_eq!(word("alice@example.org"), "alice@example.org");
        assert_eq!(word("a;rm -rf /"), "'a;rm -rf /'");
        assert_eq!(word("o'neil"), "'o'\\''neil'");
        assert_eq!(word("-x"), "'-x'");
        assert_eq!(word("$(id)`id`"), "'$(id)`id`'");
    }

    #[test]
    fn every_line_fits_and_a_command_is_whole() {
        let file = "passdb {\n  args = /etc/dovecot/users\n  driver = passwd-file\n}\n";
        for account in ["bob", "carol.van-den-heuvel@accounting.example.org"] {
            let lines = for_account(&account.into(), file, &[]);
            // A command with two names in it is wide, and still one line to be copied.
            let is_wide = |line: &&String| line.width() > ROOM && !line.contains("sasl_username");
            let wide: Vec<_> = lines.iter().filter(is_wide).collect();
            assert!(wide.is_empty(), "{wide:#?}");
            let why = format!("maillogsentinel why -- {account}");
            assert!(lines.iter().any(|line| line.contains(&why)), "{lines:#?}");
        }
    }

    #[test]
    fn the_lock_is_where_the_passwords_are() {
        let file = "passdb {\n  args = scheme=CRYPT username_format=%u /etc/dovecot/users\n  driver = passwd-file\n}\n";
        assert!(lock(file, "bob").iter().any(|line| line.contains("/etc/dovecot/users")));
        assert!(lock("passdb {\n  driver = pam\n}\n", "bob")[0].contains("usermod --lock -- bob"));
        assert!(lock("", "bob")[0].contains("new password"));
        let domain = lock("passdb {\n  driver = pam\n}\n", "bob@example.org");
        assert!(domain[0].contains("new password"), "{domain:?}");
    }
}
