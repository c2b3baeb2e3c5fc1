//! An engine with a session, a friend's phone, and an eye on the engine's memory.

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use tempfile::TempDir;
use warest_tests::{Answer, Engine, EngineOptions, KEY, Network, call, eventually};

pub const BOT: &str = "6281900000001";
pub const ANA: &str = "6281900000002";
pub const SHOP: &str = "shop";

pub struct Stage {
    pub network: Network,
    pub engine: Engine,
    /// For whatever a test makes.
    pub folder: TempDir,
    http: reqwest::Client,
}

impl Stage {
    pub async fn set(env: &[(&str, &str)]) -> Self {
        let network = Network::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let data = folder.path().join("data");
        let engine = Engine::start(&network, &data, &EngineOptions { env }).unwrap();
        engine.pair(&network, SHOP, BOT).await.unwrap();
        network.phone(ANA).await.unwrap();
        // Large files take as long as they take.
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { network, engine, folder, http }
    }

    /// Sends a file to Ana by REST.
    pub async fn send(&self, operation: &str, mut body: Value) -> Answer {
        body["sessionId"] = json!(SHOP);
        body["to"] = json!(ANA);
        self.engine.api(Method::POST, &format!("/messages/send/{operation}"), Some(body)).await.unwrap()
    }

    /// Sends a file to Ana as the body of a request with a key; the answer.
    pub async fn send_raw(&self, operation: &str, key: &str, file: &Path) -> Answer {
        let url = format!("{}/api/v1/messages/send/{operation}", self.engine.url);
        let url = format!("{url}?sessionId={SHOP}&to={ANA}&filename=film.mp4&compress=false");
        let request = self.http.post(url).header("x-warest-api-key", KEY).header("idempotency-key", key);
        let request = request.header("content-type", "application/octet-stream").body(stream_of(file).await);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        Answer { status, body: answer.json().await.unwrap_or_default() }
    }

    /// Has a film sent by Ana to the session; the message's id.
    pub async fn film_from_ana(&self, file: &Path) -> String {
        let phone = format!("{}/phones/{ANA}", self.network.url);
        let uploaded = self.http.post(format!("{phone}/uploads")).body(stream_of(file).await).send().await.unwrap();
        let uploaded: Value = uploaded.json().await.unwrap();
        let film = json!({ "upload": uploaded["upload"], "mimetype": "video/mp4", "seconds": 2 });
        let body = json!({ "to": BOT, "video": film });
        let sent = call(Method::POST, &format!("{phone}/messages"), Some(body)).await.unwrap();
        sent.body["id"].as_str().unwrap_or_else(|| panic!("{sent:?}")).to_owned()
    }

    /// Waits until Ana's phone shows so many messages of the session; the last.
    pub async fn shown(&self, count: usize) -> Value {
        let of = |messages: Vec<Value>| (messages.len() >= count).then(|| messages.last().cloned()).flatten();
        let what = format!("message {count} at Ana's");
        eventually(&what, || async { Ok(of(self.network.received(ANA).await?)) }).await.unwrap()
    }

    /// The hash and size of what came with a message to Ana's phone.
    pub async fn hash_at_ana(&self, message: &Value) -> (String, u64) {
        let id = message["id"].as_str().unwrap();
        self.hash(&format!("{}/phones/{ANA}/messages/{id}/media", self.network.url)).await
    }

    /// Waits until the engine has the file of a message that came in; what it says of it.
    pub async fn kept(&self, id: &str) -> Value {
        let path = format!("/chats/{ANA}/messages?sessionId={SHOP}");
        eventually("the file in the engine's storage", || async {
            let list = self.engine.api(Method::GET, &path, None).await?.body;
            let message = list["result"]["data"].as_array().into_iter().flatten().find(|message| message["id"] == id);
            let file = message.map(|message| message["mediaMetadata"].clone());
            Ok(file.filter(|file| file["state"] == "stored"))
        })
        .await
        .unwrap()
    }

    /// The hash and size of what is behind a URL of the engine; it needs no key.
    pub async fn hash_signed(&self, url: &str) -> (String, u64) {
        let path = url.find("/storage/").map_or(url, |at| &url[at..]);
        self.hash(&format!("{}{path}", self.engine.url)).await
    }

    async fn hash(&self, url: &str) -> (String, u64) {
        let answer = self.http.get(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        let (mut hash, mut size, mut pieces) = (Sha256::new(), 0, answer.bytes_stream());
        while let Some(piece) = pieces.next().await {
            let piece = piece.unwrap();
            hash.update(&piece);
            size += piece.len() as u64;
        }
        (hex::encode(hash.finalize()), size)
    }

    /// The engine's memory now, in KiB.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// Begins to note the most memory that the engine has.
    pub fn watch(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.engine.pid()), "5").unwrap();
    }

    /// The most memory that the engine had since [`Stage::watch`], in KiB: not one
    /// look at it, but the kernel's own mark.
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.engine.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// A file as a body, in pieces.
async fn stream_of(file: &Path) -> reqwest::Body {
    reqwest::Body::from(tokio::fs::File::open(file).await.unwrap())
}
