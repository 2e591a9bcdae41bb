//! `ipinfo`: what the local databases say of addresses, and how old they are.

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use anstyle::Style;
use jiff::Timestamp;
use serde::Serialize;

use super::args;
use crate::config::Config;
use crate::enrich::geo::update::without_secrets;
use crate::enrich::geo::update::{DEFAULT_COUNTRY_URLS, DEFAULT_NETWORK_URLS, came_from};
use crate::enrich::geo::{About, Databases, Format, Kind};
use crate::enrich::scope::special;
use crate::exit::Status;
use crate::host::Host;
use crate::untrusted::for_terminal;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// An IPv6 address with all its digits.
const LONGEST: usize = 39;
/// Much longer than any address.
const MOST_BYTES: u64 = 200;

/// An address and what is known of it; the shape of `addresses` in the JSON.
#[derive(Serialize)]
struct Found {
    /// As it is written canonically.
    address: String,
    /// Two letters (ISO 3166-1).
    country: Option<String>,
    /// The number of its network.
    asn: Option<u32>,
    /// Who runs that.
    organisation: Option<String>,
    /// What a private or reserved address is for.
    special: Option<&'static str>,
}

/// The shape of `databases` in the JSON.
#[derive(Serialize)]
struct Database {
    /// `countries` or `networks`.
    tells: &'static str,
    path: String,
    /// `ranges`, or an MMDB's type.
    format: Option<String>,
    ranges: u64,
    /// RFC 3339.
    dated: Option<String>,
    age_days: Option<i64>,
    /// The URLs it was downloaded from; none if it came by another way.
    source: Vec<String>,
    error: Option<String>,
    /// What to do about the error.
    hint: Option<&'static str>,
}

pub(super) fn run(host: &Host, config: &Config, args: &args::IpInfo) -> Status {
    let mut out = BufWriter::new(anstream::stdout().lock());
    let mut teller = Teller::new(config, args);
    let told = teller.tell(&args.ip, &mut out);
    let status = told.and_then(|status| {
        let usable = teller.tell_databases((host.now)(), config, &mut out)?;
        out.flush().map(|()| if usable { status } else { Status::Failed })
    });
    match status {
        Ok(status) => status,
        // `ipinfo - | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Status::Done,
        Err(error) => super::fail(&format!("cannot write: {error}"), None),
    }
}

struct Teller {
    databases: Databases,
    json: bool,
    /// Of the column of addresses.
    width: usize,
    told: u64,
    unread: u64,
}

impl Teller {
    fn new(config: &Config, args: &args::IpInfo) -> Self {
        let databases = databases(config);
        let from_stdin = args.ip.is_empty() || args.ip.iter().any(|ip| ip == "-");
        let longest = args.ip.iter().map(String::len).max().unwrap_or_default();
        let width = if from_stdin { LONGEST } else { longest.clamp("Address".len(), LONGEST) };
        Self { databases, json: args.json, width, told: 0, unread: 0 }
    }

    fn tell(&mut self, what: &[String], out: &mut impl Write) -> io::Result<Status> {
        if self.json {
            write!(out, "{{\"addresses\":[")?;
        }
        let nothing = what.is_empty() && io::stdin().is_terminal();
        let stdin = ["-".to_owned()];
        let what = if what.is_empty() && !nothing { &stdin[..] } else { what };
        for word in what {
            if word == "-" {
                self.tell_stdin(out)?;
            } else {
                self.tell_one(word.as_bytes(), "", out)?;
            }
        }
        if self.unread > 0 { Ok(Status::Failed) } else { Ok(Status::Done) }
    }

    fn tell_stdin(&mut self, out: &mut impl Write) -> io::Result<()> {
        if io::stdin().is_terminal() {
            writeln!(io::stderr(), "Reading addresses from standard input; end with Ctrl-D.")?;
        }
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let read = io::Read::take(&mut input, MOST_BYTES).read_until(b'\n', &mut line);
            let long = !line.is_empty() && !line.ends_with(b"\n");
            let read = read.and_then(|_| if long { input.skip_until(b'\n') } else { Ok(0) });
            if let Err(error) = read {
                self.unread += 1;
                out.flush()?;
                super::say("error", &format!("cannot read standard input: {error}"));
                break;
            }
            if line.is_empty() {
                break;
            }
            if !line.trim_ascii().is_empty() {
                self.tell_one(line.trim_ascii(), &format!("standard input:{number}: "), out)?;
            }
        }
        Ok(())
    }

    fn tell_one(&mut self, word: &[u8], place: &str, out: &mut impl Write) -> io::Result<()> {
        let Some(address) = parse(word) else {
            self.unread += 1;
            out.flush()?;
            let what = format!("{place}`{}` is not an IP address", for_terminal(word));
            super::say("error", &what);
            return Ok(());
        };
        let (country, network) = self.databases.look_up(address);
        let found = Found {
            address: address.to_string(),
            country: country.map(|country| country.code().to_owned()),
            asn: network.as_ref().map(|network| network.number),
            organisation: network
                .map(|network| network.organisation.for_terminal().into_owned())
                .filter(|name| !name.is_empty()),
            special: special(address),
        };
        self.told += 1;
        if self.json {
            let comma = if self.told > 1 { "," } else { "" };
            write!(out, "{comma}\n  {}", serde_json::to_string(&found)?)
        } else {
            self.row(&found, out)
        }
    }

    fn row(&self, found: &Found, out: &mut impl Write) -> io::Result<()> {
        let width = self.width;
        if self.told == 1 {
            let [address, country, network] = ["Address", "Country", "Network"];
            writeln!(out, "{BOLD}{address:width$}  {country}  {network:12}  Organisation{BOLD:#}")?;
        }
        let country = found.country.as_deref().unwrap_or("-");
        let network = found.asn.map_or("-".to_owned(), |number| format!("AS{number}"));
        let organisation = found.organisation.as_deref().or(found.special).unwrap_or("-");
        writeln!(out, "{:width$}  {country:7}  {network:12}  {organisation}", found.address)
    }

    /// Tells what and how old the databases are; whether all can be used.
    fn tell_databases(
        &mut self,
        now: Timestamp,
        config: &Config,
        out: &mut impl Write,
    ) -> io::Result<bool> {
        let databases = self.databases.describe();
        let databases: Vec<_> =
            databases.iter().map(|about| database(about, now, config)).collect();
        let usable = databases.iter().all(|database| database.error.is_none());
        let faults = self.databases.warnings().into_iter();
        // What makes a database unusable is told below.
        let faults =
            faults.filter(|it| !databases.iter().any(|d| d.error.as_ref() == Some(&it.text)));
        for fault in faults {
            out.flush()?;
            super::say("warning", &fault.text);
        }
        if self.json {
            let databases = serde_json::to_string_pretty(&databases)?;
            writeln!(out, "\n],\"databases\":{databases}}}")?;
            return Ok(usable);
        }
        if self.told > 0 {
            writeln!(out)?;
        }
        for database in databases {
            let Database { tells, path, ranges, age_days, source, error, hint, format, .. } =
                database;
            if let Some(error) = error {
                let hint = hint.map_or(String::new(), |hint| format!("\n  hint: {hint}"));
                out.flush()?;
                super::say("error", &format!("{tells}: {error}{hint}"));
                continue;
            }
            let age = match age_days {
                Some(0) => "from today".to_owned(),
                Some(1) => "1 day old".to_owned(),
                Some(days) => format!("{days} days old"),
                None => "of unknown age".to_owned(),
            };
            let format = format.filter(|format| format != "ranges");
            let format = format.map_or(String::new(), |format| format!(", MMDB {format}"));
            writeln!(out, "{DIM}{tells}: {path}, {ranges} ranges, {age}{format}{DIM:#}")?;
            for url in source {
                writeln!(out, "{DIM}  from {url}{DIM:#}")?;
            }
        }
        Ok(usable)
    }
}

/// The databases that are configured.
pub(super) fn databases(config: &Config) -> Databases {
    let state = &config.paths.state_dir;
    // Compiled forms belong to the user the services run as; another must not leave his there.
    let user = rustix::process::geteuid().as_raw();
    let own = state.metadata().is_ok_and(|folder| folder.uid() == user);
    let cache = own.then(|| state.clone());
    let (countries, networks) = (config.countries.paths.clone(), config.networks.paths.clone());
    Databases::new(countries, networks, cache)
}

/// Reads an address as people and logs write it: in brackets, with an interface.
fn parse(word: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(word).ok()?;
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let inside = inside.strip_prefix("IPv6:").unwrap_or(inside);
    let address = inside.split_once('%').map_or(inside, |(address, _)| address);
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn database(about: &About, now: Timestamp, config: &Config) -> Database {
    let (section, default) = match about.kind {
        Kind::Countries => (&config.countries, DEFAULT_COUNTRY_URLS),
        Kind::Networks => (&config.networks, DEFAULT_NETWORK_URLS),
    };
    let jobs = super::update::jobs(about.kind, section, &default).unwrap_or_default();
    let job = jobs.iter().find(|job| job.path == about.path);
    let job = job.filter(|job| came_from(&job.path, &job.urls));
    Database {
        tells: about.kind.plural(),
        path: super::shown(&about.path),
        format: about.format.as_ref().map(|format| match format {
            Format::Ranges => "ranges".to_owned(),
            Format::Mmdb(name) => name.clone(),
        }),
        ranges: about.ranges,
        dated: about.dated.map(|dated| dated.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        age_days: about.dated.map(|dated| (now.as_second() - dated.as_second()).max(0) / 86_400),
        source: job.map_or(Vec::new(), |job| job.urls.iter().map(|u| without_secrets(u)).collect()),
        error: about.error.clone(),
        hint: about.hint,
    }
}
