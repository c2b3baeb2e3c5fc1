//! Egress: HTTP requests to addresses that a client or a guest has named.
//!
//! Reads the operator's [`EgressPolicy`] and the answers of DNS; writes nothing.
//! Its laws:
//! - A connection is made to exactly the address that was checked: an address
//!   in a URL is checked as the client will read it, a name is resolved once,
//!   by [`Guard`], and the client connects to what that answered.
//! - Redirects are not followed, and nothing is taken from `HTTP_PROXY`.
//! - An exchange has one deadline, from the look-up of the name to the last
//!   byte; the client bounds heads, [`bounded_body`] bounds bodies.
//!
//! Through a proxy, it is the proxy that connects, so no address can be pinned
//! here. A name is still resolved and refused if any of its addresses would be;
//! the proxy has to hold the line against names that change between the two.

mod address;
mod guard;
mod parse;
mod policy;

pub use guard::{Guard, Resolver, SystemResolver};
pub use parse::{Allowed, ParseError, Ports, ProxyUrl};
pub use policy::{EgressError, EgressPolicy};

use futures::StreamExt;
use reqwest::redirect::Policy as Redirects;
use reqwest::{Client, Method, RequestBuilder, Response};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Most header lines of an answer. (The client bounds their bytes: some 400 KB
/// over HTTP/1, 16 KB over HTTP/2.)
const HEADER_LINES: usize = 100;

/// Makes requests that obey a policy. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    guard: Guard,
    /// Checks every address that it connects to.
    guarded: Client,
    /// For hosts that the policy names: reached wherever they are.
    named: Client,
    timeout: Duration,
}

impl Egress {
    /// With the names that this machine resolves. An exchange takes `timeout`
    /// at most, unless the request says otherwise.
    ///
    /// # Errors
    /// If the proxy is not one that the policy can have, or TLS is not to be had.
    pub fn new(policy: EgressPolicy, timeout: Duration) -> Result<Self, EgressError> {
        Self::with_resolver(policy, timeout, Arc::new(SystemResolver))
    }

    /// With names from elsewhere.
    ///
    /// # Errors
    /// As [`Egress::new`].
    pub fn with_resolver(
        policy: EgressPolicy,
        timeout: Duration,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, EgressError> {
        policy.check_proxy()?;
        let proxied = policy.proxy.is_some();
        let guard = Guard::new(Arc::new(policy), resolver);
        // Through a proxy, the only name that a client resolves is the proxy's.
        let guarded = match proxied && !guard.policy().loopback_only {
            true => client(&guard, guard.unchecked(), timeout)?,
            false => client(&guard, guard.clone(), timeout)?,
        };
        let named = match proxied || guard.policy().loopback_only {
            true => guarded.clone(),
            false => client(&guard, guard.unchecked(), timeout)?,
        };
        Ok(Self { guard, guarded, named, timeout })
    }

    /// The policy.
    pub fn policy(&self) -> &EgressPolicy {
        self.guard.policy()
    }

    /// Begins a request, if its URL may be requested. What only shows when the
    /// connection is made comes out of `send`: see [`refusal`].
    ///
    /// # Errors
    /// Why the URL is refused, or that its name could not be resolved.
    pub async fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, EgressError> {
        let policy = self.policy();
        let url = policy.check_url(url)?;
        if policy.names(&url) {
            return Ok(self.named.request(method, url));
        }
        if let (Some(_), Some(Host::Domain(name))) = (&policy.proxy, url.host()) {
            self.check_for_proxy(name).await?;
        }
        Ok(self.guarded.request(method, url))
    }

    /// The proxy takes whichever address it likes: all of them must do.
    async fn check_for_proxy(&self, name: &str) -> Result<(), EgressError> {
        let Ok(found) = tokio::time::timeout(self.timeout, self.guard.resolve(name)).await else {
            return Err(EgressError::Unresolved { host: name.to_owned(), why: "no answer in time".to_owned() });
        };
        found?.into_iter().try_for_each(|ip| self.policy().check_address(name, ip))
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("policy", self.policy()).finish_non_exhaustive()
    }
}

fn client(guard: &Guard, resolver: Guard, timeout: Duration) -> Result<Client, EgressError> {
    let builder = Client::builder()
        .redirect(Redirects::none())
        .timeout(timeout)
        .connect_timeout(timeout)
        .http1_max_headers(HEADER_LINES)
        .user_agent(concat!("warest/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(resolver));
    let builder = match &guard.policy().proxy {
        // It takes the place of what the environment says, too.
        Some(proxy) => builder.proxy(proxy.to_reqwest()?),
        None => builder.no_proxy(),
    };
    builder.build().map_err(|error| EgressError::Client(error.to_string()))
}

/// The policy's refusal, if that is why there was no connection.
pub fn refusal(error: &reqwest::Error) -> Option<EgressError> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(refused) = inner.downcast_ref::<EgressError>() {
            return Some(refused.clone());
        }
        source = inner.source();
    }
    None
}

/// Reads a body up to one byte past `limit`, which is enough to see that it is
/// too large.
///
/// # Errors
/// If the connection breaks or the deadline passes before.
pub async fn bounded_body(response: Response, limit: usize) -> Result<Vec<u8>, reqwest::Error> {
    let (mut body, most) = (Vec::new(), limit.saturating_add(1));
    let mut stream = response.bytes_stream();
    while body.len() < most {
        let Some(chunk) = stream.next().await.transpose()? else { break };
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(body)
}

/// The host of a URL as names are compared: without the root's dot.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The port that a URL goes to.
fn port_of(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}
