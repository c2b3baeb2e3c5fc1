//! What the port answers before the engine is there, and while it stops.
//!
//! The port is open from the first moment to the last, so that whoever asks gets
//! an answer instead of a refused connection: 503 with code 8001 and
//! `Retry-After` while the engine starts and while it drains, the API in between.
//! `GET /` always answers 200: it says that the process is there, and
//! `/api/v1/server/ready` whether it may have traffic.

use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiError;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::{Arc, PoisonError, RwLock};
use tower::ServiceExt;
use warest_model::clock::SharedClock;

/// Seconds after which a server that starts may be asked again.
const STARTING_RETRY_AFTER: u64 = 1;
/// The same of one that stops: another one has to come first.
const STOPPING_RETRY_AFTER: u64 = 5;
/// Paths that are answered to the last.
const PROBES: [&str; 3] = ["/", "/api/v1/server/ping", "/api/v1/server/healthz"];
const READY: &str = "/api/v1/server/ready";

#[derive(Clone)]
enum Phase {
    Starting,
    Open(Router),
    Stopping(Router),
}

/// The way in. Cheap to clone; all clones are one gate.
#[derive(Clone)]
pub struct Gate {
    phase: Arc<RwLock<Phase>>,
    version: Arc<str>,
    clock: SharedClock,
}

impl Gate {
    /// A gate before which callers wait; `version` is shown as `X-WAREST-Version`.
    pub fn new(version: &str, clock: SharedClock) -> Self {
        Self { phase: Arc::new(RwLock::new(Phase::Starting)), version: version.into(), clock }
    }

    /// What to serve on the port.
    pub fn router(&self) -> Router {
        Router::new().fallback(pass).with_state(self.clone())
    }

    /// Lets everybody through to the API.
    pub fn open(&self, api: Router) {
        *self.phase.write().unwrap_or_else(PoisonError::into_inner) = Phase::Open(api);
    }

    /// Takes no new requests. Those that are in are not touched.
    pub fn close(&self) {
        let mut phase = self.phase.write().unwrap_or_else(PoisonError::into_inner);
        if let Phase::Open(api) = &*phase {
            *phase = Phase::Stopping(api.clone());
        }
    }

    fn phase(&self) -> Phase {
        self.phase.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers that it cannot be now.
    fn not_now(&self, path: &str, state: &'static str, retry_after: u64) -> Response {
        let mut response = if path == READY {
            let facts = json!({
                "ready": false,
                "state": state,
                "dependencies": { "db": false },
                "timestamp": self.clock.now_ms() / 1_000,
            });
            Reply::new(codes::SERVICE_UNAVAILABLE, format!("Server is {state}")).results(vec![facts]).into_response()
        } else {
            let message = format!("the server is {state}; nothing of this request was done, send it again later");
            ApiError::new(codes::SERVICE_UNAVAILABLE, message).into_response()
        };
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        if let Ok(version) = HeaderValue::from_str(&self.version) {
            response.headers_mut().insert(HeaderName::from_static("x-warest-version"), version);
        }
        response
    }
}

async fn pass(State(gate): State<Gate>, request: Request) -> Response {
    let path = request.uri().path();
    match gate.phase() {
        Phase::Open(api) => through(api, request).await,
        Phase::Starting if path == "/" => format!("WAREST {} is starting\n", gate.version).into_response(),
        Phase::Starting => gate.not_now(path, "starting", STARTING_RETRY_AFTER),
        Phase::Stopping(api) if PROBES.contains(&path) => through(api, request).await,
        Phase::Stopping(_) => {
            let mut response = gate.not_now(path, "stopping", STOPPING_RETRY_AFTER);
            // The next request of this client should find another server.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

async fn through(api: Router, request: Request<Body>) -> Response {
    match api.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::routing::get;
    use warest_model::clock::ManualClock;

    async fn ask(gate: &Gate, path: &str) -> (u16, Option<String>, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = gate.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let after = parts.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
        (parts.status.as_u16(), after, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_says_what_it_is_doing_before_and_after_the_api() {
        let gate = Gate::new("9.9.9", ManualClock::at(5_000));
        let (status, after, body) = ask(&gate, "/api/v1/server/ready").await;
        assert_eq!((status, after.as_deref()), (503, Some("1")));
        assert!(body.contains(r#""state":"starting""#) && body.contains("8001"), "{body}");
        assert_eq!(ask(&gate, "/api/v1/flows").await.0, 503);
        assert_eq!(ask(&gate, "/").await.0, 200, "the process is there");
        // Closed before it ever opened: it goes on to say that it starts.
        gate.close();
        assert!(ask(&gate, "/api/v1/server/ready").await.2.contains("starting"));

        let answers = Router::new()
            .route("/", get(|| async { "home" }))
            .route("/api/v1/flows", get(|| async { "flows" }))
            .route("/api/v1/server/ping", get(|| async { "pong" }))
            .route("/api/v1/server/ready", get(|| async { "ready" }));
        gate.open(answers);
        assert_eq!(ask(&gate, "/api/v1/flows").await, (200, None, "flows".into()));
        assert_eq!(ask(&gate, "/api/v1/server/ready").await.2, "ready");

        gate.close();
        assert_eq!(ask(&gate, "/api/v1/server/ping").await.2, "pong");
        let (status, after, body) = ask(&gate, "/api/v1/flows").await;
        assert_eq!((status, after.as_deref()), (503, Some("5")));
        assert!(body.contains("stopping") && body.contains("8001"), "{body}");
        assert!(ask(&gate, "/api/v1/server/ready").await.2.contains(r#""ready":false"#));
    }
}
