//! One signed request to one receiver, and what its answer means.

use super::sign::{SignatureLength, contract_signature, standard_signature};
use crate::egress::{Egress, EgressError, bounded_body, refusal};
use reqwest::Method;
use serde_json::Value;
use std::time::{Duration, Instant};
use warest_model::clock::Millis;
use warest_model::limits::ANSWER_BYTES;
use warest_react::SessionInfo;

/// What is posted.
#[derive(Debug)]
pub struct Letter<'a> {
    /// Where to.
    pub url: &'a str,
    /// Key of the signatures, with the username.
    pub secret: &'a str,
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

    /// Posts one letter; answers how long it took, too.
    pub async fn post(&self, letter: &Letter<'_>, timeout: Option<Duration>) -> (Answer, Duration) {
        let begun = Instant::now();
        let answer = self.exchange(letter, timeout).await;
        (answer, begun.elapsed())
    }

    async fn exchange(&self, letter: &Letter<'_>, timeout: Option<Duration>) -> Answer {
        let request = match self.egress.request(Method::POST, letter.url).await {
            Ok(request) => request,
            Err(error) => return refused(&error),
        };
        let body = letter.body.to_string().into_bytes();
        let info = letter.session;
        let signature = contract_signature(self.length, letter.secret, &info.username, &body);
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
            .header("webhook-signature", standard_signature(letter.secret, letter.event_id, seconds, &body));
        if letter.preflight {
            request = request.header("x-warest-preflight", "1");
        }
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        match request.body(body).send().await {
            Err(error) => match refusal(&error) {
                Some(error) => refused(&error),
                None => Answer::Later { status: None, error: chain(&error), after: None },
            },
            Ok(response) => read(response).await,
        }
    }
}

async fn read(response: reqwest::Response) -> Answer {
    let status = response.status();
    let code = status.as_u16();
    match code {
        200..=299 => {}
        401 | 403 => return Answer::Refused { status: code },
        404 | 410 => return Answer::Gone { status: code },
        429 | 500..=599 => {
            let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let after = after.map(Duration::from_secs);
            return Answer::Later { status: Some(code), error: format!("the receiver answered {status}"), after };
        }
        _ => return Answer::Never { status: Some(code), error: format!("the receiver answered {status}") },
    }
    match bounded_body(response, ANSWER_BYTES).await {
        Ok(body) => Answer::Accepted { status: code, body },
        Err(error) => Answer::Later { status: Some(code), error: chain(&error), after: None },
    }
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
