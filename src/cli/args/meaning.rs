//! The command line of what tells what was judged.

use std::ffi::OsString;

use clap::{Args as ClapArgs, Subcommand};

/// Options of `findings`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Exit status: 0 nothing is open, 1 something is, or it failed.")]
pub struct Findings {
    /// Only one of them, open or not
    #[arg(value_name = "ID", value_parser = number)]
    pub id: Option<i64>,
    /// Show those too that were closed, and low ones of more than two weeks ago
    #[arg(long)]
    pub all: bool,
    /// Print JSON: an array of objects with `finding`, `severity`, `account`, `since` and `evidence`
    #[arg(long)]
    pub json: bool,
    /// What to do with them
    #[command(subcommand)]
    pub action: Option<FindingsAction>,
}

/// What to do with findings.
#[derive(Debug, Subcommand)]
pub enum FindingsAction {
    /// Say what it was: it is open no more
    Ack(Ack),
}

/// Options of `findings ack`.
#[derive(Debug, ClapArgs)]
pub struct Ack {
    /// The numbers of the findings
    #[arg(value_name = "ID", required = true, value_parser = number)]
    pub ids: Vec<i64>,
    /// It was a thief, who is seen to: who comes from there again is told at once (so it is of high ones)
    #[arg(long, conflicts_with = "user")]
    pub theft: bool,
    /// It was its user: the same from there is not told again (so it is of medium and low ones)
    #[arg(long)]
    pub user: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// Options of `campaigns`.
#[derive(Debug, ClapArgs)]
pub struct Campaigns {
    /// All of one campaign
    #[arg(value_name = "ID", value_parser = number)]
    pub id: Option<i64>,
    /// Show those too that were not seen for 30 days
    #[arg(long)]
    pub all: bool,
    /// Print JSON: an array of objects, or one with its `names` and `networks`
    #[arg(long)]
    pub json: bool,
}

/// Options of `account`.
#[derive(Debug, ClapArgs)]
pub struct Account {
    /// The account; `user` and `user@domain` are looked up together
    #[arg(value_name = "NAME")]
    pub name: OsString,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `accounts`.
#[derive(Debug, ClapArgs)]
pub struct Accounts {
    /// Those that were attacked within 30 days; without options, too
    #[arg(long)]
    pub attacked: bool,
    /// Only those that are known to exist
    #[arg(long)]
    pub existing: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `allow`.
#[derive(Debug, ClapArgs)]
pub struct Allow {
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
    /// What to do with the list
    #[command(subcommand)]
    pub action: Option<AllowAction>,
}

/// What to do with the list.
#[derive(Debug, Subcommand)]
pub enum AllowAction {
    /// Put something on it: its failures are no attacks, and its logins no sign of theft
    Add(AllowAdd),
    /// Take something off it
    Remove(AllowRemove),
}

/// Options of `allow add`.
#[derive(Debug, ClapArgs)]
pub struct AllowAdd {
    /// An address, a network as CIDR, or an account
    #[arg(value_name = "ADDRESS|NETWORK|ACCOUNT")]
    pub what: String,
    /// The day on which it ends; without one, it holds for good
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub until: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// Options of `allow remove`.
#[derive(Debug, ClapArgs)]
pub struct AllowRemove {
    /// What to take off, as the list shows it
    #[arg(value_name = "ADDRESS|NETWORK|ACCOUNT")]
    pub what: String,
}

/// Options of `why`.
#[derive(Debug, ClapArgs)]
pub struct Why {
    /// What to tell the evidence of
    #[arg(value_name = "ADDRESS|NETWORK|ACCOUNT")]
    pub what: OsString,
}

/// A number as it is shown: `7` or `#7`.
fn number(text: &str) -> Result<i64, &'static str> {
    text.strip_prefix('#').unwrap_or(text).parse().map_err(|_| "a number is wanted, as 7")
}
