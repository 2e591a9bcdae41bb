//! The command line.

mod meaning;

use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::anonymize::Kind;

pub use meaning::{
    Account, Accounts, Ack, Allow, AllowAction, AllowAdd, AllowRemove, Campaigns, Findings,
    FindingsAction, Why,
};

/// Finds every failed login in a mail server's log and records it, once.
///
/// Without an action or a command: reads what is new in the mail log and appends each failed
/// login to the CSV.
#[derive(Debug, Parser)]
#[command(
    name = "maillogsentinel",
    disable_version_flag = true,
    max_term_width = 100,
    after_help = "Exit status: 0 done, 1 failed, 2 bad command line, 75 another run is at work, \
                  78 bad configuration; of doctor: 0, 1 warnings, 2 errors."
)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the command line")]
pub struct Args {
    /// The configuration file [default: /etc/maillogsentinel.conf, then
    /// /etc/maillogsentinel/maillogsentinel.conf]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set a key of the configuration, on top of the file; may be given several times
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,

    /// Record failed logins as they are logged, and print them; until it is ended
    #[arg(long, group = "action", help_heading = "Actions")]
    pub follow: bool,

    /// Read what is new, then make the daily report and mail it
    #[arg(long, group = "action", help_heading = "Actions")]
    pub report: bool,

    /// Archive CSV, state and operational log, and start over with the next run
    #[arg(long, group = "action", help_heading = "Actions")]
    pub reset: bool,

    /// The same with exported SQL, the SQLite database and caches
    #[arg(long, group = "action", help_heading = "Actions")]
    pub purge: bool,

    /// Write new rows of the CSV as a file of SQL
    #[arg(long, group = "action", help_heading = "Actions")]
    pub sql_export: bool,

    /// Load new files of SQL into the database
    #[arg(long, group = "action", help_heading = "Actions")]
    pub sql_import: bool,

    /// Install on this machine: account, folders, configuration, services, man pages; asks first
    #[arg(long, group = "action", help_heading = "Actions")]
    pub setup: bool,

    /// With --follow: print each failed login as a line of JSON, in the terms of Elastic Common Schema
    #[arg(long, help_heading = "Options of actions")]
    pub json: bool,

    /// With --report: the day it is about
    #[arg(long, value_name = "YYYY-MM-DD|today|yesterday", help_heading = "Options of actions")]
    pub date: Option<String>,

    /// With --report: write it there instead of mailing it; the ending tells the form
    #[arg(long, value_name = "-|FILE[.txt|.html|.eml|.json]", help_heading = "Options of actions")]
    pub output: Option<PathBuf>,

    /// With --report: from where; the database has the failures of all servers, and nothing is read from
    /// the log then
    #[arg(
        long,
        value_name = "store|database",
        hide_possible_values = true,
        help_heading = "Options of actions"
    )]
    pub source: Option<Source>,

    /// With --source database: of this server only
    #[arg(long, value_name = "NAME", help_heading = "Options of actions")]
    pub server: Option<String>,

    /// With --sql-export: export all rows of the CSV again
    #[arg(long, help_heading = "Options of actions")]
    pub all: bool,

    /// With --setup: ask
    #[arg(long, conflicts_with = "automated", help_heading = "Options of actions")]
    pub interactive: bool,

    /// With --setup: ask nothing, take all from --config
    #[arg(long, help_heading = "Options of actions")]
    pub automated: bool,

    /// With --setup: install under this folder and touch nothing outside it
    #[arg(long, value_name = "DIR", help_heading = "Options of actions")]
    pub root: Option<PathBuf>,

    /// With --setup: take the installation away again; what was recorded stays
    #[arg(long, help_heading = "Options of actions")]
    pub uninstall: bool,

    /// With --uninstall: delete the configuration and all that was recorded as well
    #[arg(long, help_heading = "Options of actions")]
    pub purge_data: bool,

    /// With --reset and --purge: the folder in which the archive is made [default: your home]
    #[arg(long, value_name = "DIR", help_heading = "Options of actions")]
    pub backup_dir: Option<PathBuf>,

    /// With --reset and --purge: do not ask
    #[arg(long, help_heading = "Options of actions")]
    pub yes: bool,

    /// Print the version; with -v also what it is made with and whose data it uses
    #[arg(short = 'V', long)]
    pub version: bool,

    /// Tell in detail what is being done
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Tell only what is wrong
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub quiet: u8,

    /// Show no progress bar
    #[arg(long, global = true)]
    pub no_progress: bool,

    /// When to use colours: always, never, or auto: on terminals, unless `NO_COLOR` is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub color: Color,

    /// What else can be done
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the figures of a report come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// This machine's log
    Store,
    /// The database that the configuration names
    Database,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Color {
    /// On terminals, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes it hold for all output.
    pub fn write_global(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say for every line of a log what it was taken for, and why
    Explain(Explain),
    /// Look addresses up in the local databases, or refresh those
    Ipinfo(IpInfo),
    /// Redact a mail log, so that it can be shared
    Anonymize(Anonymize),
    /// Check everything, and say what is wrong and how to mend it
    Doctor(Doctor),
    /// Tell which accounts may be stolen, why, and what to do; exit status 1 if there are any
    Findings(Findings),
    /// Tell who attacks, how, and whether it goes on
    Campaigns(Campaigns),
    /// Tell all that is known of an account
    Account(Account),
    /// Tell which accounts are attacked
    Accounts(Accounts),
    /// Vouch for networks and accounts, for a while or for good; without an action, show the list
    Allow(Allow),
    /// Tell why an address, a network or an account was taken for what it was
    Why(Why),
    /// Write man pages and completions below a folder, as packages need them
    #[command(hide = true)]
    Manual(Manual),
}

/// Options of `manual`.
#[derive(Debug, ClapArgs)]
pub struct Manual {
    /// The folder that they go below, such as `/usr/local`
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Options of `explain`.
#[derive(Debug, ClapArgs)]
pub struct Explain {
    /// Files, `-` for standard input, or a log line itself, in quotes
    #[arg(value_name = "FILE|-|LINE")]
    pub what: Vec<String>,

    /// Show only lines that look like logins but matched no rule
    #[arg(long)]
    pub missed: bool,

    /// List every rule with an example
    #[arg(long, conflicts_with_all = ["what", "missed"])]
    pub rules: bool,
}

/// Options of `ipinfo`.
#[derive(Debug, ClapArgs)]
pub struct IpInfo {
    /// Addresses, IPv4 or IPv6; `-` for standard input, one on each line
    #[arg(value_name = "IP|-")]
    pub ip: Vec<String>,
    /// Download the databases that changed, and check them before they replace the old ones
    #[arg(long, conflicts_with_all = ["ip", "json"])]
    pub update: bool,
    /// Print JSON: an object with `addresses` and `databases`
    #[arg(long)]
    pub json: bool,
}

/// Options of `doctor`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Exit status: 0 nothing is wrong, 1 warnings, 2 errors. Nothing is changed; with -q \
                        only what is wrong is told. As root, it checks as the user whose runs they are."
)]
pub struct Doctor {
    /// Send a test message to those who get the report, and a test alert by each other way
    #[arg(long)]
    pub send_test: bool,
    /// Print JSON: an array of objects with `level` (ok, unknown, warning, error), `about`, `what`
    /// and `cure`
    #[arg(long)]
    pub json: bool,
    /// Become the user of the runs, and print a finding on each line
    #[arg(long, hide = true)]
    pub as_service_user: bool,
}

/// Options of `anonymize`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Kinds: addresses, hosts (and domains), users, message-ids, queue-ids, \
                        tokens (session ids and other codes), texts (words that are not known). \
                        A key file is made by: (umask 077; openssl rand -base64 32 > FILE)")]
pub struct Anonymize {
    /// The log, plain or compressed; `-` is standard input, as is no FILE
    #[arg(short, long, value_name = "FILE|-")]
    pub input: Option<PathBuf>,
    /// Where to; `-` is standard output, as is no FILE
    #[arg(short, long, value_name = "FILE|-")]
    pub output: Option<PathBuf>,
    /// Replace only these kinds, separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub only: Vec<Kind>,
    /// Replace all but these kinds, separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind, conflicts_with = "only")]
    pub keep: Vec<Kind>,
    /// Make placeholders with the secret in FILE, so that other runs with it give the same
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::name).join(", ");
        format!("kinds are {known}")
    })
}

impl Args {
    /// An option that stands without the action it belongs to, or a command beside an action.
    pub fn misfit(&self) -> Option<String> {
        let actions = [
            self.follow,
            self.report,
            self.reset,
            self.purge,
            self.sql_export,
            self.sql_import,
            self.setup,
        ];
        let archives = self.reset || self.purge;
        let without = |given: bool, action: bool, option: &str, needs: &str| {
            (given && !action).then(|| format!("{option} goes with {needs}"))
        };
        [
            without(self.json, self.follow, "--json", "--follow"),
            without(self.date.is_some(), self.report, "--date", "--report"),
            without(self.output.is_some(), self.report, "--output", "--report"),
            without(self.source.is_some(), self.report, "--source", "--report"),
            without(
                self.server.is_some(),
                self.source == Some(Source::Database),
                "--server",
                "--source database",
            ),
            without(self.all, self.sql_export, "--all", "--sql-export"),
            without(self.interactive, self.setup, "--interactive", "--setup"),
            without(self.automated, self.setup, "--automated", "--setup"),
            without(self.root.is_some(), self.setup, "--root", "--setup"),
            without(self.uninstall, self.setup, "--uninstall", "--setup"),
            without(self.purge_data, self.uninstall, "--purge-data", "--uninstall"),
            without(self.backup_dir.is_some(), archives, "--backup-dir", "--reset or --purge"),
            without(self.yes, archives, "--yes", "--reset or --purge"),
            (self.command.is_some() && actions.contains(&true))
                .then(|| "a command and an action exclude each other".to_owned()),
        ]
        .into_iter()
        .flatten()
        .next()
    }
}
