//! Name resolution that answers only with addresses that may be reached.
//!
//! The HTTP client connects to what this answers and asks nobody else, so the
//! address that was checked is the one that is used.

use super::{EgressError, EgressPolicy};
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Answers the addresses of names.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of a name, best first.
    ///
    /// # Errors
    /// If there are none, or they cannot be found out now.
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// As the operating system resolves.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A resolver under a policy.
#[derive(Clone)]
pub struct Guard {
    policy: Arc<EgressPolicy>,
    resolver: Arc<dyn Resolver>,
    checks: bool,
}

impl Guard {
    /// Answers what `policy` lets be reached of what `resolver` answers.
    pub fn new(policy: Arc<EgressPolicy>, resolver: Arc<dyn Resolver>) -> Self {
        Self { policy, resolver, checks: true }
    }

    /// The same without checks, for names that the operator vouches for.
    pub(super) fn unchecked(&self) -> Self {
        Self { checks: false, ..self.clone() }
    }

    /// The policy.
    pub fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// The addresses of a name that may be connected to. A name with public and
    /// other addresses is reached at the public ones.
    ///
    /// # Errors
    /// If there are none.
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, EgressError> {
        let mut found = self.resolve(host).await?;
        if !self.checks {
            return Ok(found);
        }
        let mut refused = None;
        found.retain(|ip| match self.policy.check_address(host, *ip) {
            Ok(()) => true,
            Err(error) => {
                refused = Some(error);
                false
            }
        });
        match refused {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// All addresses of a name.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, EgressError> {
        let unresolved = |why: String| EgressError::Unresolved { host: host.to_owned(), why };
        let found = self.resolver.lookup(host).await.map_err(|error| unresolved(error.to_string()))?;
        if found.is_empty() { Err(unresolved("it has no address".to_owned())) } else { Ok(found) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.lookup(name.as_str()).await?;
            // Port 0 stands for the port of the URL.
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}
