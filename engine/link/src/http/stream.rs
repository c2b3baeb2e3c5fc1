//! Media in pieces: the protocol library reads and writes them on threads that
//! may wait, the exchange itself runs on the runtime. A few pieces are on their
//! way at a time; a transfer that stands still ends.

use super::{HttpError, READ_DEADLINE, request_of, whole};
use bytes::Bytes;
use futures::stream::poll_fn;
use std::io::{self, Read};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use whatsapp_rust::http::{HttpRequest, HttpResponse};
use whatsapp_rust::wacore::net::{StreamingHttpResponse, UploadBody};

/// Largest file that is read: WhatsApp's 2 GB, encrypted.
const FILE_BYTES: u64 = (2 << 30) + (1 << 20);
/// Longest pause within a transfer.
const IDLE: Duration = Duration::from_secs(60);
/// Size of a piece that is sent.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the network.
const WAITING: usize = 4;

/// Begins a download. To be called on a thread that may wait.
pub(super) fn download(client: &reqwest::Client, request: HttpRequest) -> Result<StreamingHttpResponse, HttpError> {
    let runtime = Handle::try_current().map_err(|_| HttpError::Cut)?;
    let response = runtime.block_on(async {
        let request = request_of(client, &request).await?.body(request.body.unwrap_or_default());
        Ok::<_, HttpError>(timeout(READ_DEADLINE, request.send()).await.map_err(|_| idle(READ_DEADLINE))??)
    })?;
    let status_code = response.status().as_u16();
    let body = Body { runtime, response, piece: Bytes::new(), left: FILE_BYTES };
    Ok(StreamingHttpResponse { status_code, body: Box::new(body) })
}

/// The body of an answer.
struct Body {
    runtime: Handle,
    response: reqwest::Response,
    piece: Bytes,
    left: u64,
}

impl Body {
    fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let Some(piece) = self.runtime.block_on(timeout(IDLE, self.response.chunk())).map_err(|_| idle(IDLE))?? else {
            return Ok(None);
        };
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(HttpError::TooLarge(FILE_BYTES))?;
        Ok(Some(piece))
    }
}

impl Read for Body {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.next().map_err(io::Error::other)? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let part = self.piece.split_to(out.len().min(self.piece.len()));
        out[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
}

/// Sends a body of `length` bytes. To be called on a thread that may wait.
pub(super) fn upload(
    client: &reqwest::Client,
    request: HttpRequest,
    mut body: UploadBody,
    length: u64,
) -> Result<HttpResponse, HttpError> {
    let runtime = Handle::try_current().map_err(|_| HttpError::Cut)?;
    let (pieces, mut waiting) = mpsc::channel::<Result<Bytes, io::Error>>(WAITING);
    let client = client.clone();
    let mut exchange = runtime.spawn(async move {
        let pieces = reqwest::Body::wrap_stream(poll_fn(move |cx| waiting.poll_recv(cx)));
        // WhatsApp's servers want to know the length beforehand.
        let request = request_of(&client, &request).await?.header("Content-Length", length).body(pieces);
        whole(request.send().await?).await
    });
    let sent = send(&runtime, &mut body, &pieces, length);
    drop(pieces);
    if let Err(error) = sent {
        exchange.abort();
        return Err(error);
    }
    // All is handed over; what is left is the rest of the way and the answer.
    match runtime.block_on(timeout(IDLE, &mut exchange)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(HttpError::Cut),
        Err(_) => {
            exchange.abort();
            Err(idle(IDLE))
        }
    }
}

/// Hands a body over in pieces, until its end or until nobody takes them.
fn send(
    runtime: &Handle,
    body: &mut UploadBody,
    pieces: &mpsc::Sender<Result<Bytes, io::Error>>,
    length: u64,
) -> Result<(), HttpError> {
    let mut left = length;
    while left > 0 {
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        body.read_exact(&mut piece).map_err(HttpError::Source)?;
        left -= piece.len() as u64;
        match runtime.block_on(timeout(IDLE, pieces.send(Ok(piece.into())))) {
            Ok(Ok(())) => {}
            // The exchange is over; it says how.
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(idle(IDLE)),
        }
    }
    Ok(())
}

fn idle(limit: Duration) -> HttpError {
    HttpError::Idle(limit.as_secs())
}
