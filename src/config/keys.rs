//! The one table of configuration keys: what drives reading, hints and the sample file.

use super::value::Kind;

/// A key of the configuration file.
#[derive(Debug)]
pub struct Key {
    /// Its section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Names it had before, as (section, name); they are read too.
    pub older: &'static [(&'static str, &'static str)],
    /// What values it takes.
    pub kind: Kind,
    /// Its value when it is not set, as written in a file.
    pub default: &'static str,
    /// What it is for, in a sentence.
    pub help: &'static str,
}

macro_rules! keys {
    ($($section:literal { $($name:literal $(= $osection:literal . $oname:literal)* : $kind:expr, $default:literal, $help:literal;)* })*) => {
        &[$($(Key {
            section: $section,
            name: $name,
            older: &[$(($osection, $oname)),*],
            kind: $kind,
            default: $default,
            help: $help,
        }),*),*]
    };
}

/// Every key, in the order of the sample file. Sections that old installations have come last.
pub const KEYS: &[Key] = keys! {
    "paths" {
        "working_dir": Kind::Path, "/var/log/maillogsentinel", "Where the CSV is.";
        "state_dir": Kind::Path, "/var/lib/maillogsentinel", "Where the store is; relative means under working_dir.";
        "mail_log": Kind::MailLogs, "/var/log/mail.log", "The mail server's log: files, comma separated; `-` for standard input; `journal` for that of systemd.";
        "csv_filename": Kind::FileName, "maillogsentinel.csv", "The CSV's name in working_dir.";
    }
    "report" {
        "email": Kind::Addresses, "", "Who gets the daily report, comma separated.";
        "subject_prefix" = "report"."report_subject_prefix": Kind::Text, "[MailLogSentinel]", "What its subject starts with.";
        "sender_override" = "report"."report_sender_override": Kind::Address, "", "Its sender; empty means user@fqdn.";
        "html": Kind::Bool, "true", "Whether it has an HTML part.";
        "after_extraction": Kind::Bool, "false", "Whether every plain run that found something mails a summary.";
        "attach_csv": Kind::OneOf(&["full", "today", "none"]), "full", "Which rows of the CSV are attached.";
        "attach_max_bytes": Kind::Number { least: 0, most: u64::MAX }, "5242880", "Past this size only the reported day's rows are attached.";
        "smtp_host": Kind::Text, "localhost", "The server that takes the report.";
        "smtp_port": Kind::Number { least: 1, most: 65535 }, "25", "Its port.";
        "smtp_security": Kind::OneOf(&["none", "starttls", "tls"]), "none", "How the connection to it is encrypted.";
        "smtp_user": Kind::Text, "", "The user to log in there as, if any.";
        "smtp_password": Kind::Secret("any text"), "", "The password; better in smtp_password_file.";
        "smtp_password_file": Kind::OptionalPath, "", "A file that holds the password; without one, systemd's credential `smtp_password` is used if there is one.";
    }
    "geolocation" {
        "country_db_path": Kind::Paths, "/var/lib/maillogsentinel/country_aside.csv", "Country databases, comma separated (IPv4 and IPv6).";
        "country_db_url": Kind::Urls, "", "Where they come from: one for each, or several to be joined in one; empty means this version's default.";
    }
    "ASN_ASO" {
        "asn_db_path": Kind::Paths, "/var/lib/maillogsentinel/asn.csv", "Network databases, comma separated (IPv4 and IPv6).";
        "asn_db_url": Kind::Urls, "", "Where they come from: one for each, or several to be joined in one; empty means this version's default.";
    }
    "general" {
        "log_level": Kind::OneOf(&["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]), "INFO", "How much the operational log tells.";
        "log_file": Kind::OptionalPath, "/var/log/maillogsentinel/maillogsentinel.log", "The operational log; empty means none.";
        "log_file_max_bytes": Kind::Number { least: 0, most: u64::MAX }, "1000000", "Its size before it is rotated; 0 means never.";
        "log_file_backup_count": Kind::Number { least: 0, most: 1000 }, "5", "How many rotated ones are kept.";
    }
    "dns_cache" {
        "enabled": Kind::Bool, "true", "Whether look-ups are remembered between runs.";
        "size": Kind::Number { least: 0, most: 100_000_000 }, "128", "How many at least.";
        "ttl_seconds": Kind::Number { least: 0, most: 31_536_000 }, "3600", "For how long.";
    }
    "dns" {
        "enabled": Kind::Bool, "true", "Whether names are looked up at all.";
        "nameservers": Kind::NameServers, "", "Which servers are asked, as ip or ip:port, comma separated; empty means the system's.";
        "timeout_ms": Kind::Number { least: 1, most: 60_000 }, "2000", "How long one answer may take.";
        "concurrency": Kind::Number { least: 1, most: 1000 }, "64", "How many are asked for at once.";
        "budget_seconds": Kind::Number { least: 0, most: 86_400 }, "30", "How long a run may wait for all answers together; the rest is recorded as not answered in time.";
    }
    "detect" {
        "services": Kind::Services, "postfix", "Whose logins count. Of Dovecot: IMAP, POP3, ManageSieve and submission.";
        "ignore_networks": Kind::Networks, "", "Networks that are never recorded, as CIDR, comma separated.";
    }
    "alert" {
        "mail": Kind::Bool, "true", "Whether those who get the report are mailed at once when an account is probably stolen.";
        "webhook": Kind::Secret("a URL that starts with https:// or http://, or nothing"), "", "A URL that gets it by HTTP, without this mail server; better in webhook_file.";
        "webhook_file": Kind::OptionalPath, "", "A file that holds the URL; without one, systemd's credential `webhook` is used if there is one.";
        "webhook_shape": Kind::OneOf(&["json", "slack", "ntfy", "gotify", "matrix"]), "json", "What the webhook takes.";
        "command": Kind::Text, "", "A program, with its arguments, that gets it as JSON on its standard input.";
    }
    "retention" {
        "keep_events": Kind::Number { least: 0, most: 36_500 }, "0", "For how many days failures and logins are kept in the store, all but the newest; 0 means for good. Each report sees to it, else the first run of a day, also `--follow`. A finding stays until as many days after it was closed; a low one that nobody closed goes too. The CSV is yours.";
        "pseudonymise_after": Kind::Number { least: 0, most: 36_500 }, "0", "After how many days addresses become their networks in the store, and names a keyed hash; 0 means never. A finding that is not low keeps the account's name until as many days after it was closed.";
    }
    "accounts" {
        "lists": Kind::OptionalPaths, "", "Files that list the accounts there are, comma separated: passwd-files, Postfix maps or plain lists; the name stands first on each line. Empty means that `doveadm user` is asked, which by default answers root only.";
    }
    "judge" {
        "campaign_sources": Kind::Number { least: 2, most: 1_000_000 }, "5", "From so many sources on, attacks that belong together are shown as a campaign, or";
        "campaign_failures": Kind::Number { least: 2, most: 1_000_000 }, "10", "from so many failed logins on.";
        "own_days": Kind::Number { least: 1, most: 3650 }, "60", "For so many days after a login, failures from the same network are taken for the user's own.";
        "many_messages": Kind::Number { least: 1, most: 1_000_000 }, "50", "From so many messages a day on, from a network that is new to an account, they are a sign that it is stolen, if it is three times its most.";
        "many_networks": Kind::Number { least: 2, most: 1000 }, "4", "From so many networks within a day on that an account never came from, they are a sign that it is stolen.";
    }
    "database" {
        "sql_export_dir": Kind::OptionalPath, "", "Where SQL files go; empty means sql under working_dir.";
        "db_type": Kind::OneOf(&["sqlite", "postgresql", "mysql"]), "sqlite", "The database they are for.";
        "db_path" = "sqlite_database"."db_path": Kind::Path, "/var/lib/maillogsentinel/maillogsentinel.sqlite", "The SQLite database.";
        "db_host": Kind::DatabaseHosts, "localhost", "The server, with :port if it has one of its own; several, comma separated, are tried in turn; a path is a Unix socket's folder.";
        "db_port": Kind::OptionalNumber { least: 1, most: 65535 }, "", "Its port; empty means the usual one.";
        "db_name": Kind::Text, "", "The database's name.";
        "db_user": Kind::Text, "", "The user to log in there as; empty means the one that this runs as.";
        "db_password": Kind::Secret("any text"), "", "The password; better in db_password_file.";
        "db_password_file": Kind::OptionalPath, "", "A file that holds the password; without one, systemd's credential `db_password` is used if there is one.";
        "db_tls": Kind::OneOf(&["disable", "prefer", "require", "verify-full"]), "prefer", "How the connection is encrypted; only verify-full looks at the server's certificate.";
        "table_name" = "sql_export_settings"."table_name": Kind::TableName, "maillogsentinel_events", "The table.";
    }
    "journal" {
        "directory": Kind::OptionalPath, "", "A folder of journal files; empty means the system journal.";
    }
    "sql_export_settings" {
        "column_mapping_file": Kind::OptionalPath, "", "The Python program's mapping of columns (JSON).";
    }
    "sql_export_systemd" {
        "frequency": Kind::Text, "", "Read by --setup: when SQL files are exported.";
    }
    "sql_import_systemd" {
        "frequency": Kind::Text, "", "Read by --setup: when SQL files are imported.";
    }
    "User" {
        "run_as_user": Kind::Text, "", "The user the services run as, and whom a run started by root becomes; empty means maillogsentinel, if there is that account.";
    }
    "systemd" {
        "extraction_schedule": Kind::Text, "", "Read by --setup: when the log is read.";
        "report_schedule": Kind::Text, "", "Read by --setup: when the report is mailed.";
        "ip_update_schedule": Kind::Text, "", "Read by --setup: when the databases are updated.";
    }
    "sqlite_database" {
        "db_type": Kind::Text, "", "Of the Python program; not used.";
        "user": Kind::Text, "", "Of the Python program; not used.";
        "password_hash": Kind::Secret("any text"), "", "Of the Python program; not used.";
        "salt": Kind::Secret("any text"), "", "Of the Python program; not used.";
    }
};

/// The first section that new configurations do not have.
pub(super) const FIRST_OLDER_SECTION: &str = "sql_export_settings";
