//! Where the engine may send HTTP requests that a client or a guest asked for.
//!
//! Every address is checked after name resolution and the connection is made to
//! exactly the address that was checked, so a name cannot point elsewhere
//! between the two. Redirects are not followed.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Which addresses may be reached.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    /// Loopback and nothing else (sandbox builds).
    pub loopback_only: bool,
    /// Hosts and addresses that are reached although they are not public.
    pub allow: Vec<String>,
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
    /// Its address is one that is not reached.
    #[error("{0} is not a public address; name it in WAREST_EGRESS_ALLOW if it is meant")]
    Private(String),
    /// Its address is not loopback, and this is a sandbox build.
    #[error("{0} is not a loopback address; a sandbox build reaches nothing else")]
    NotLoopback(String),
}

impl EgressPolicy {
    /// Reads a URL and checks all that can be checked before name resolution.
    pub fn check_url(&self, text: &str) -> Result<Url, EgressError> {
        let clipped = || text.chars().take(200).collect::<String>();
        let url = Url::parse(text).map_err(|_| EgressError::Url(clipped()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EgressError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Userinfo);
        }
        match url.host() {
            None => return Err(EgressError::Url(clipped())),
            Some(Host::Ipv4(ip)) => self.check_address(&ip.to_string(), ip.into())?,
            Some(Host::Ipv6(ip)) => self.check_address(&ip.to_string(), ip.into())?,
            Some(Host::Domain(_)) => {}
        }
        Ok(url)
    }

    fn check_address(&self, host: &str, ip: IpAddr) -> Result<(), EgressError> {
        let ip = match ip {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
            IpAddr::V4(_) => ip,
        };
        if self.loopback_only {
            return if ip.is_loopback() { Ok(()) } else { Err(EgressError::NotLoopback(host.to_owned())) };
        }
        let named = |allowed: &String| allowed.eq_ignore_ascii_case(host) || *allowed == ip.to_string();
        if is_public(ip) || self.allow.iter().any(named) { Ok(()) } else { Err(EgressError::Private(host.to_owned())) }
    }

    /// An HTTP client that obeys this policy.
    pub fn client(&self, timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .connect_timeout(timeout)
            .no_proxy()
            .user_agent(concat!("warest/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(GuardedResolver(self.clone())))
            .build()
    }
}

struct GuardedResolver(EgressPolicy);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in found {
                match policy.check_address(&host, address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refused = Some(error),
                }
            }
            match (allowed.is_empty(), refused) {
                (true, Some(error)) => Err(error.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address is one of the public internet.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = a == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (b == 18 || b == 19)) // benchmarks
        || a >= 224; // multicast, reserved, broadcast
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let embeds_v4 = segments[0] == 0x2002 || (segments[0] == 0x2001 && segments[1] == 0);
    let documentation = segments[0] == 0x2001 && segments[1] == 0xdb8;
    global_unicast && !embeds_v4 && !documentation
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn private_addresses_are_refused_however_they_are_spelled() {
        let policy = EgressPolicy::default();
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://10.1.2.3",
            "http://169.254.169.254/latest",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://0.0.0.0/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://100.64.0.1/",
            "http://[2002:7f00:1::]/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "http://user:pw@example.com/",
            "nonsense",
            "http://",
        ] {
            assert!(policy.check_url(url).is_err(), "{url}");
        }
        assert!(policy.check_url("https://93.184.216.34/x").is_ok());
        assert!(policy.check_url("https://example.com/x").is_ok());
    }

    #[test]
    fn what_is_allowed_by_name_is_reached() {
        let policy = EgressPolicy { allow: vec!["10.0.0.7".into()], ..EgressPolicy::default() };
        assert!(policy.check_url("http://10.0.0.7:8080/").is_ok());
        assert!(policy.check_url("http://10.0.0.8/").is_err());
    }

    #[tokio::test]
    async fn names_are_checked_by_what_they_resolve_to() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = EgressPolicy::default().client(Duration::from_secs(2)).unwrap();
        let error = client.get("http://localhost:9/").send().await.unwrap_err();
        assert!(format!("{error:?}").contains("Private"), "{error:?}");
        let sandbox = EgressPolicy { loopback_only: true, ..EgressPolicy::default() };
        assert!(sandbox.check_url("http://93.184.216.34/").is_err());
        assert!(sandbox.check_url("http://127.0.0.1:1/").is_ok());
    }
}
