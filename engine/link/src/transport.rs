//! The WebSocket under a session: TLS or loopback, direct or through a proxy.
//!
//! A [`Dialer`] makes one connection at a time for one session. Messages,
//! frames and the channel to the protocol are bounded, so a peer that floods is
//! slowed by TCP; every step has a deadline; the end of a connection carries
//! its reason.

use crate::address::{self, AddressError};
use crate::proxy::{self, DialError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message, error::ProtocolError};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use tokio_util::sync::CancellationToken;
use url::Url;
use whatsapp_rust::async_channel::{self, Receiver, Sender};
use whatsapp_rust::transport::{DisconnectReason, Transport, TransportEvent, TransportFactory};
use whatsapp_rust::wacore::net::WHATSAPP_WEB_ORIGIN;

/// Largest WebSocket message; a Noise frame has a length of three bytes.
const MESSAGE_BYTES: usize = 16 << 20;
/// Messages read ahead of the protocol.
const AHEAD: usize = 64;
/// For everything up to the WebSocket handshake's end.
const DIAL_DEADLINE: Duration = Duration::from_secs(15);
/// For writing one message to the socket.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);
/// For a farewell that nobody may hear.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where sessions connect to, and how.
#[derive(Clone)]
pub(crate) struct Route {
    /// `wss://…`, or `ws://…` on loopback.
    pub(crate) endpoint: Url,
    /// `http://` or `socks5://`, with credentials if it wants them.
    pub(crate) proxy: Option<Url>,
    /// Shared by all connections.
    pub(crate) tls: Arc<ClientConfig>,
}

/// No WebSocket was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// No TCP connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// TLS or the WebSocket handshake failed.
    #[error("the WebSocket handshake failed: {0}")]
    Handshake(#[from] WsError),
    /// It took too long.
    #[error("no connection within {} s", DIAL_DEADLINE.as_secs())]
    Deadline,
}

impl From<AddressError> for TransportError {
    fn from(error: AddressError) -> Self {
        Self::Dial(error.into())
    }
}

/// Makes the connections of one session, and remembers why the last attempt
/// failed: the protocol library logs that, but does not hand it on.
pub(crate) struct Dialer {
    route: Route,
    failure: Mutex<Option<String>>,
}

impl Dialer {
    pub(crate) fn new(route: Route) -> Self {
        Self { route, failure: Mutex::new(None) }
    }

    /// Why the last attempt failed, if it did; asked once per attempt.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn dial(&self) -> Result<Socket, TransportError> {
        let target = address::vet(&self.route.endpoint, address::SANDBOX).await?;
        let stream = match &self.route.proxy {
            None => proxy::direct(&target).await?,
            Some(url) => proxy::through(url, &address::vet(url, address::SANDBOX).await?, &target).await?,
        };
        let mut request = self.route.endpoint.as_str().into_client_request()?;
        request.headers_mut().insert("Origin", HeaderValue::from_static(WHATSAPP_WEB_ORIGIN));
        let bounds =
            WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES)).max_frame_size(Some(MESSAGE_BYTES));
        let connector = Connector::Rustls(Arc::clone(&self.route.tls));
        let (socket, _) = client_async_tls_with_config(request, stream, Some(bounds), Some(connector)).await?;
        Ok(socket)
    }
}

/// A [`Dialer`] that the protocol library and its session both hold.
pub(crate) struct SharedDialer(pub(crate) Arc<Dialer>);

#[async_trait]
impl TransportFactory for SharedDialer {
    async fn create_transport(&self) -> anyhow::Result<(Arc<dyn Transport>, Receiver<TransportEvent>)> {
        let socket = tokio::time::timeout(DIAL_DEADLINE, self.0.dial())
            .await
            .unwrap_or(Err(TransportError::Deadline))
            .inspect_err(|error| {
                *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            })?;
        let (sink, stream) = socket.split();
        let (events, receiver) = async_channel::bounded(AHEAD);
        let closed = CancellationToken::new();
        tokio::spawn(read(stream, events, closed.clone()));
        Ok((Arc::new(Line { sink: tokio::sync::Mutex::new(sink), closed }), receiver))
    }
}

async fn read(mut stream: SplitStream<Socket>, events: Sender<TransportEvent>, closed: CancellationToken) {
    if events.send(TransportEvent::Connected).await.is_err() {
        return;
    }
    let reason = loop {
        let next = tokio::select! {
            () = closed.cancelled() => break DisconnectReason::Unknown,
            next = stream.next() => next,
        };
        match next {
            Some(Ok(Message::Binary(data))) => {
                let taken = tokio::select! {
                    () = closed.cancelled() => break DisconnectReason::Unknown,
                    taken = events.send(TransportEvent::DataReceived(data)) => taken,
                };
                if taken.is_err() {
                    return;
                }
            }
            // Pings are answered by the WebSocket itself; text is not spoken here.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                break DisconnectReason::ServerClose {
                    code: frame.as_ref().map(|frame| frame.code.into()),
                    reason: frame.map(|frame| frame.reason.as_str().to_owned()).unwrap_or_default(),
                };
            }
            Some(Err(error)) => break reason_of(&error),
            None => break DisconnectReason::StreamEnded,
        }
    };
    // Nobody may be listening any more.
    let _ = events.send(TransportEvent::Disconnected(reason)).await;
}

fn reason_of(error: &WsError) -> DisconnectReason {
    match error {
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => DisconnectReason::StreamEnded,
        other => DisconnectReason::ReadError(other.to_string()),
    }
}

/// One open connection.
struct Line {
    sink: tokio::sync::Mutex<SplitSink<Socket, Message>>,
    closed: CancellationToken,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, data: Bytes) -> anyhow::Result<()> {
        let write = async { self.sink.lock().await.send(Message::Binary(data)).await };
        match tokio::time::timeout(WRITE_DEADLINE, write).await {
            Ok(written) => Ok(written?),
            Err(_) => {
                // What is half written cannot be taken back: the line is over.
                self.closed.cancel();
                anyhow::bail!("the socket took nothing for {} s", WRITE_DEADLINE.as_secs())
            }
        }
    }

    async fn disconnect(&self) {
        if self.closed.is_cancelled() {
            return;
        }
        let close = async { self.sink.lock().await.close().await };
        let _ = tokio::time::timeout(CLOSE_DEADLINE, close).await;
        self.closed.cancel();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}
