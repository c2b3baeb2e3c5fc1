//! A client of the two HTTP APIs, as a user with `curl` would be one.

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for one answer; long polls end before.
const TIMEOUT: Duration = Duration::from_secs(45);

/// The engine's REST API.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Api {
    /// A client of the engine at `base`.
    pub fn new(base: &str, key: &str) -> anyhow::Result<Self> {
        Ok(Self { http: http()?, base: format!("{base}/api/v1"), key: key.to_owned() })
    }

    /// One call; a failure status is an error that holds the answer's message.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.header("x-warest-api-key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(path, request).await
    }

    /// Uploads a plugin.
    pub async fn upload(&self, component: &'static [u8]) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}/plugins", self.base));
        let request = request.header("x-warest-api-key", &self.key);
        answer("/plugins", request.header("content-type", "application/wasm").body(component)).await
    }

    /// Creates a session and links it to a phone of the simulated network.
    pub async fn pair(&self, session: &str, simnet: &Control, phone: &str, name: &str) -> anyhow::Result<()> {
        simnet.phone(phone, name).await?;
        for _ in 0..60 {
            let created =
                self.call(Method::POST, "/session/create", Some(json!({"sessionId": session, "label": name}))).await?;
            let result = created.get("result").or_else(|| created.pointer("/results/0")).cloned().unwrap_or_default();
            match (created["code"].as_i64(), result["qrString"].as_str()) {
                (Some(1104), _) => return Ok(()),
                (_, Some(qr)) => {
                    simnet.link(phone, qr).await?;
                    return self.wait_open(session).await;
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        bail!("session {session} showed no pairing code")
    }

    /// Waits until a session is open.
    pub async fn wait_open(&self, session: &str) -> anyhow::Result<()> {
        for _ in 0..600 {
            let found = self.call(Method::GET, &format!("/session/{session}"), None).await?;
            if found.pointer("/result/status").and_then(Value::as_str) == Some("open") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("session {session} did not open")
    }
}

/// The simulated network's control API.
#[derive(Clone)]
pub struct Control {
    http: reqwest::Client,
    base: String,
}

impl Control {
    /// A client of the network at `base`.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        Ok(Self { http: http()?, base: base.trim_end_matches('/').to_owned() })
    }

    /// The chat endpoint for engines.
    pub fn chat_endpoint(&self) -> anyhow::Result<String> {
        let rest = self.base.strip_prefix("http://").context("the network's address begins with http://")?;
        Ok(format!("ws://{rest}/ws/chat"))
    }

    /// Adds a phone.
    pub async fn phone(&self, phone: &str, name: &str) -> anyhow::Result<()> {
        self.post("/phones", json!({"phone": phone, "name": name})).await.map(|_| ())
    }

    /// Has a phone scan a pairing code.
    pub async fn link(&self, phone: &str, qr: &str) -> anyhow::Result<()> {
        self.post(&format!("/phones/{phone}/link"), json!({"qr": qr})).await.map(|_| ())
    }

    /// Has a phone write to another.
    pub async fn say(&self, phone: &str, to: &str, text: &str) -> anyhow::Result<()> {
        self.post(&format!("/phones/{phone}/messages"), json!({"to": to, "text": text})).await.map(|_| ())
    }

    /// What came into a phone's inbox after `after`, waiting up to `wait_ms`.
    pub async fn inbox(&self, phone: &str, after: u64, wait_ms: u64) -> anyhow::Result<Vec<Value>> {
        let path = format!("/phones/{phone}/messages?after={after}&wait={wait_ms}");
        let found = answer(&path, self.http.get(format!("{}{path}", self.base))).await?;
        Ok(found.as_array().cloned().unwrap_or_default())
    }

    /// Switches a fault on.
    pub async fn fault(&self, fault: Value) -> anyhow::Result<()> {
        self.post("/faults", fault).await.map(|_| ())
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        answer(path, self.http.post(format!("{}{path}", self.base)).json(&body)).await
    }
}

fn http() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?)
}

async fn answer(path: &str, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let response = request.send().await.with_context(|| format!("calling {path}"))?;
    let status = response.status();
    let body = response.text().await.with_context(|| format!("reading the answer of {path}"))?;
    if !status.is_success() {
        bail!("{path} answered {status}: {body}");
    }
    serde_json::from_str(&body).with_context(|| format!("{path} answered something that is not JSON"))
}
