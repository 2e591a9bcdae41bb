//! What locks an account on this machine, as commands to copy.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;

use unicode_width::UnicodeWidthStr;

use super::dovecot::passdbs;
use super::table::WIDTH;
use crate::config::MailLog;
use crate::programs;
use crate::report::text;
use crate::untrusted::{Untrusted, for_terminal};

/// So wide a line may be: those who print it put two blanks before it.
const ROOM: usize = WIDTH - 2;
/// Where Dovecot finds the passwords of the system's users.
const OF_THE_SYSTEM: [&str; 3] = ["pam", "passwd", "shadow"];

/// Commands that lock `account` here, each with what it does; `settings` are what
/// `doveconf -n` says.
pub(super) fn for_account(account: &Untrusted, settings: &str, logs: &[MailLog]) -> Vec<String> {
    let mut lines = lock(settings, account);
    let quoted = quoted(&account.for_terminal());
    // What it is given is a pattern.
    if !quoted.contains(['*', '?']) {
        lines.extend(step(&format!("doveadm kick -- {quoted}"), "ends its IMAP and POP3 sessions"));
    }
    let commands = [
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

/// Something to do for which there is no command; whoever copies all of them to a shell copies it, too.
fn said(what: &str) -> Vec<String> {
    text::lines(what, ROOM - 4).iter().map(|line| format!("  # {line}")).collect()
}

/// What makes its password worthless, by where `doveconf -n` says that passwords are.
fn lock(settings: &str, account: &Untrusted) -> Vec<String> {
    let places = passdbs(settings);
    let has = |drivers: &[&str]| places.iter().any(|place| drivers.contains(&place.driver));
    let shown = account.for_terminal();
    let mut lines = Vec::new();
    // Who has a domain is no user of the system; Dovecot tells Postfix whom it took somebody for.
    if has(&OF_THE_SYSTEM) && !shown.contains('@') {
        let is_all = places.iter().all(|place| OF_THE_SYSTEM.contains(&place.driver));
        // A name that is in another place, too, may be one of the system's own by chance.
        let what = if is_all {
            "or give it a new password, with passwd"
        } else {
            "only if it is a user of this system who logs in here"
        };
        lines.extend(step(&format!("usermod --lock -- {}", quoted(&shown)), what));
    }
    let files = places.iter().filter(|place| place.driver == "passwd-file");
    let files: BTreeSet<_> = files.map(|it| it.file.unwrap_or("the passwd-file")).collect();
    for file in files {
        let what = format!("what it prints goes into {file} for {}", quoted(&shown));
        lines.extend(step("doveadm pw", &what));
    }
    if has(&["sql", "ldap", "lua"]) {
        lines.extend(said("give it a new password in your directory or database"));
    }
    if lines.is_empty() {
        let what =
            format!("give {} a new password where your mail server keeps them", quoted(&shown));
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
        let lock = |settings: &str, account: &str| lock(settings, &account.into()).join("\n");
        // As `doveconf -n` prints them: settings of the whole before and after, others' drivers beside.
        let file = "base_dir = /var/run/dovecot/\n\
                    passdb {\n  args = scheme=CRYPT username_format=%u /etc/dovecot/users\n  driver = passwd-file\n}\n\
                    passdb {\n  args = /etc/dovecot/masters\n  driver = passwd-file\n  master = yes\n}\n\
                    ssl_client_ca_dir = /etc/ssl/certs\n\
                    userdb {\n  driver = passwd\n}\n";
        assert_eq!(
            lock(file, "bob"),
            "  # what it prints goes into /etc/dovecot/users for bob\n  doveadm pw"
        );
        let file = "passdb passwd-file {\n  passwd_file_path = /etc/dovecot/passwd\n  fields {\n    a = /b\n  }\n}\n";
        assert!(lock(file, "bob").contains("goes into /etc/dovecot/passwd for bob"));

        let system = "passdb {\n  driver = pam\n}\n";
        assert!(lock(system, "bob").starts_with("  usermod --lock -- bob "));
        assert!(lock("passdb pam {\n}\n", "bob").starts_with("  usermod --lock -- bob "));
        assert!(lock(system, "bob@example.org").contains("new password"));
        // Both places may have a `root`, and only one is meant.
        let both = format!(
            "{system}{}",
            "passdb any {\n  driver = passwd-file\n  passwd_file_path = /a\n}\n".repeat(2)
        );
        assert!(lock(&both, "root").starts_with("  # only if it is a user of this system"));
        assert_eq!(lock(&both, "root").matches("doveadm pw").count(), 1);
        let refused = "protocol imap {\n  passdb {\n    args = /no\n    deny = yes\n    driver = passwd-file\n  }\n}\n";
        assert!(!lock(refused, "bob").contains("/no"));

        assert!(
            lock("passdb {\n  args = /etc/dovecot/sql.conf\n  driver = sql\n}\n", "bob")
                .contains("database")
        );
        assert!(lock("", "bob").contains("new password"));
    }
}
