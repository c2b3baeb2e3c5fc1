//! What may be requested: the rules, and why a URL breaks one.

use super::address::is_public;
use super::parse::{Allowed, Ports, ProxyUrl};
use super::{bare, port_of};
use std::net::IpAddr;
use url::{Host, Url};

/// Which URLs may be requested. The default is the public internet, at
/// [`Ports::default`].
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    /// Loopback and nothing else, at any port (sandbox builds).
    pub loopback_only: bool,
    /// Hosts and addresses that are reached although they are not public.
    pub allow: Vec<Allowed>,
    /// Ports that may be named.
    pub ports: Ports,
    /// Goes between.
    pub proxy: Option<ProxyUrl>,
}

/// Why a URL is not requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// It cannot be read.
    #[error("\"{0}\" is not a URL; give http:// or https:// with a host")]
    Url(String),
    /// Its scheme is not HTTP.
    #[error("only http and https URLs are requested, not {0}")]
    Scheme(String),
    /// It carries a user name or a password, which would be logged.
    #[error("a URL may not carry a user name or password")]
    Userinfo,
    /// Its port is not one that is reached.
    #[error("port {0} is not among WAREST_EGRESS_PORTS; add it there, or name host:{0} in WAREST_EGRESS_ALLOW")]
    Port(u16),
    /// Its address is one that is not reached.
    #[error("{0} is not a public address; name it in WAREST_EGRESS_ALLOW if it is meant")]
    Private(String),
    /// Its address is not loopback, and this is a sandbox build.
    #[error("{0} is not a loopback address; a sandbox build reaches nothing else")]
    NotLoopback(String),
    /// Its name has no address, or none that could be found out now.
    #[error("the name {host} could not be resolved: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// No client could be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(String),
}

impl EgressError {
    /// Whether trying again later may work.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unresolved { .. })
    }
}

impl EgressPolicy {
    /// Reads a URL and checks all that can be checked before name resolution.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check_url(&self, text: &str) -> Result<Url, EgressError> {
        let clipped = || text.chars().take(200).collect::<String>();
        let url = Url::parse(text).map_err(|_| EgressError::Url(clipped()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EgressError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Userinfo);
        }
        let Some(host) = url.host() else { return Err(EgressError::Url(clipped())) };
        let port = port_of(&url);
        let opened = || self.matching(&url).any(|entry| entry.port() == Some(port));
        if !self.loopback_only && !self.ports.contains(port) && !opened() {
            return Err(EgressError::Port(port));
        }
        let ip: IpAddr = match host {
            Host::Domain(_) => return Ok(url),
            Host::Ipv4(ip) => ip.into(),
            Host::Ipv6(ip) => ip.into(),
        };
        if !self.names(&url) {
            self.check_address(&ip.to_string(), ip)?;
        }
        Ok(url)
    }

    /// Whether [`EgressPolicy::allow`] names the host of a URL, so that it is
    /// reached wherever it is.
    pub fn names(&self, url: &Url) -> bool {
        !self.loopback_only && self.matching(url).next().is_some()
    }

    /// Checks one address of `host`.
    ///
    /// # Errors
    /// If it is not reached.
    pub fn check_address(&self, host: &str, ip: IpAddr) -> Result<(), EgressError> {
        let ip = ip.to_canonical();
        if self.loopback_only {
            return if ip.is_loopback() { Ok(()) } else { Err(EgressError::NotLoopback(host.to_owned())) };
        }
        // The port is not known here, so an entry for one port does not count.
        let allowed = |entry: &Allowed| entry.port().is_none() && entry.holds(ip);
        if is_public(ip) || self.allow.iter().any(allowed) {
            Ok(())
        } else {
            Err(EgressError::Private(host.to_owned()))
        }
    }

    /// Checks that a sandbox build's proxy is on this machine. Its name, if it
    /// has one, is checked when it is connected to.
    pub(super) fn check_proxy(&self) -> Result<(), EgressError> {
        match &self.proxy {
            Some(proxy) if self.loopback_only => match proxy.address() {
                Some(ip) => self.check_address(&ip.to_string(), ip),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The entries that name the host and the port of a URL.
    fn matching<'a>(&'a self, url: &'a Url) -> impl Iterator<Item = &'a Allowed> {
        let port = port_of(url);
        self.allow.iter().filter(move |entry| {
            entry.port().is_none_or(|only| only == port)
                && match url.host() {
                    Some(Host::Domain(name)) => entry.is_name(bare(name)),
                    Some(Host::Ipv4(ip)) => entry.holds(ip.into()),
                    Some(Host::Ipv6(ip)) => entry.holds(IpAddr::V6(ip).to_canonical()),
                    None => false,
                }
        })
    }
}
