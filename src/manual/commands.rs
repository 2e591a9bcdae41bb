//! The page maillogsentinel(8): options and commands as clap knows them, and what they do not tell.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::cli::args::Args;

/// What runs read and write if the configuration says nothing else.
const FILES: [(&str, &str); 6] = [
    ("/etc/maillogsentinel.conf", "The configuration, see maillogsentinel.conf(5)."),
    ("/var/log/mail.log", "The mail server's log, and its rotations beside it."),
    ("/var/log/maillogsentinel/maillogsentinel.csv", "A row for each failed login."),
    ("/var/log/maillogsentinel/maillogsentinel.log", "What runs did: the operational log."),
    ("/var/log/maillogsentinel/sql/", "Files of SQL."),
    (
        "/var/lib/maillogsentinel/",
        "The store (what is remembered between runs), the databases of countries and networks, and the \
         SQLite database.",
    ),
];

const STATUSES: [(&str, &str); 5] = [
    ("0", "Done."),
    (
        "1",
        "Something failed; standard error and the operational log say what. Of doctor: warnings. Of \
         findings: some are open.",
    ),
    ("2", "The command line makes no sense. Of doctor: errors."),
    ("75", "Another run is at work."),
    ("78", "The configuration is wrong; each mistake is listed with its line."),
];

const EXAMPLES: [(&str, &str); 7] = [
    ("Record what is new in the log:", "maillogsentinel"),
    (
        "See the report of a day without mailing it:",
        "maillogsentinel --report --date yesterday --output -",
    ),
    ("Find out what is wrong:", "maillogsentinel doctor -q"),
    (
        "See what a log holds, with no configuration and nothing written:",
        "maillogsentinel explain /var/log/mail.log",
    ),
    ("Country and network of an address:", "maillogsentinel ipinfo 192.0.2.1"),
    (
        "Make a log that can be shared:",
        "maillogsentinel anonymize -i /var/log/mail.log -o shared.log",
    ),
    ("Another value of a key, for this run:", "maillogsentinel --set dns.enabled=false"),
];

const SEE_ALSO: [(&str, &str); 5] = [
    ("maillogsentinel.conf", "5"),
    ("journalctl", "1"),
    ("postconf", "5"),
    ("systemd.timer", "5"),
    ("logrotate", "8"),
];

/// All options in one line would be nine lines.
const USAGE: &str = "maillogsentinel [OPTIONS] [ACTION [OPTIONS OF ACTIONS]]\n\
                     maillogsentinel [OPTIONS] COMMAND [OPTIONS OF COMMANDS]";

pub(super) fn page() -> io::Result<Vec<u8>> {
    let man = Man::new(Args::command().override_usage(USAGE));
    let mut roff = Roff::new();
    super::title(&mut roff, "MAILLOGSENTINEL", "8");
    let mut page = Vec::new();
    roff.to_writer(&mut page)?;
    page.extend(part(|out| man.render_name_section(out))?);
    page.extend(part(|out| man.render_synopsis_section(out))?);
    page.extend(part(|out| man.render_description_section(out))?);
    page.extend(part(|out| man.render_options_section(out))?);
    page.extend(commands()?);
    page.extend(rest().to_roff().into_bytes());
    Ok(page)
}

/// What `render` writes, without the two lines that stand at the start of the page already.
fn part(render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    render(&mut bytes)?;
    let preamble = |line: &&[u8]| line.starts_with(b".ie ") || line.starts_with(b".el ");
    Ok(bytes
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| !preamble(line))
        .collect::<Vec<_>>()
        .concat())
}

/// The commands: none has a page of its own, they are too few and too short.
fn commands() -> io::Result<Vec<u8>> {
    let args = Args::command();
    let mut page = b".SH COMMANDS\n".to_vec();
    for command in args.get_subcommands().filter(|command| !command.is_hide_set()) {
        page.extend(one(command, command.get_name())?);
        for action in command.get_subcommands() {
            page.extend(one(action, &format!("{} {}", command.get_name(), action.get_name()))?);
        }
    }
    Ok(page)
}

fn one(command: &Command, name: &str) -> io::Result<Vec<u8>> {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    // Options that all commands share stand above.
    let alone = command.clone().disable_help_flag(true).bin_name(format!("maillogsentinel {name}"));
    let man = Man::new(alone);
    let mut roff = Roff::new();
    roff.control("SS", [name]);
    let mut page = roff.to_roff().into_bytes();
    page.extend(body(&part(|out| man.render_synopsis_section(out))?));
    let mut roff = Roff::new();
    roff.control("PP", []).text([roman(format!("{about}."))]);
    if let Some(more) = command.get_after_help() {
        roff.control("PP", []).text([roman(more.to_string())]);
    }
    page.extend(roff.to_roff().into_bytes());
    page.extend(body(&part(|out| man.render_options_section(out))?));
    Ok(page)
}

/// A section without its heading.
fn body(section: &[u8]) -> Vec<u8> {
    let lines = section.split_inclusive(|&byte| byte == b'\n');
    lines.filter(|line| !line.starts_with(b".SH ")).collect::<Vec<_>>().concat()
}

fn rest() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["FILES"]);
    for (path, what) in FILES {
        roff.control("TP", []).text([italic(path)]).text([roman(what)]);
    }
    roff.control("SH", ["EXIT STATUS"]);
    for (status, what) in STATUSES {
        roff.control("TP", []).text([bold(status)]).text([roman(what)]);
    }
    roff.control("PP", []).text([roman(
        "SIGINT and SIGTERM end a run within a second, by that signal; the next run goes on from there.",
    )]);
    roff.control("SH", ["EXAMPLES"]);
    for (what, command) in EXAMPLES {
        roff.control("TP", []).text([roman(what)]).text([bold(command)]);
    }
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (at, (name, section)) in SEE_ALSO.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        line.extend([roman(comma), bold(name), roman(format!("({section})"))]);
    }
    roff.text(line);
    roff
}
