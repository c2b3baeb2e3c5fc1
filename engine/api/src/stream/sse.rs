//! Frames as server-sent events.

use super::{Frame, Frames};
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::time::Duration;

/// When a client should come back after a broken connection.
const RETRY: Duration = Duration::from_secs(2);
/// Tells proxies to pass on each event as it comes.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// The answer that shows a stream.
pub fn response(frames: Frames) -> Response {
    // The body is polled only when the connection can take more.
    let events = futures::stream::unfold(Some((frames, true)), |open| async {
        let (mut frames, first) = open?;
        let frame = frames.next().await;
        let event = if first { spelled(&frame).retry(RETRY) } else { spelled(&frame) };
        let open = (!matches!(frame, Frame::End(_))).then_some((frames, false));
        Some((Ok::<_, Infallible>(event), open))
    });
    let mut response = Sse::new(events).into_response();
    let (name, value) = UNBUFFERED;
    response.headers_mut().insert(name, value);
    response
}

fn spelled(frame: &Frame) -> Event {
    if let Frame::KeepAlive = frame {
        return Event::default().comment("");
    }
    // JSON has no line breaks outside its strings, and escapes them within.
    let event = Event::default().event(frame.name()).data(frame.json().to_string());
    match frame.place() {
        Some(place) => event.id(place),
        None => event,
    }
}
