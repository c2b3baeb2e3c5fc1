//! One chat socket: frames in and out of a WebSocket, the Noise handshake at its start, and the
//! writer that drains the device's queue.
//!
//! The reader (the connection's task) decrypts and handles stanzas one after the other. The writer
//! has two sources: direct answers, bounded so that a client that does not read slows only itself,
//! and the device's queue from a cursor on. Frames are bounded; a handshake has a deadline.

use super::noise::{self, Established, Step};
use super::{login, node};
use crate::account::Device;
use crate::faults::{Direction, Fault, FaultKind};
use crate::network::Network;
use axum::extract::ws::{Message, WebSocket};
use bytes::{Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, OwnedNodeRef};
use wacore_noise::NoiseCipher;
use wacore_noise::framing::{FrameDecoder, encode_frame};

/// The largest frame accepted.
pub(crate) const FRAME_LIMIT: usize = 4 << 20;
/// Direct answers waiting for a slow client.
const ANSWERS: usize = 256;
const HANDSHAKE: Duration = Duration::from_secs(20);
/// A client that says nothing for this long is gone; clients ping every 20 to 30 s.
const SILENCE: Duration = Duration::from_secs(180);

/// What the writer is told.
enum Out {
    Node(Node),
    Last(Node),
    Drain(Arc<Device>),
}

/// A live connection, as others see it.
pub(crate) struct Connection {
    tx: mpsc::Sender<Out>,
    closed: CancellationToken,
}

impl Connection {
    /// Sends a stanza; waits while the client is slow.
    pub(crate) async fn send(&self, node: Node) {
        let _ = self.tx.send(Out::Node(node)).await;
    }

    /// Sends a stanza unless the client is slow.
    pub(crate) fn offer(&self, node: Node) {
        let _ = self.tx.try_send(Out::Node(node));
    }

    /// Begins to deliver the device's queue.
    pub(crate) async fn drain(&self, device: Arc<Device>) {
        let _ = self.tx.send(Out::Drain(device)).await;
    }

    /// Sends a last stanza and closes.
    pub(crate) fn close_with(&self, node: Node) {
        if self.tx.try_send(Out::Last(node)).is_err() {
            self.closed.cancel();
        }
    }

    /// Closes at once.
    pub(crate) fn cut(&self) {
        self.closed.cancel();
    }
}

/// Why a socket ended before its client was known.
#[derive(Debug, thiserror::Error)]
enum SocketError {
    #[error("the client closed during the handshake")]
    Closed,
    #[error("the first bytes are no WhatsApp prologue")]
    Prologue,
    #[error("a frame is larger than {FRAME_LIMIT} bytes")]
    TooLarge,
    #[error(transparent)]
    Noise(#[from] noise::NoiseError),
    #[error("cannot write: {0}")]
    Write(String),
}

struct Reader {
    stream: SplitStream<WebSocket>,
    decoder: FrameDecoder,
    /// Bytes before the prologue is complete; `None` after it.
    intro: Option<Vec<u8>>,
}

impl Reader {
    async fn frame(&mut self) -> Result<BytesMut, SocketError> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                return Ok(frame);
            }
            if self.decoder.buffered_len() > FRAME_LIMIT {
                return Err(SocketError::TooLarge);
            }
            let data = match self.stream.next().await {
                Some(Ok(Message::Binary(data))) => data,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(SocketError::Closed),
                Some(Ok(_)) => continue,
            };
            match &mut self.intro {
                None => self.decoder.feed(&data),
                Some(intro) => {
                    intro.extend_from_slice(&data);
                    if let Some(start) = after_prologue(intro)? {
                        self.decoder.feed(&intro[start..]);
                        self.intro = None;
                    }
                }
            }
        }
    }
}

/// Where the frames start: after an optional `ED` routing preamble and `WA`, 6, dictionary.
fn after_prologue(bytes: &[u8]) -> Result<Option<usize>, SocketError> {
    let mut start = 0;
    if bytes.starts_with(b"ED") {
        let Some([high, mid, low]) = bytes.get(4..7) else { return Ok(None) };
        start = 7 + (usize::from(*high) << 16 | usize::from(*mid) << 8 | usize::from(*low));
        if start > FRAME_LIMIT {
            return Err(SocketError::TooLarge);
        }
    }
    match bytes.get(start..start + 4) {
        None => Ok(None),
        Some([b'W', b'A', 6, _]) => Ok(Some(start + 4)),
        Some(_) => Err(SocketError::Prologue),
    }
}

/// Serves one WebSocket until it ends.
pub(crate) async fn serve(net: Arc<Network>, socket: WebSocket) {
    let (mut sink, stream) = socket.split();
    let mut reader = Reader { stream, decoder: FrameDecoder::new(), intro: Some(Vec::with_capacity(64)) };
    let shaken = tokio::time::timeout(HANDSHAKE, handshake(&net, &mut reader, &mut sink)).await;
    let established = match shaken {
        Ok(Ok(established)) => established,
        Ok(Err(error)) => {
            net.stats.count("handshakes.failed");
            tracing::debug!(%error, "handshake failed");
            return;
        }
        Err(_) => return,
    };
    let Established { seal, open, client_static, payload } = established;
    let (tx, rx) = mpsc::channel(ANSWERS);
    let closed = net.stop.child_token();
    let connection = Arc::new(Connection { tx, closed: closed.clone() });
    let writer = Writer { net: net.clone(), sink, seal, counter: 0, device: None, cursor: 0, held: None };
    let writing = tokio::spawn(writer.run(rx, closed.clone()));
    let mut session = login::begin(&net, &connection, client_static, &payload).await;
    let mut counter = 0u32;
    loop {
        let frame = tokio::select! {
            () = closed.cancelled() => break,
            frame = tokio::time::timeout(SILENCE, reader.frame()) => match frame {
                Ok(Ok(frame)) => frame,
                Ok(Err(_)) | Err(_) => break,
            },
        };
        let Some(stanza) = open_frame(&open, counter, frame) else {
            net.stats.count("frames.unreadable");
            break;
        };
        counter = counter.wrapping_add(1);
        session.handle(stanza).await;
    }
    session.end();
    closed.cancel();
    let _ = writing.await;
}

async fn handshake(
    net: &Network,
    reader: &mut Reader,
    sink: &mut SplitSink<WebSocket, Message>,
) -> Result<Established, SocketError> {
    let hello = reader.frame().await?;
    match noise::answer_hello(&net.authority, &net.chance, &hello)? {
        Step::Done(reply, established) => {
            write_frame(sink, &reply).await?;
            Ok(established)
        }
        Step::Reply(reply, awaiting) => {
            write_frame(sink, &reply).await?;
            let finish = reader.frame().await?;
            Ok(awaiting.finish(&finish)?)
        }
    }
}

async fn write_frame(sink: &mut SplitSink<WebSocket, Message>, payload: &[u8]) -> Result<(), SocketError> {
    let frame = encode_frame(payload, None).map_err(|e| SocketError::Write(e.to_string()))?;
    sink.send(Message::Binary(frame.into())).await.map_err(|e| SocketError::Write(e.to_string()))
}

fn open_frame(open: &NoiseCipher, counter: u32, mut frame: BytesMut) -> Option<Node> {
    open.decrypt_in_place_with_counter(counter, &mut frame).ok()?;
    let plain: Bytes = wacore_binary::util::unpack_bytes(frame).ok()?;
    OwnedNodeRef::new(plain).ok().map(|node| node.to_owned_node())
}

struct Writer {
    net: Arc<Network>,
    sink: SplitSink<WebSocket, Message>,
    seal: NoiseCipher,
    counter: u32,
    device: Option<Arc<Device>>,
    cursor: u64,
    /// A message held back by a reorder fault.
    held: Option<Arc<Node>>,
}

impl Writer {
    async fn run(mut self, mut rx: mpsc::Receiver<Out>, closed: CancellationToken) {
        let mut arrivals = None;
        loop {
            tokio::select! {
                biased;
                () = closed.cancelled() => break,
                out = rx.recv() => {
                    let alive = match out {
                        Some(Out::Node(node)) => self.write(&node).await,
                        Some(Out::Drain(device)) if self.device.is_none() => {
                            arrivals = Some(device.queue.watch());
                            let ok = self.replay(&device).await;
                            self.device = Some(device);
                            ok
                        }
                        Some(Out::Drain(_)) => true,
                        Some(Out::Last(node)) => {
                            self.write(&node).await;
                            false
                        }
                        None => false,
                    };
                    if !alive {
                        break;
                    }
                }
                () = arrival(&self.device, self.cursor, &mut arrivals) => {
                    if !self.next_from_queue().await {
                        break;
                    }
                }
            }
        }
        closed.cancel();
        let _ = self.sink.send(Message::Close(None)).await;
    }

    /// Sends what waited while the device was away, between the two markers.
    async fn replay(&mut self, device: &Device) -> bool {
        let (count, last) = device.queue.backlog();
        if count > 0 {
            let preview = NodeBuilder::new("offline_preview")
                .attr("count", count)
                .attr("message", count)
                .attr("receipt", 0)
                .attr("notification", 0)
                .attr("appdata", 0)
                .build();
            if !self.write(&ib(preview)).await {
                return false;
            }
        }
        let mut sent = 0;
        while self.cursor < last {
            let Some(entry) = device.queue.after(self.cursor).filter(|entry| entry.seq <= last) else {
                break;
            };
            self.cursor = entry.seq;
            sent += 1;
            let mut node = (*entry.node).clone();
            node.attrs.insert("offline", "1");
            if !self.with_faults(&device.phone, Arc::new(node)).await {
                return false;
            }
        }
        self.cursor = self.cursor.max(last);
        self.write(&ib(NodeBuilder::new("offline").attr("count", sent).build())).await
    }

    async fn next_from_queue(&mut self) -> bool {
        let device = self.device.clone();
        let entry = device.as_ref().and_then(|device| device.queue.after(self.cursor));
        let (Some(device), Some(entry)) = (device, entry) else {
            // Woken with nothing new: a held message has waited long enough.
            return match self.held.take() {
                Some(node) => self.write(&node).await,
                None => true,
            };
        };
        self.cursor = entry.seq;
        self.with_faults(&device.phone, entry.node).await
    }

    async fn with_faults(&mut self, phone: &str, node: Arc<Node>) -> bool {
        if node.tag != "message" {
            return self.write(&node).await;
        }
        let Some(fault) = self.net.faults.strike(phone, Direction::In) else {
            let alive = self.write(&node).await;
            return match self.held.take() {
                Some(held) if alive => self.write(&held).await,
                _ => alive,
            };
        };
        self.net.stats.count("faults.struck");
        self.apply(&fault, node).await
    }

    async fn apply(&mut self, fault: &Fault, node: Arc<Node>) -> bool {
        match fault.kind {
            FaultKind::Drop => true,
            FaultKind::Delay => {
                tokio::time::sleep(fault.wait()).await;
                self.write(&node).await
            }
            FaultKind::Duplicate => self.write(&node).await && self.write(&node).await,
            FaultKind::Disconnect => false,
            FaultKind::Reorder => {
                if let Some(earlier) = self.held.replace(node) {
                    return self.write(&earlier).await;
                }
                let device = self.device.clone();
                let cursor = self.cursor;
                let mut arrivals = device.as_ref().map(|device| device.queue.watch());
                let _ = tokio::time::timeout(fault.wait(), arrival(&device, cursor, &mut arrivals)).await;
                self.next_from_queue_boxed().await
            }
            FaultKind::Garble
            | FaultKind::Nack
            | FaultKind::Iq
            | FaultKind::Refuse
            | FaultKind::Ban
            | FaultKind::Media
            | FaultKind::Conflict => self.write(&node).await,
        }
    }

    fn next_from_queue_boxed(&mut self) -> std::pin::Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(self.next_from_queue())
    }

    async fn write(&mut self, node: &Node) -> bool {
        let Ok(mut bytes) = wacore_binary::marshal_auto(node) else {
            tracing::warn!(tag = %node.tag, "stanza cannot be encoded");
            return true;
        };
        if self.seal.encrypt_in_place_with_counter(self.counter, &mut bytes).is_err() {
            return false;
        }
        self.counter = self.counter.wrapping_add(1);
        match encode_frame(&bytes, None) {
            Ok(frame) => self.sink.send(Message::Binary(frame.into())).await.is_ok(),
            Err(_) => false,
        }
    }
}

fn ib(child: Node) -> Node {
    NodeBuilder::new("ib").attr("from", node::SERVER).children([child]).build()
}

/// Waits until the device's queue has something after `cursor`.
async fn arrival(device: &Option<Arc<Device>>, cursor: u64, arrivals: &mut Option<tokio::sync::watch::Receiver<u64>>) {
    let (Some(device), Some(arrivals)) = (device, arrivals) else {
        return std::future::pending().await;
    };
    loop {
        arrivals.mark_unchanged();
        if device.queue.after(cursor).is_some() {
            return;
        }
        if arrivals.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
