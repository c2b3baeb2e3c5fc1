//! The HTTP client of the protocol: media, and the version that WhatsApp Web
//! has today.
//!
//! Bodies and times are bounded; redirects are not followed and cookies not
//! kept; every status is handed on as it came. A sandbox build reaches loopback
//! only, whatever a name resolves to.
//!
//! What is short is read at once. Media stream in pieces ([`stream`]), for as
//! long as they move: a transfer has no time limit here, but a pause has.

mod stream;

use crate::address::{self, AddressError};
use crate::tls;
use crate::transport::Route;
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use std::time::Duration;
use url::Url;
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpResponse};
use whatsapp_rust::wacore::net::{StreamingHttpResponse, UploadBody};

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
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// Nothing moved for too long.
    #[error("the transfer stood still for {0} s")]
    Idle(u64),
    /// What was to be sent could not be read.
    #[error("what is sent cannot be read: {0}")]
    Source(std::io::Error),
    /// The runtime ends.
    #[error("the transfer was cut off")]
    Cut,
}

/// The client, shared by all sessions.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    /// For media: its times are kept in [`stream`].
    media: reqwest::Client,
}

impl Http {
    pub(crate) fn new(route: &Route) -> Result<Self, reqwest::Error> {
        let client = builder(route)?.read_timeout(READ_DEADLINE).timeout(DEADLINE).build()?;
        Ok(Self { client, media: builder(route)?.build()? })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = request_of(&self.client, &request).await?.body(request.body.unwrap_or_default()).send().await?;
        whole(response).await
    }
}

fn builder(route: &Route) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::http_config(&route.tls))
        .dns_resolver(Vetting)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .pool_max_idle_per_host(4)
        .no_proxy();
    Ok(match &route.proxy {
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.as_str())?),
        None => builder,
    })
}

/// A request without its body, to where this build may go.
async fn request_of(client: &reqwest::Client, request: &HttpRequest) -> Result<reqwest::RequestBuilder, HttpError> {
    let url = Url::parse(&request.url)?;
    if address::SANDBOX {
        // Names are vetted again when they are dialled; this catches the
        // addresses that need no name, and those that a proxy would dial.
        address::vet(&url, true).await?;
    }
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|_| HttpError::Method)?;
    let mut builder = client.request(method, url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    Ok(builder)
}

/// A short answer.
async fn whole(mut response: reqwest::Response) -> Result<HttpResponse, HttpError> {
    let status_code = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES {
            return Err(HttpError::TooLarge(BODY_BYTES as u64));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse { status_code, body })
}

#[async_trait]
impl HttpClient for Http {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        Ok(self.exchange(request).await?)
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        Ok(stream::download(&self.media, request)?)
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(&self, request: HttpRequest, body: UploadBody, length: u64) -> anyhow::Result<HttpResponse> {
        Ok(stream::upload(&self.media, request, body, length)?)
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
