//! An HTTP client for companions that trusts the media host's authority and nothing else.

use async_trait::async_trait;
use reqwest::{Client, Method};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::io::Read;
use std::sync::Arc;
use tokio::runtime::Handle;
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};

pub struct Http(Option<Client>);

impl Http {
    /// A client that trusts the authority; without one, every request fails.
    pub fn trusting(authority: Option<&str>) -> Self {
        Self(authority.map(client))
    }

    fn request(&self, request: &HttpRequest) -> anyhow::Result<reqwest::RequestBuilder> {
        let client = self.0.as_ref().ok_or_else(|| anyhow::anyhow!("no HTTP in this test: {}", request.url))?;
        let mut builder = client.request(Method::from_bytes(request.method.as_bytes())?, &request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        Ok(builder)
    }
}

pub fn client(authority: &str) -> Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

struct Body {
    response: reqwest::Response,
    chunk: bytes::Bytes,
    runtime: Handle,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.response.chunk()).map_err(std::io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.chunk.len());
        buffer[..n].copy_from_slice(&self.chunk.split_to(n));
        Ok(n)
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let mut builder = self.request(&request)?;
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await?;
        Ok(HttpResponse { status_code: response.status().as_u16(), body: response.bytes().await?.to_vec() })
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        let runtime = Handle::current();
        let response = runtime.block_on(self.request(&request)?.send())?;
        let status_code = response.status().as_u16();
        Ok(StreamingHttpResponse {
            status_code,
            body: Box::new(Body { response, chunk: bytes::Bytes::new(), runtime }),
        })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(&self, request: HttpRequest, body: UploadBody, length: u64) -> anyhow::Result<HttpResponse> {
        let chunks = futures::stream::iter(std::iter::from_fn({
            let mut body = body;
            move || {
                let mut chunk = vec![0; 64 * 1024];
                match body.read(&mut chunk) {
                    Ok(0) => None,
                    Ok(n) => {
                        chunk.truncate(n);
                        Some(Ok(chunk))
                    }
                    Err(error) => Some(Err(error)),
                }
            }
        }));
        let body = reqwest::Body::wrap_stream(chunks);
        let builder = self.request(&request)?.header("content-length", length).body(body);
        Handle::current().block_on(async {
            let response = builder.send().await?;
            Ok(HttpResponse { status_code: response.status().as_u16(), body: response.bytes().await?.to_vec() })
        })
    }
}
