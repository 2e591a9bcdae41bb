//! Proxies: which one the environment names for a URL, and plain HTTP through one.
//!
//! `ureq` asks each proxy for a tunnel (CONNECT). For https that is what everybody does; for http most
//! proxies refuse it (Squid allows tunnels to port 443 only) and want to be asked for the whole URL
//! (RFC 9112, section 3.2.2). [`Forward`] does that: it connects to the proxy in place of the server
//! and completes the first line of the request.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Authority;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Proxy, ProxyProtocol};

use super::error::UpdateError;
use super::http::{is_https, without_secrets};

/// How to reach a server.
pub(super) enum Way {
    /// Without a proxy.
    Straight,
    /// By a tunnel, or SOCKS.
    Through(Proxy),
    /// By asking the proxy for the whole URL.
    Forward(Forward),
}

impl Way {
    /// What `ureq` has to know of it.
    pub(super) fn proxy(&self) -> Option<Proxy> {
        match self {
            Self::Through(proxy) => Some(proxy.clone()),
            Self::Straight | Self::Forward(_) => None,
        }
    }
}

/// The proxy variables, as curl(1) reads them.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For https URLs.
    https: Option<String>,
    /// For http URLs.
    http: Option<String>,
    /// Hosts to reach without a proxy.
    except: Vec<String>,
}

impl Proxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, or their small twins, which come
    /// first. `variable` looks one up in the environment.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
            set(&name.to_ascii_lowercase()).or_else(|| set(name))
        };
        let all = either("ALL_PROXY");
        let except = either("NO_PROXY").unwrap_or_default();
        Self {
            https: either("HTTPS_PROXY").or_else(|| all.clone()),
            http: either("HTTP_PROXY").or(all),
            except: except.split(',').map(|host| host.trim().to_owned()).collect(),
        }
    }

    /// How to reach `url`.
    pub(super) fn way(&self, url: &str) -> Result<Way, UpdateError> {
        let https = is_https(url);
        let Some(address) = (if https { &self.https } else { &self.http }) else {
            return Ok(Way::Straight);
        };
        let invalid =
            |_| UpdateError::Url { what: format!("the proxy {}", without_secrets(address)) };
        let proxy = Proxy::new(address).map_err(invalid)?;
        let mut builder = Proxy::builder(proxy.protocol()).host(proxy.host()).port(proxy.port());
        if let Some(user) = proxy.username() {
            builder = builder.username(user).password(proxy.password().unwrap_or_default());
        }
        for host in self.except.iter().filter(|host| !host.is_empty()) {
            builder = builder.no_proxy(host);
            // A domain stands for its hosts as well, with or without a dot before it.
            if let Some(domain) = host.strip_prefix('.') {
                builder = builder.no_proxy(domain);
            } else if !host.starts_with('*') {
                builder = builder.no_proxy(&format!(".{host}"));
            }
        }
        let proxy = builder.build().map_err(invalid)?;
        Ok(match url.parse::<Uri>() {
            Ok(uri) if proxy.is_no_proxy(&uri) => Way::Straight,
            _ if !https && proxy.protocol() == ProxyProtocol::Http => Way::Forward(Forward(proxy)),
            _ => Way::Through(proxy),
        })
    }
}

/// Asks a proxy for whole URLs.
#[derive(Clone, Debug)]
pub(super) struct Forward(Proxy);

impl Forward {
    /// The `Proxy-Authorization` (RFC 9110, section 11.7.2) that its URL implies.
    pub(super) fn password(&self) -> Option<String> {
        let user = self.0.username()?;
        let both = format!("{user}:{}", self.0.password().unwrap_or_default());
        Some(format!("Basic {}", BASE64_STANDARD.encode(both)))
    }
}

impl Resolver for Forward {
    fn resolve(
        &self,
        _: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        DefaultResolver::default().resolve(self.0.uri(), config, timeout)
    }
}

impl<T: Transport> Connector<T> for Forward {
    type Out = Completed<T>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<T>,
    ) -> Result<Option<Self::Out>, Error> {
        let authority = details.uri.authority().map(Authority::as_str).unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let server = format!("http://{host}");
        Ok(chained.map(|inner| Completed { inner, server: Some(server) }))
    }
}

/// A connection whose first request names the server in its first line.
pub(super) struct Completed<T> {
    inner: T,
    /// What to put before the path; `None` once it is sent.
    server: Option<String>,
}

impl<T: Transport> fmt::Debug for Completed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Completed").field(&self.inner).finish()
    }
}

impl<T: Transport> Transport for Completed<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Some(server) = self.server.take() else {
            return self.inner.transmit_output(amount, timeout);
        };
        let output = self.inner.buffers().output();
        let request = output.get(..amount).unwrap_or_default();
        let method = request.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
        let (before, after) = request.split_at_checked(method).unwrap_or_default();
        let whole = [before, server.as_bytes(), after].concat();
        let Some(place) = output.get_mut(..whole.len()) else {
            return Err(Error::LargeResponseHeader(whole.len(), output.len()));
        };
        place.copy_from_slice(&whole);
        self.inner.transmit_output(whole.len(), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
