//! What a configuration value may be, and what it is then.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::report::address::Address;

/// What values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that is never shown; what it is, in words.
    Secret(&'static str),
    /// A path.
    Path,
    /// A path, or nothing.
    OptionalPath,
    /// A file name without folders.
    FileName,
    /// Paths, comma separated.
    Paths,
    /// The same, or nothing.
    OptionalPaths,
    /// Files, `-` or `journal`.
    MailLogs,
    /// An e-mail address, or nothing.
    Address,
    /// E-mail addresses, comma separated, or nothing.
    Addresses,
    /// URLs, comma separated, or nothing.
    Urls,
    /// Yes or no.
    Bool,
    /// A whole number.
    Number {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A whole number, or nothing.
    OptionalNumber {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// `postfix`, or `postfix, dovecot`.
    Services,
    /// CIDRs, comma separated.
    Networks,
    /// `ip` or `ip:port`, comma separated.
    NameServers,
    /// Hosts with or without ports, or paths of sockets, comma separated.
    DatabaseHosts,
    /// `table` or `schema.table`.
    TableName,
}

/// A value that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, a word, an address.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// A path, if there is one.
    Path(Option<PathBuf>),
    /// Yes or no.
    Bool(bool),
    /// A number, if there is one.
    Number(Option<u64>),
    /// Networks.
    Networks(Vec<IpNet>),
    /// Servers, with their ports.
    NameServers(Vec<SocketAddr>),
}

impl Kind {
    /// What values it takes, for manuals; goes on from "takes".
    pub fn in_words(self) -> String {
        match self {
            Self::Text => "any text".to_owned(),
            Self::Secret(what) => what.to_owned(),
            Self::Path => "a path".to_owned(),
            Self::OptionalPath => "a path, or nothing".to_owned(),
            Self::FileName => "a file name without folders".to_owned(),
            Self::Paths => "paths, comma separated".to_owned(),
            Self::OptionalPaths => "paths, comma separated, or nothing".to_owned(),
            Self::MailLogs => "files, comma separated, or -, or journal alone".to_owned(),
            Self::Address => "an e-mail address, or nothing".to_owned(),
            Self::Addresses => "e-mail addresses, comma separated, or nothing".to_owned(),
            Self::Urls => "URLs, comma separated, or nothing".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Number { least, most: u64::MAX } => format!("a number, {least} or more"),
            Self::Number { least, most } => format!("a number from {least} to {most}"),
            Self::OptionalNumber { least, most } => {
                format!("a number from {least} to {most}, or nothing")
            }
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Services => "postfix, dovecot, or both, comma separated".to_owned(),
            Self::Networks => {
                "networks such as 192.0.2.0/24 or 2001:db8::/32, comma separated".to_owned()
            }
            Self::NameServers => {
                "addresses such as 192.0.2.53 or [2001:db8::53]:53, comma separated, or nothing"
                    .to_owned()
            }
            Self::DatabaseHosts => {
                "hosts, with or without a port, or folders of sockets, comma separated".to_owned()
            }
            Self::TableName => "a name, or a schema and a name, such as public.events".to_owned(),
        }
    }

    /// Checks `text`; if it is wrong, says what is allowed.
    pub fn check(self, text: &str) -> Result<Value, String> {
        let texts = || list(text).map(str::to_owned).collect::<Vec<_>>();
        Ok(match self {
            Self::Text | Self::Secret(_) => Value::Text(text.to_owned()),
            Self::Path if text.is_empty() => return Err("a path".into()),
            Self::Path | Self::OptionalPath => {
                Value::Path(Some(text).filter(|text| !text.is_empty()).map(PathBuf::from))
            }
            Self::FileName if text.is_empty() || text.contains('/') || text.starts_with("..") => {
                return Err("a file name without folders, such as maillogsentinel.csv".into());
            }
            Self::FileName => Value::Text(text.to_owned()),
            Self::Paths if texts().is_empty() => return Err("paths, comma separated".into()),
            Self::Paths | Self::OptionalPaths => Value::Texts(texts()),
            Self::MailLogs => Value::Texts(mail_logs(texts())?),
            Self::Address | Self::Addresses => Value::Texts(addresses(texts(), self)?),
            Self::Urls => Value::Texts(urls(texts())?),
            Self::Bool => Value::Bool(boolean(text)?),
            Self::OptionalNumber { .. } if text.is_empty() => Value::Number(None),
            Self::Number { least, most } | Self::OptionalNumber { least, most } => {
                Value::Number(Some(number(text, least, most)?))
            }
            Self::OneOf(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                let allowed = || format!("one of {}", words.join(", "));
                Value::Text((*word.ok_or_else(allowed)?).to_owned())
            }
            Self::DatabaseHosts => {
                for part in list(text) {
                    super::database::place(part)?;
                }
                Value::Texts(texts())
            }
            Self::TableName => Value::Text(table_name(text)?),
            Self::Services => Value::Texts(services(texts())?),
            Self::Networks => {
                let network = |text: &String| {
                    let host = text.parse::<IpAddr>().map(IpNet::from);
                    text.parse::<IpNet>().or(host)
                };
                let networks: Result<_, _> = texts().iter().map(network).collect();
                let allowed = "networks such as 192.0.2.0/24 or 2001:db8::/32, comma separated";
                Value::Networks(networks.map_err(|_| allowed)?)
            }
            Self::NameServers => {
                let server = |text: &String| {
                    text.parse().or_else(|_| text.parse().map(|ip: IpAddr| (ip, 53).into()))
                };
                let servers: Result<_, _> = texts().iter().map(server).collect();
                let allowed = "addresses such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53, comma separated";
                Value::NameServers(servers.map_err(|_| allowed)?)
            }
        })
    }
}

/// The parts of a comma-separated list; a list may go over several lines.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

fn mail_logs(texts: Vec<String>) -> Result<Vec<String>, String> {
    let alone = |word: &str| texts.iter().any(|text| text == word) && texts.len() > 1;
    if texts.is_empty() || alone("journal") {
        return Err("files, comma separated, or `-`, or `journal` alone".into());
    }
    Ok(texts)
}

/// An address that can stand in a mail header as it is; the mail server judges the rest.
fn addresses(texts: Vec<String>, kind: Kind) -> Result<Vec<String>, String> {
    // A local account, such as root, needs no domain.
    let plausible = |text: &str| Address::parse(text, "localhost").is_some();
    match kind {
        Kind::Address if texts.len() > 1 || !texts.iter().all(|t| plausible(t)) => {
            Err("an e-mail address such as postmaster@example.org, in ASCII".into())
        }
        _ if !texts.iter().all(|t| plausible(t)) => {
            Err("e-mail addresses such as postmaster@example.org, in ASCII, comma separated".into())
        }
        _ => Ok(texts),
    }
}

fn urls(texts: Vec<String>) -> Result<Vec<String>, String> {
    let known = |url: &String| ["https://", "http://"].iter().any(|s| url.starts_with(s));
    if texts.iter().all(known) {
        Ok(texts)
    } else {
        Err("URLs that start with https:// (or http://), comma separated".into())
    }
}

/// As Python's `getboolean`.
fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => Err("true or false".into()),
    }
}

/// As Python's `int`: underscores between digits and a plus sign are fine.
fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let digits = text.strip_prefix('+').unwrap_or(text).replace('_', "");
    let in_range = |n: &u64| (least..=most).contains(n);
    digits.parse().ok().filter(in_range).ok_or_else(|| {
        if most == u64::MAX {
            format!("a whole number, {least} or more")
        } else {
            format!("a whole number from {least} to {most}")
        }
    })
}

/// Two parts at most, each as long as every engine takes; it is quoted wherever it is used.
fn table_name(text: &str) -> Result<String, String> {
    let part = |part: &str| (1..=63).contains(&part.len()) && !part.contains(char::is_control);
    let first = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
    // Tables there are gone with the connection.
    let is_temporary = text.contains('.') && (first == "temp" || first.starts_with("pg_temp"));
    if is_temporary {
        Err("a table that stays: not one of `temp`".into())
    } else if text.split('.').all(part) && text.split('.').count() <= 2 {
        Ok(text.to_owned())
    } else {
        Err("a name such as maillogsentinel_events or public.maillogsentinel_events".into())
    }
}

fn services(texts: Vec<String>) -> Result<Vec<String>, String> {
    let known = texts.iter().all(|text| matches!(text.as_str(), "postfix" | "dovecot"));
    if known && !texts.is_empty() {
        Ok(texts)
    } else {
        Err("postfix, dovecot, or both, comma separated".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_python_takes_are_taken() {
        for (kind, text) in [
            (Kind::Bool, "Yes"),
            (Kind::Bool, "off"),
            (Kind::Number { least: 0, most: u64::MAX }, "1_000_000"),
            (Kind::OneOf(&["DEBUG", "INFO"]), "info"),
            (Kind::Addresses, "a@example.org, b@[192.0.2.1], root"),
            (Kind::Address, ""),
            (Kind::Networks, "192.0.2.0/24, 2001:db8::1"),
            (Kind::NameServers, "192.0.2.53:5353, 2001:db8::53, [2001:db8::53]:53"),
            (Kind::MailLogs, "/var/log/mail.log, /var/log/mail2.log"),
            (Kind::DatabaseHosts, "db1, db2:5433, /run/mysqld"),
            (Kind::TableName, "public.events"),
        ] {
            assert!(kind.check(text).is_ok(), "{kind:?} {text}");
        }
    }

    #[test]
    fn wrong_values_say_what_is_allowed() {
        for (kind, text) in [
            (Kind::Bool, "maybe"),
            (Kind::Number { least: 1, most: 65535 }, "0"),
            (Kind::Number { least: 0, most: u64::MAX }, "-1"),
            (Kind::OneOf(&["none", "tls"]), "ssl"),
            (Kind::Addresses, "a b@example.org"),
            (Kind::Addresses, "a@größe.example"),
            (Kind::Address, "a@[x\r\nBcc: y]"),
            (Kind::Addresses, "a@example.org\nBcc: x@example.org"),
            (Kind::Address, "a@example.org, b@example.org"),
            (Kind::Networks, "192.0.2.0/33"),
            (Kind::NameServers, "dns.example.org"),
            (Kind::MailLogs, "journal, /var/log/mail.log"),
            (Kind::MailLogs, ""),
            (Kind::Services, "postfix, exim"),
            (Kind::FileName, "../x.csv"),
            (Kind::Urls, "gopher://x"),
            (Kind::DatabaseHosts, "db1, db2:port"),
            (Kind::TableName, "a.b.c"),
            (Kind::TableName, "a..b"),
        ] {
            assert!(!kind.check(text).unwrap_err().is_empty(), "{kind:?} {text}");
        }
    }
}
