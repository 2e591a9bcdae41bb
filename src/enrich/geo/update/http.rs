//! Downloads by HTTP: proxies, certificates, limits of time and size, compression.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Body};

use super::error::UpdateError;
use super::memory::Version;
use super::proxy::{Proxies, Way};
use crate::untrusted::for_terminal;

const CHUNK: usize = 64 * 1024;
const REDIRECTS: usize = 5;

/// How patient and how generous a download is.
#[derive(Clone, Debug)]
pub struct Limits {
    /// To find and reach the server.
    pub connect: Duration,
    /// Without a byte arriving.
    pub stalled: Duration,
    /// For one file in all.
    pub total: Duration,
    /// Bytes of one file, compressed or not.
    pub size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            stalled: Duration::from_secs(60),
            total: Duration::from_secs(3600),
            size: 512 << 20,
        }
    }
}

/// A URL fit for a message: without user name, password and query, which may be a token.
pub fn without_secrets(url: &str) -> String {
    let (base, query) = url.split_once(['?', '#']).map_or((url, ""), |(base, _)| (base, "?..."));
    let (scheme, rest) = base.split_once("://").unwrap_or(("", base));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    for_terminal(format!("{scheme}{host}{path}{query}").as_bytes()).into_owned()
}

/// What a server answered.
pub(super) enum Answer {
    /// The content is what it was.
    Same,
    /// It was written out: its version, and how many bytes came over the network.
    New(Version, u64),
}

/// Told how many bytes arrived, and how many will, if known; may ask to end.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) -> ControlFlow<()> + 'a;

/// Downloads files.
pub(super) struct Client {
    limits: Limits,
    proxies: Proxies,
}

impl Client {
    pub(super) fn new(limits: Limits, proxies: Proxies) -> Self {
        Self { limits, proxies }
    }

    /// Writes the content of `url` to `out`, unless it is still `known`.
    pub(super) fn fetch(
        &self,
        url: &str,
        known: Option<&Version>,
        out: &mut dyn Write,
        progress: &mut Progress<'_>,
    ) -> Result<Answer, UpdateError> {
        let shown = || without_secrets(url);
        let answer = self.ask(url, known)?;
        let status = answer.status();
        if status == StatusCode::NOT_MODIFIED && known.is_some() {
            return Ok(Answer::Same);
        }
        if status != StatusCode::OK {
            return Err(UpdateError::Status { url: shown(), status: status.as_u16() });
        }
        let version = version(answer.headers());
        let length = header(answer.headers(), "content-length").and_then(|it| it.parse().ok());
        if length.is_some_and(|length: u64| length > self.limits.size) {
            return Err(UpdateError::TooLarge { url: shown(), limit: self.limits.size });
        }
        let body = answer.into_body().into_with_config().limit(self.limits.size).reader();
        let mut body = Counted { body, done: 0, length, progress, stopped: false };
        let copied = unpack(&mut body, self.limits.size, out);
        let (done, stopped) = (body.done, body.stopped);
        match copied {
            _ if stopped => Err(UpdateError::Interrupted),
            Ok(()) if length.is_none_or(|length| length == done) => Ok(Answer::New(version, done)),
            Ok(()) => {
                let what = if length.is_some_and(|length| done < length) {
                    ended(done, length)
                } else {
                    "more came than was announced".to_owned()
                };
                Err(UpdateError::Transfer { url: shown(), what })
            }
            Err(Broken::TooLarge) => {
                Err(UpdateError::TooLarge { url: shown(), limit: self.limits.size })
            }
            Err(Broken::Write(source)) => {
                let path = std::path::PathBuf::from("a temporary file");
                Err(UpdateError::Io { action: "write", path, source })
            }
            Err(Broken::Read(error)) => {
                let what = match error.get_ref().and_then(|it| it.downcast_ref::<ureq::Error>()) {
                    Some(ureq::Error::BodyExceedsLimit(limit)) => {
                        return Err(UpdateError::TooLarge { url: shown(), limit: *limit });
                    }
                    Some(error) => error.to_string(),
                    None if error.kind() == io::ErrorKind::UnexpectedEof
                        && length.is_none_or(|length| done < length) =>
                    {
                        ended(done, length)
                    }
                    None if error.kind() == io::ErrorKind::UnexpectedEof => {
                        "what was compressed is cut short".to_owned()
                    }
                    None => error.to_string(),
                };
                Err(UpdateError::Transfer { url: shown(), what })
            }
        }
    }

    /// The answer at the end of the redirects. They are followed here, as the way to each may lead
    /// through another proxy.
    fn ask(&self, url: &str, known: Option<&Version>) -> Result<Response<Body>, UpdateError> {
        let broken = |what: &str| {
            Err(UpdateError::Transfer { url: without_secrets(url), what: what.to_owned() })
        };
        let mut place = url.to_owned();
        for _ in 0..=REDIRECTS {
            let (agent, proxy_password) = self.agent(&place)?;
            let mut request = agent.get(&place);
            let version =
                |part: fn(&Version) -> &Option<String>| known.and_then(|it| part(it).as_deref());
            for (name, value) in [
                ("If-None-Match", version(|it| &it.etag)),
                ("If-Modified-Since", version(|it| &it.modified)),
                ("Proxy-Authorization", proxy_password.as_deref()),
            ] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let answer = request.call().map_err(|error| said(&error, url))?;
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let Some(location) = header(answer.headers(), "location") else {
                return broken("it is redirected to nowhere");
            };
            let next = resolved(&place, &location);
            if is_https(&place) && !is_https(&next) {
                return broken("it is redirected from https to http");
            }
            place = next;
        }
        broken("it is redirected too often")
    }

    /// One for each URL, since proxy and certificates depend on it; and what the proxy wants to read.
    fn agent(&self, url: &str) -> Result<(Agent, Option<String>), UpdateError> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let https = match scheme.as_deref() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(UpdateError::Url { what: without_secrets(url) }),
        };
        let way = self.proxies.way(url)?;
        let roots = if https { authorities()? } else { Vec::new() };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(https)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(way.proxy())
            .user_agent(concat!("maillogsentinel/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("gzip")
            .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build())
            .timeout_resolve(Some(self.limits.connect))
            .timeout_connect(Some(self.limits.connect))
            .timeout_per_read(Some(self.limits.stalled))
            .timeout_per_write(Some(self.limits.stalled))
            .timeout_global(Some(self.limits.total))
            .build();
        Ok(match way {
            Way::Forward(forward) => {
                let password = forward.password();
                let connector = DefaultConnector::default().chain(forward.clone());
                (Agent::with_parts(config, connector, forward), password)
            }
            Way::Straight | Way::Through(_) => (config.new_agent(), None),
        })
    }
}

/// Whether a URL asks for TLS.
pub(super) fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
}

/// Where a redirect at `base` leads, RFC 3986, section 5.2, as far as servers use it.
fn resolved(base: &str, location: &str) -> String {
    let base = base.split(['?', '#']).next().unwrap_or_default();
    let scheme = base.find("://").unwrap_or_default();
    let start = (scheme + 3).min(base.len());
    let path =
        base.get(start..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| start + at);
    let folder = base.rfind('/').filter(|at| *at >= path).map_or(path, |at| at + 1);
    let keep = if location.contains("://") {
        0
    } else if location.starts_with("//") {
        scheme + 1
    } else if location.starts_with('/') {
        path
    } else {
        folder
    };
    format!("{}{location}", base.get(..keep).unwrap_or_default())
}

/// Those that this system trusts: an administrator's own authority is among them.
fn authorities() -> Result<Vec<Certificate<'static>>, UpdateError> {
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = found.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
    if roots.is_empty() { Err(UpdateError::NoAuthorities) } else { Ok(roots) }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn version(headers: &HeaderMap) -> Version {
    let [etag, modified] = ["etag", "last-modified"].map(|name| header(headers, name));
    Version { etag, modified, ranges: 0 }
}

/// What went wrong before the content; never with the text of the URL.
fn said(error: &ureq::Error, url: &str) -> UpdateError {
    let url = without_secrets(url);
    let what = match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => return UpdateError::Url { what: url },
        ureq::Error::Io(error) => for_terminal(error.to_string().as_bytes()).into_owned(),
        error => for_terminal(error.to_string().as_bytes()).into_owned(),
    };
    UpdateError::Transfer { url, what }
}

fn ended(done: u64, length: Option<u64>) -> String {
    let of = length.map(|length| format!(" of {length}")).unwrap_or_default();
    format!("the transfer ended after {done}{of} bytes")
}

enum Broken {
    Read(io::Error),
    Write(io::Error),
    TooLarge,
}

/// Copies a body, unpacked if it is gzip: by its encoding, by its name, or both.
fn unpack(body: &mut dyn Read, limit: u64, out: &mut dyn Write) -> Result<(), Broken> {
    let mut reader: Box<dyn BufRead + '_> = Box::new(BufReader::with_capacity(CHUNK, body));
    for _ in 0..2 {
        if !reader.fill_buf().map_err(Broken::Read)?.starts_with(&[0x1f, 0x8b]) {
            break;
        }
        reader = Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(reader)));
    }
    let mut copied = 0;
    loop {
        let some = reader.fill_buf().map_err(Broken::Read)?;
        if some.is_empty() {
            return Ok(());
        }
        copied += some.len() as u64;
        if copied > limit {
            return Err(Broken::TooLarge);
        }
        out.write_all(some).map_err(Broken::Write)?;
        let used = some.len();
        reader.consume(used);
    }
}

/// Counts what arrives, and tells it.
struct Counted<'a, 'b, R> {
    body: R,
    done: u64,
    length: Option<u64>,
    progress: &'a mut Progress<'b>,
    stopped: bool,
}

impl<R: Read> Read for Counted<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(buffer)?;
        self.done += count as u64;
        if (self.progress)(self.done, self.length).is_break() {
            self.stopped = true;
            return Err(io::Error::other("interrupted"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_where_its_location_says() {
        let base = "https://a:1/b/c?d/e#f/g";
        for (location, expected) in [
            ("http://h/x", "http://h/x"),
            ("//h/x", "https://h/x"),
            ("/x?y", "https://a:1/x?y"),
            ("x", "https://a:1/b/x"),
        ] {
            assert_eq!(resolved(base, location), expected);
        }
        assert_eq!(resolved("http://a", "/x"), "http://a/x");
        assert_eq!(resolved("http://a?q/r", "/x"), "http://a/x");
        resolved("", "x");
        resolved("://", "/");
    }
}
