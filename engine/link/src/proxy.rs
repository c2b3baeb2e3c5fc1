//! Ways through a proxy: HTTP `CONNECT` and SOCKS5.
//!
//! Both end in a plain TCP stream on which TLS to the real host starts, so a
//! proxy sees where a session connects, and nothing of what it says.

use crate::address::{AddressError, Vetted};
use base64::Engine as _;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use url::Url;

/// Longest answer to `CONNECT` that is read, in bytes.
const ANSWER_BYTES: usize = 8 << 10;

/// No connection was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// The address is not allowed or not known.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// TCP failed.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, std::io::Error),
    /// The SOCKS5 proxy refused.
    #[error("the SOCKS5 proxy refused: {0}")]
    Socks(#[from] tokio_socks::Error),
    /// The HTTP proxy refused.
    #[error("the HTTP proxy refused CONNECT with status {0}")]
    Refused(u16),
    /// The HTTP proxy answered something else than HTTP, or too much of it.
    #[error("the HTTP proxy gave no proper answer to CONNECT")]
    Answer,
    /// The stream broke.
    #[error("the proxy connection broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Connects to a vetted host itself.
pub(crate) async fn direct(target: &Vetted) -> Result<TcpStream, DialError> {
    connect(&target.host, &target.addresses).await
}

/// Connects to `target` through `proxy`, whose own address is `hop`.
pub(crate) async fn through(proxy: &Url, hop: &Vetted, target: &Vetted) -> Result<TcpStream, DialError> {
    let stream = connect(&hop.host, &hop.addresses).await?;
    let name = (target.host.as_str(), target.port);
    match proxy.scheme() {
        "http" => tunnel(stream, proxy, target).await,
        "socks5" | "socks5h" => Ok(match credentials(proxy) {
            Some((user, password)) => {
                Socks5Stream::connect_with_password_and_socket(stream, name, &user, &password).await?.into_inner()
            }
            None => Socks5Stream::connect_with_socket(stream, name).await?.into_inner(),
        }),
        other => Err(AddressError::Scheme(other.to_owned()).into()),
    }
}

async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
    let stream = TcpStream::connect(addresses).await.map_err(|error| DialError::Connect(host.to_owned(), error))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn tunnel(mut stream: TcpStream, proxy: &Url, target: &Vetted) -> Result<TcpStream, DialError> {
    let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let authority = format!("{host}:{}", target.port);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some((user, password)) = credentials(proxy) {
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        request.push_str(&format!("Proxy-Authorization: Basic {token}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;

    // Byte by byte: what follows the empty line belongs to the tunnel.
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_BYTES {
            return Err(DialError::Answer);
        }
        answer.push(stream.read_u8().await?);
    }
    match status_of(&answer) {
        Some(200..=299) => Ok(stream),
        Some(status) => Err(DialError::Refused(status)),
        None => Err(DialError::Answer),
    }
}

fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

/// Name and password of a proxy URL, with percent-encoding undone.
fn credentials(proxy: &Url) -> Option<(String, String)> {
    if proxy.username().is_empty() {
        return None;
    }
    let plain = |text: &str| {
        url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Some((plain(proxy.username()), plain(proxy.password().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::net::TcpListener;

    async fn proxy_that_answers(answer: &'static str) -> (Url, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://us%40er:p%3Ass@{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        (url, asked)
    }

    async fn dial(proxy: &Url) -> Result<TcpStream, DialError> {
        let hop = crate::address::vet(proxy, true).await.unwrap();
        let target = Vetted { host: "chat.example".into(), port: 443, addresses: Vec::new() };
        through(proxy, &hop, &target).await
    }

    #[tokio::test]
    async fn connect_asks_for_the_host_by_name_and_leaves_the_tunnel_clean() {
        let (proxy, asked) = proxy_that_answers("HTTP/1.1 200 OK\r\nVia: x\r\n\r\nhello").await;
        let mut tunnel = dial(&proxy).await.unwrap();
        let mut first = [0; 5];
        tunnel.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"hello");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("CONNECT chat.example:443 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("Proxy-Authorization: Basic dXNAZXI6cDpzcw==\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_refusal_names_the_status() {
        let (proxy, _asked) = proxy_that_answers("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
        assert!(matches!(dial(&proxy).await.unwrap_err(), DialError::Refused(407)));
        let (proxy, _asked) = proxy_that_answers("SSH-2.0-x\r\n\r\n").await;
        assert!(matches!(dial(&proxy).await.unwrap_err(), DialError::Answer));
    }
}
