//! What the end-to-end tests share: the real binary as child processes, and
//! the two HTTP APIs as a user has them.
//!
//! `tests/run` builds the binaries and says where they are (`WAREST_BIN`, with
//! the simulated network and failpoints; `WAREST_DEFAULT_BIN`, as shipped).
//! Nothing here waits for a fixed time: conditions have deadlines.

mod files;
mod process;
mod receiver;

pub use files::{Files, base64, data_url, ffmpeg};
pub use process::{Engine, EngineOptions, Network, binary};
pub use receiver::{LANGUAGES, Receiver};

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The key that test engines are started with.
pub const KEY: &str = "test-key-0123456789";

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// An answer: HTTP status and body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body; null if it was none.
    pub body: Value,
}

/// One JSON call with the test key.
pub async fn call(method: Method, url: &str, body: Option<Value>) -> anyhow::Result<Answer> {
    let mut request = client()?.request(method, url).header("x-warest-api-key", KEY);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.with_context(|| format!("calling {url}"))?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
}

/// An HTTP client that goes straight to this machine.
pub fn client() -> anyhow::Result<reqwest::Client> {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(40)).build()?)
}

/// Asks again and again until `look` finds something, for at most [`DEADLINE`].
pub async fn eventually<T, F: Future<Output = anyhow::Result<Option<T>>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    let mut last = None;
    while begun.elapsed() < DEADLINE {
        match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    match last {
        Some(error) => Err(error.context(format!("waiting for {what}"))),
        None => bail!("{what} did not happen within {DEADLINE:?}"),
    }
}

impl Network {
    /// Adds a phone.
    pub async fn phone(&self, phone: &str) -> anyhow::Result<()> {
        let url = format!("{}/phones", self.url);
        let made = call(Method::POST, &url, Some(json!({"phone": phone, "name": phone}))).await?;
        if made.status >= 300 {
            bail!("adding phone {phone}: {made:?}");
        }
        Ok(())
    }

    /// Has a phone write to another; answers the message's id.
    pub async fn say(&self, phone: &str, to: &str, text: &str) -> anyhow::Result<String> {
        self.write(phone, to, json!({ "text": text })).await
    }

    /// Has a phone send any message that the control API takes; answers its id.
    pub async fn write(&self, phone: &str, to: &str, mut message: Value) -> anyhow::Result<String> {
        message["to"] = json!(to);
        let said = self.act(Method::POST, &format!("/phones/{phone}/messages"), message).await?;
        said["id"].as_str().map(str::to_owned).with_context(|| format!("{phone} could not write: {said}"))
    }

    /// Has the network do something; what it answers.
    pub async fn act(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let done = call(method, &format!("{}{path}", self.url), Some(body)).await?;
        if done.status >= 300 {
            bail!("{path}: {done:?}");
        }
        Ok(done.body)
    }

    /// What stands in a phone's inbox from others, oldest first.
    pub async fn received(&self, phone: &str) -> anyhow::Result<Vec<Value>> {
        let url = format!("{}/phones/{phone}/messages?after=0", self.url);
        let inbox = call(Method::GET, &url, None).await?.body;
        let all = inbox.as_array().cloned().unwrap_or_default();
        Ok(all.into_iter().filter(|message| message["fromMe"] == Value::Bool(false)).collect())
    }

    /// Waits until a phone has received a text, and answers the message.
    pub async fn wait_text(&self, phone: &str, text: &str) -> anyhow::Result<Value> {
        eventually(&format!("\"{text}\" at {phone}"), || async {
            Ok(self.received(phone).await?.into_iter().find(|message| message["text"] == text))
        })
        .await
    }
}

impl Engine {
    /// One call of the REST API.
    pub async fn api(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Answer> {
        call(method, &format!("{}/api/v1{path}", self.url), body).await
    }

    /// Creates a session and has a phone scan its code.
    pub async fn pair(&self, network: &Network, session: &str, phone: &str) -> anyhow::Result<()> {
        network.phone(phone).await?;
        let path = "/session/create";
        let qr = eventually("a pairing code", || async {
            let created = self.api(Method::POST, path, Some(json!({"sessionId": session}))).await?;
            let result = created.body.get("result").or_else(|| created.body.pointer("/results/0"));
            Ok(result.and_then(|result| result["qrString"].as_str()).map(str::to_owned))
        })
        .await?;
        let url = format!("{}/phones/{phone}/link", network.url);
        let linked = call(Method::POST, &url, Some(json!({"qr": qr}))).await?;
        if linked.status >= 300 {
            bail!("linking {session} to {phone}: {linked:?}");
        }
        self.wait_state(session, "open").await
    }

    /// Waits until a session is in a state.
    pub async fn wait_state(&self, session: &str, state: &str) -> anyhow::Result<()> {
        eventually(&format!("session {session} {state}"), || async {
            let found = self.api(Method::GET, &format!("/session/{session}"), None).await?;
            Ok((found.body.pointer("/result/status").and_then(Value::as_str) == Some(state)).then_some(()))
        })
        .await
    }

    /// Adds a flow that hears every message of every session.
    pub async fn flow(&self, script: &str) -> anyhow::Result<String> {
        let flow = json!({"name": "test", "on": ["message_received"], "script": script, "enabled": true});
        let made = self.api(Method::POST, "/flows", Some(flow)).await?;
        let id = made.body.pointer("/result/id").or_else(|| made.body.pointer("/results/0/id"));
        id.and_then(Value::as_str).map(str::to_owned).with_context(|| format!("the flow was not made: {made:?}"))
    }

    /// Uploads a plugin and puts it in use for a session.
    pub async fn plugin(&self, component: Vec<u8>, name: &str, session: &str, config: Value) -> anyhow::Result<()> {
        let upload = client()?.post(format!("{}/api/v1/plugins", self.url)).header("x-warest-api-key", KEY);
        let upload = upload.header("content-type", "application/wasm").body(component).send().await?;
        if !upload.status().is_success() {
            bail!("the plugin was refused: {}", upload.text().await?);
        }
        let path = format!("/session/{session}/plugins/{name}");
        let bound = self.api(Method::PUT, &path, Some(json!({"enabled": true, "config": config}))).await?;
        if bound.status >= 300 {
            bail!("the plugin was not bound: {bound:?}");
        }
        Ok(())
    }
}
