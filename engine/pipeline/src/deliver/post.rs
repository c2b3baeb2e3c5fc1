//! One signed request to one receiver, and what its answer means.

use super::schedule::retry_after;
use super::sign::{SignatureLength, contract_signature, standard_signatures};
use crate::egress::{Egress, EgressError, bounded_body, refusal};
use reqwest::Method;
use serde_json::Value;
use std::time::{Duration, Instant};
use warest_model::clock::Millis;
use warest_model::limits::{ANSWER_BYTES, ANSWER_KEPT_BYTES};
use warest_model::target::Outcome;
use warest_react::SessionInfo;

/// What is posted.
#[derive(Debug)]
pub struct Letter<'a> {
    /// Where to.
    pub url: &'a str,
    /// Keys of the signatures: the one in use, and the one before it while both
    /// are. The contract's signature is made with the first.
    pub secrets: &'a [&'a str],
    /// `X-WAREST-Event`.
    pub event: &'a str,
    /// `X-WAREST-Event-Id` and `webhook-id`.
    pub event_id: &'a str,
    /// Whose event it is.
    pub session: &'a SessionInfo,
    /// Counted from 1.
    pub attempt: u32,
    /// Whether this only asks if the receiver is there.
    pub preflight: bool,
    /// The JSON body.
    pub body: &'a Value,
    /// Now.
    pub now_ms: Millis,
}

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// A success; its body, cut one byte past [`ANSWER_BYTES`].
    Accepted {
        /// HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// 401 or 403: the receiver does not want us now.
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// 404 or 410: the receiver is gone.
    Gone {
        /// HTTP status.
        status: u16,
    },
    /// Trying later may work: no answer, 429 or 5xx.
    Later {
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// What went wrong.
        error: String,
        /// What `Retry-After` asked for.
        after: Option<Duration>,
    },
    /// Trying again is of no use.
    Never {
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// What went wrong.
        error: String,
    },
}

impl Answer {
    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Accepted { status, .. } | Self::Refused { status } | Self::Gone { status } => Some(*status),
            Self::Later { status, .. } | Self::Never { status, .. } => *status,
        }
    }

    /// Why it is no success.
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Accepted { .. } => None,
            Self::Refused { status } | Self::Gone { status } => Some(format!("the receiver answered {status}")),
            Self::Later { error, .. } | Self::Never { error, .. } => Some(error.clone()),
        }
    }

    /// What it says of the receiver.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Accepted { .. } => Outcome::Answered,
            Self::Refused { .. } => Outcome::Refused,
            Self::Gone { .. } => Outcome::Gone,
            Self::Later { .. } => Outcome::Failed,
            Self::Never { .. } => Outcome::Rejected,
        }
    }
}

/// A letter that was posted.
#[derive(Debug)]
pub struct Posted {
    /// What came back.
    pub answer: Answer,
    /// How long it took.
    pub took: Duration,
    /// The beginning of the body that came back.
    pub excerpt: String,
}

/// Posts letters.
#[derive(Clone)]
pub struct Poster {
    egress: Egress,
    length: SignatureLength,
}

impl Poster {
    /// A poster that sends by `egress`.
    pub fn new(egress: Egress, length: SignatureLength) -> Self {
        Self { egress, length }
    }

    /// Posts one letter.
    pub async fn post(&self, letter: &Letter<'_>, timeout: Option<Duration>) -> Posted {
        let begun = Instant::now();
        let (answer, body) = self.exchange(letter, timeout).await;
        let body = match &answer {
            Answer::Accepted { body, .. } => body,
            _ => &body,
        };
        Posted { excerpt: excerpt(body), took: begun.elapsed(), answer }
    }

    /// Answers the body of what was no success, too.
    async fn exchange(&self, letter: &Letter<'_>, timeout: Option<Duration>) -> (Answer, Vec<u8>) {
        let request = match self.egress.request(Method::POST, letter.url).await {
            Ok(request) => request,
            Err(error) => return (refused(&error), Vec::new()),
        };
        let body = letter.body.to_string().into_bytes();
        let info = letter.session;
        let secret = letter.secrets.first().copied().unwrap_or_default();
        let signature = contract_signature(self.length, secret, &info.username, &body);
        let seconds = letter.now_ms / 1_000;
        let mut request = request
            .header("content-type", "application/json")
            .header("x-warest-signature", signature)
            .header("x-warest-signature-alg", self.length.algorithm())
            .header("x-warest-timestamp", letter.now_ms)
            .header("x-warest-event", letter.event)
            .header("x-warest-event-id", letter.event_id)
            .header("x-warest-session", &info.id)
            .header("x-warest-registry", &info.registry)
            .header("x-warest-label", header_text(&info.label))
            .header("x-warest-username", header_text(&info.username))
            .header("x-warest-version", "1")
            .header("x-warest-delivery-attempt", letter.attempt)
            .header("webhook-id", letter.event_id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", standard_signatures(letter.secrets, letter.event_id, seconds, &body));
        if letter.preflight {
            request = request.header("x-warest-preflight", "1");
        }
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        match request.body(body).send().await {
            Err(error) => {
                let answer = match refusal(&error) {
                    Some(error) => refused(&error),
                    None => Answer::Later { status: None, error: chain(&error), after: None },
                };
                (answer, Vec::new())
            }
            Ok(response) => read(response, letter.now_ms).await,
        }
    }
}

async fn read(response: reqwest::Response, now_ms: Millis) -> (Answer, Vec<u8>) {
    let status = response.status();
    let code = status.as_u16();
    let error = format!("the receiver answered {status}");
    let answer = match code {
        200..=299 => {
            let answer = match bounded_body(response, ANSWER_BYTES).await {
                Ok(body) => Answer::Accepted { status: code, body },
                Err(error) => Answer::Later { status: Some(code), error: chain(&error), after: None },
            };
            return (answer, Vec::new());
        }
        401 | 403 => Answer::Refused { status: code },
        404 | 410 => Answer::Gone { status: code },
        // 407 is a proxy on the way, which says nothing of the receiver.
        407 | 429 | 500..=599 => {
            let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let after = after.and_then(|value| retry_after(value, now_ms));
            Answer::Later { status: Some(code), error, after }
        }
        _ => Answer::Never { status: Some(code), error },
    };
    // It is shown to people only: what cannot be read of it is left out.
    (answer, bounded_body(response, ANSWER_KEPT_BYTES).await.unwrap_or_default())
}

/// The beginning of a body as text.
fn excerpt(body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&body[..body.len().min(ANSWER_KEPT_BYTES)]).into_owned();
    // What is no text may have grown.
    while text.len() > ANSWER_KEPT_BYTES {
        text.pop();
    }
    text
}

/// What a refusal by the policy means for a delivery.
fn refused(error: &EgressError) -> Answer {
    let text = error.to_string();
    match error.may_pass() {
        true => Answer::Later { status: None, error: text, after: None },
        false => Answer::Never { status: None, error: text },
    }
}

/// Labels may hold anything; headers may not.
fn header_text(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// The whole chain of an error, without the URL (it may hold a token).
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { "no answer".to_owned() };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
