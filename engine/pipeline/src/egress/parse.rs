//! The operator's words: what is allowed, the ports, the proxy.

use super::{EgressError, bare};
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use url::{Host, Url};

/// Why a value is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// An entry of the list of what is allowed.
    #[error(
        "\"{0}\" is not a host, an address or a network; give hooks.lan, hooks.lan:9000, 10.0.0.7, [fd00::7]:9000 or 10.0.0.0/8"
    )]
    Allowed(String),
    /// The ports.
    #[error("\"{0}\" is not a port or a range of ports; give such as 80,443,8000-8999")]
    Ports(String),
    /// The proxy. (What it was is not said: it may hold a password.)
    #[error(
        "a proxy is http://host:port or https://host:port, with user:password@ before the host if it asks for them"
    )]
    Proxy,
}

/// A host, an address or a network that is reached although it is not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// A name, whatever it resolves to.
    Name {
        /// In lower case, as URLs have it.
        name: String,
        /// The only port that is meant.
        port: Option<u16>,
    },
    /// An address or a network, also when a name leads there.
    Net {
        /// The network; an address is one of all its bits.
        net: IpNet,
        /// The only port that is meant. The address must stand in the URL then.
        port: Option<u16>,
    },
}

impl Allowed {
    /// The only port that is meant.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Name { port, .. } | Self::Net { port, .. } => *port,
        }
    }

    pub(super) fn is_name(&self, wanted: &str) -> bool {
        matches!(self, Self::Name { name, .. } if name == wanted)
    }

    pub(super) fn holds(&self, ip: IpAddr) -> bool {
        matches!(self, Self::Net { net, .. } if net.contains(&ip))
    }
}

impl FromStr for Allowed {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::Allowed(text.to_owned());
        if text.contains('*') {
            return Err(wrong());
        }
        if text.contains('/') {
            return Ok(Self::Net { net: text.parse().map_err(|_| wrong())?, port: None });
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Net { net: ip.to_canonical().into(), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
                (host, Some(port))
            }
            _ => (text, None),
        };
        match Host::parse(host).map_err(|_| wrong())? {
            Host::Domain(name) => Ok(Self::Name { name: bare(&name).to_owned(), port }),
            Host::Ipv4(ip) => Ok(Self::Net { net: IpAddr::V4(ip).into(), port }),
            Host::Ipv6(ip) => Ok(Self::Net { net: IpAddr::V6(ip).to_canonical().into(), port }),
        }
    }
}

/// Ports that may be named in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

impl Default for Ports {
    /// Those that web servers have: a request to other ports would speak to
    /// something that expects no HTTP.
    fn default() -> Self {
        Self(vec![80..=80, 443..=443, 8000..=8999])
    }
}

impl Ports {
    /// Whether a port is among them.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }
}

impl FromStr for Ports {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let range = |item: &str| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (0 < first && first <= last).then_some(first..=last)
        };
        let items = text.split(',').map(str::trim);
        items
            .map(|item| range(item).ok_or_else(|| ParseError::Ports(item.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The address of a proxy. Its password is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The address that stands in it, if it has no name.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        }
    }

    pub(super) fn to_reqwest(&self) -> Result<reqwest::Proxy, EgressError> {
        reqwest::Proxy::all(self.0.clone()).map_err(|error| EgressError::Client(error.to_string()))
    }
}

impl FromStr for ProxyUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let url = Url::parse(text).map_err(|_| ParseError::Proxy)?;
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/";
        if fits { Ok(Self(url)) } else { Err(ParseError::Proxy) }
    }
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://…{}:{}", self.0.scheme(), self.0.host_str().unwrap_or_default(), super::port_of(&self.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_an_operator_writes_is_understood_or_refused() {
        for (text, name) in
            [("Hooks.LAN", "hooks.lan"), ("hooks.lan.", "hooks.lan"), ("bücher.example", "xn--bcher-kva.example")]
        {
            assert_eq!(text.parse(), Ok(Allowed::Name { name: name.into(), port: None }), "{text}");
        }
        assert_eq!("hooks.lan:9000".parse(), Ok(Allowed::Name { name: "hooks.lan".into(), port: Some(9000) }));
        for (text, net, port) in [
            ("10.0.0.7", "10.0.0.7/32", None),
            ("10.0.0.7:9000", "10.0.0.7/32", Some(9000)),
            ("::ffff:10.0.0.7", "10.0.0.7/32", None),
            ("fd00::7", "fd00::7/128", None),
            ("[fd00::7]", "fd00::7/128", None),
            ("[fd00::7]:9000", "fd00::7/128", Some(9000)),
            ("10.0.0.0/8", "10.0.0.0/8", None),
            ("fd00::/8", "fd00::/8", None),
        ] {
            assert_eq!(text.parse(), Ok(Allowed::Net { net: net.parse().unwrap(), port }), "{text}");
        }
        for text in ["", "http://hooks.lan", "10.0.0.0/33", "hooks.lan:0", "hooks.lan:http", "hooks lan", "*", "*.lan"]
        {
            assert!(matches!(text.parse::<Allowed>(), Err(ParseError::Allowed(_))), "{text}");
        }
    }

    #[test]
    fn ports_and_proxies_are_understood_or_refused() {
        let ports: Ports = "80, 9000-9002".parse().unwrap();
        let reached: Vec<u16> = (0..=u16::MAX).filter(|port| ports.contains(*port)).collect();
        assert_eq!(reached, [80, 9000, 9001, 9002]);
        for text in ["", "0", "80,", "9-8", "http", "70000", "1-2-3"] {
            assert!(matches!(text.parse::<Ports>(), Err(ParseError::Ports(_))), "{text}");
        }
        let proxy: ProxyUrl = "http://user:hunter2@proxy.lan:3128".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "http://…proxy.lan:3128");
        for text in ["", "proxy.lan:3128", "socks5://proxy.lan:1080", "http://proxy.lan/path"] {
            assert_eq!(text.parse::<ProxyUrl>(), Err(ParseError::Proxy), "{text}");
        }
    }
}
