//! Frames over a WebSocket, and the one thing a client may say: what it wants to
//! see from here on.
//!
//! A client that takes nothing for the write timeout, answers no ping, or talks
//! too much is closed with a code that says why.

use super::{Frame, Frames};
use crate::codes;
use crate::error::ApiError;
use crate::which::Which;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// Largest message of a client, in bytes.
pub const MESSAGE_BYTES: usize = 16 << 10;
/// Messages that a client may send between two pings.
const TALK: u32 = 60;
/// Pings without an answer after which a client is gone.
const UNANSWERED: u32 = 2;
/// How long a closing client has to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a client may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `subscribe`")]
struct Said {
    subscribe: Which,
}

/// Shows a stream until one side ends it.
pub async fn run(mut socket: WebSocket, mut frames: Frames) {
    if let Some(close) = talk(&mut socket, &mut frames).await {
        let goodbye = async {
            if socket.send(Message::Close(Some(close))).await.is_ok() {
                while let Some(Ok(_)) = socket.recv().await {}
            }
        };
        // Who does not say goodbye in time is left without.
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// Why the connection is to be closed; `None` if it is closed.
async fn talk(socket: &mut WebSocket, frames: &mut Frames) -> Option<CloseFrame> {
    let patience = frames.state.config.streams.write_timeout;
    let (mut unanswered, mut said) = (0, 0);
    loop {
        let (message, close) = tokio::select! {
            frame = frames.next() => match frame {
                Frame::KeepAlive if unanswered >= UNANSWERED => return None,
                Frame::KeepAlive => {
                    (unanswered, said) = (unanswered + 1, 0);
                    (Message::Ping(Vec::new().into()), None)
                }
                frame => {
                    let close = if let Frame::End(ending) = &frame { Some(closing(ending)) } else { None };
                    (text(&frame.json()), close)
                }
            },
            heard = socket.recv() => {
                (unanswered, said) = (0, said + 1);
                if said > TALK {
                    return Some(because(close_code::POLICY, "too many messages"));
                }
                match heard {
                    Some(Ok(Message::Text(said))) => {
                        (text(&subscribe(frames, &said)), None)
                    }
                    // A close is answered by the next read, which then is the last.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => continue,
                    Some(Ok(Message::Binary(_))) => return Some(because(close_code::UNSUPPORTED, "send text")),
                    Some(Err(_)) | None => return None,
                }
            }
        };
        match timeout(patience, socket.send(message)).await {
            Err(_) => return Some(because(close_code::AGAIN, "too slow; come back with the id of the last event")),
            Ok(Err(_)) => return None,
            Ok(Ok(())) if close.is_some() => return close,
            Ok(Ok(())) => {}
        }
    }
}

/// Does what a client said, and answers it.
fn subscribe(frames: &mut Frames, said: &str) -> Value {
    let filter = serde_json::from_str::<Said>(said)
        .map_err(|error| ApiError::new(codes::MALFORMED_JSON, format!("send {{\"subscribe\": {{…}}}}: {error}")))
        .and_then(|said| said.subscribe.filter(&frames.state, &frames.caller));
    match filter {
        Ok(filter) => {
            let shown = json!({ "session": filter.session, "event": filter.kinds, "chat": filter.chat });
            frames.set_filter(filter);
            json!({ "event": "subscribed", "data": shown })
        }
        Err(error) => json!({ "event": "error", "data": { "code": error.code().number, "message": error.message() } }),
    }
}

fn text(json: &Value) -> Message {
    Message::Text(json.to_string().into())
}

fn closing(ending: &super::Ending) -> CloseFrame {
    let code = match ending.code {
        codes::SOCKET_NOT_CONNECTED => close_code::AWAY,
        codes::DATABASE_ERROR => close_code::ERROR,
        _ => close_code::POLICY,
    };
    because(code, ending.message)
}

fn because(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
