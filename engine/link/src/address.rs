//! Which network addresses this process may reach.
//!
//! A build with the `sandbox` feature skips the check of WhatsApp's certificate
//! chain, so it must never reach WhatsApp: here it is held to loopback, after
//! name resolution, so that a name cannot lead elsewhere. Unencrypted `ws://`
//! goes to loopback only, in any build.

use std::net::SocketAddr;
use url::{Host, Url};

/// Whether this build may reach nothing but loopback.
pub(crate) const SANDBOX: bool = cfg!(feature = "sandbox");

/// An address that is not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddressError {
    /// A sandbox build was asked to leave this machine.
    #[error("sandbox builds reach only loopback; {0} is elsewhere")]
    NotLoopback(String),
    /// An unencrypted connection would leave this machine.
    #[error("unencrypted ws:// reaches only loopback; use wss:// for {0}")]
    Unencrypted(String),
    /// The URL names no host.
    #[error("the URL names no host")]
    NoHost,
    /// The scheme is none that is spoken.
    #[error("the scheme {0}:// is not supported here")]
    Scheme(String),
    /// The name is not known.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// The name is known, but has no address.
    #[error("{0} has no address")]
    NoAddress(String),
}

/// A host and port that were looked up and found allowed.
#[derive(Debug, Clone)]
pub(crate) struct Vetted {
    /// The name as the URL has it, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// What it resolved to; every one is allowed.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Resolves the host of `url` and refuses what this build may not reach.
pub(crate) async fn vet(url: &Url, sandbox: bool) -> Result<Vetted, AddressError> {
    let (default_port, unencrypted) = match url.scheme() {
        "wss" | "https" => (443, false),
        "ws" => (80, true),
        "http" => (80, false),
        "socks5" | "socks5h" => (1080, false),
        other => return Err(AddressError::Scheme(other.chars().take(16).collect())),
    };
    let host = match url.host().ok_or(AddressError::NoHost)? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => ip.to_string(),
    };
    let port = url.port().unwrap_or(default_port);
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), port))
        .await
        .map_err(|source| AddressError::Resolve { host: host.clone(), source })?
        .collect();
    check(&host, &addresses, sandbox, unencrypted)?;
    Ok(Vetted { host, port, addresses })
}

/// Refuses `addresses` unless all of them may be reached.
pub(crate) fn check(
    host: &str,
    addresses: &[SocketAddr],
    sandbox: bool,
    unencrypted: bool,
) -> Result<(), AddressError> {
    if addresses.is_empty() {
        return Err(AddressError::NoAddress(host.to_owned()));
    }
    let local = addresses.iter().all(|address| address.ip().to_canonical().is_loopback());
    match (local, sandbox, unencrypted) {
        (true, _, _) | (false, false, false) => Ok(()),
        (false, true, _) => Err(AddressError::NotLoopback(host.to_owned())),
        (false, false, true) => Err(AddressError::Unencrypted(host.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn allowed(addresses: &[&str], sandbox: bool, unencrypted: bool) -> bool {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        check("host", &addresses, sandbox, unencrypted).is_ok()
    }

    #[test]
    fn a_sandbox_build_leaves_loopback_for_nothing() {
        for local in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(allowed(&[local], true, true), "{local}");
        }
        for remote in ["8.8.8.8:443", "10.0.0.1:1", "0.0.0.0:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!allowed(&[remote], true, false), "{remote}");
        }
        assert!(!allowed(&["127.0.0.1:1", "8.8.8.8:1"], true, false), "one of several leads away");
        assert!(!allowed(&[], true, false));
    }

    #[test]
    fn plain_sockets_stay_local_in_any_build() {
        assert!(allowed(&["8.8.8.8:443"], false, false));
        assert!(!allowed(&["8.8.8.8:80"], false, true));
        assert!(allowed(&["127.0.0.1:80"], false, true));
    }

    #[tokio::test]
    async fn the_address_decides_and_not_the_spelling() {
        for url in ["wss://2130706433/", "wss://0x7f000001/", "ws://127.1:9/", "ws://[::1]:9/ws/chat"] {
            assert!(vet(&Url::parse(url).unwrap(), true).await.is_ok(), "{url}");
        }
        for url in ["wss://134744072/", "wss://[::ffff:808:808]/", "ftp://127.0.0.1/"] {
            assert!(vet(&Url::parse(url).unwrap(), true).await.is_err(), "{url}");
        }
    }
}
