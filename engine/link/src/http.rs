//! The HTTP client of the protocol: media, and the version that WhatsApp Web
//! has today.
//!
//! Bodies and times are bounded; redirects are not followed and cookies not
//! kept; every status is handed on as it came. A sandbox build reaches loopback
//! only, whatever a name resolves to.

use crate::address::{self, AddressError};
use crate::transport::Route;
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use std::time::Duration;
use url::Url;
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpResponse};

/// Largest body that is read, in bytes.
const BODY_BYTES: usize = 32 << 20;
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
const READ_DEADLINE: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_secs(120);

/// A request that was not made or not finished.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The URL cannot be read.
    #[error("the URL cannot be read: {0}")]
    Url(#[from] url::ParseError),
    /// The address is not allowed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The method is none.
    #[error("the HTTP method is not known")]
    Method,
    /// The exchange failed.
    #[error("{0}")]
    Exchange(#[from] reqwest::Error),
    /// The body is too large.
    #[error("the answer is larger than {BODY_BYTES} bytes")]
    TooLarge,
}

/// The client, shared by all sessions.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
}

impl Http {
    pub(crate) fn new(route: &Route) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*route.tls).clone())
            .dns_resolver(Vetting)
            .redirect(Policy::none())
            .connect_timeout(CONNECT_DEADLINE)
            .read_timeout(READ_DEADLINE)
            .timeout(DEADLINE)
            .pool_max_idle_per_host(4)
            .no_proxy();
        if let Some(proxy) = &route.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.as_str())?);
        }
        Ok(Self { client: builder.build()? })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = Url::parse(&request.url)?;
        if address::SANDBOX {
            // Names are vetted again when they are dialled; this catches the
            // addresses that need no name, and those that a proxy would dial.
            address::vet(&url, true).await?;
        }
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|_| HttpError::Method)?;
        let mut builder = self.client.request(method, url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let mut response = builder.send().await?;
        let status_code = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > BODY_BYTES {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status_code, body })
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        Ok(self.exchange(request).await?)
    }
}

/// Resolves names, and refuses what this build may not reach.
struct Vetting;

impl Resolve for Vetting {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            address::check(name.as_str(), &addresses, address::SANDBOX, false)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
