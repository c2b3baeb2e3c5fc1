//! What every fault happens to: an engine with three reactors, a network, a
//! receiver, and customers who write.

use crate::count::{Inboxes, Tally};
use crate::receiver::Receiver;
use reqwest::Method;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use warest_tests::{Engine, EngineOptions, Network, call};

/// The phone that the session is linked to.
pub const BOT: &str = "6281300000000";
/// The session.
pub const SESSION: &str = "shop";
/// Answers what it hears; the plugin answers the part after `!echo`.
const FLOW: &str = r#"reply("flow " + event.data.text);"#;

/// Who writes, and how much each has written.
pub struct Customers {
    network: Arc<Network>,
    written: Vec<AtomicUsize>,
}

impl Customers {
    /// The phone of a customer.
    pub fn phone(index: usize) -> String {
        format!("62814{index:08}")
    }

    /// How many messages each has written.
    pub fn written(&self) -> Vec<usize> {
        self.written.iter().map(|written| written.load(Ordering::SeqCst)).collect()
    }

    /// Each writes its next message.
    pub async fn round(&self) {
        for (index, written) in self.written.iter().enumerate() {
            let number = written.fetch_add(1, Ordering::SeqCst);
            self.network.say(&Self::phone(index), BOT, &format!("!echo {number}")).await.unwrap();
        }
    }

    /// Each writes so many, in turn.
    pub async fn rounds(&self, count: usize) {
        for _ in 0..count {
            self.round().await;
        }
    }
}

/// Customers who write on and on in the background.
pub struct Writing {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Writing {
    /// Ends it, after a whole round.
    pub async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
    }
}

/// The whole stage.
pub struct Stage {
    pub network: Arc<Network>,
    pub engine: Engine,
    pub receiver: Receiver,
    pub customers: Arc<Customers>,
    pub folder: tempfile::TempDir,
    inboxes: Inboxes,
    /// Where the engine finds the network.
    simnet: String,
    env: Vec<(String, String)>,
}

impl Stage {
    /// A stage whose engine is started with `env`, over the network itself.
    pub async fn new(customers: usize, env: Vec<(String, String)>) -> Self {
        let (network, folder) = Self::ground();
        let simnet = network.url.clone();
        Self::over(network, folder, simnet, customers, env, Receiver::start().await).await
    }

    /// What a stage stands on, for those who put something between.
    pub fn ground() -> (Network, tempfile::TempDir) {
        (Network::start().unwrap(), tempfile::tempdir().unwrap())
    }

    /// A stage whose engine finds the network at `simnet`.
    pub async fn over(
        network: Network,
        folder: tempfile::TempDir,
        simnet: String,
        customers: usize,
        mut env: Vec<(String, String)>,
        receiver: Receiver,
    ) -> Self {
        // Receivers are slow only on purpose. And errors are many here: the
        // backtrace of one would read all debug information into memory.
        let short = [("WAREST_WEBHOOK_BACKOFF_MS", "100"), ("WAREST_WEBHOOK_TIMEOUT_MS", "2000")];
        for (name, value) in short.into_iter().chain([("RUST_BACKTRACE", "0"), ("RUST_LIB_BACKTRACE", "0")]) {
            env.push((name.into(), value.into()));
        }
        for index in 0..customers {
            network.phone(&Customers::phone(index)).await.unwrap();
        }
        let options = EngineOptions { env: env.clone() };
        let engine = Engine::start_over(&simnet, folder.path(), &options).unwrap();
        engine.pair(&network, SESSION, BOT).await.unwrap();
        engine.flow(FLOW).await.unwrap();
        let echo = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/echo/echo.wasm")).unwrap();
        engine.plugin(echo, "echo", SESSION, json!({})).await.unwrap();
        let config = json!({"webhookUrl": receiver.url, "webhookSecret": "s3cret-s3cret-s3cret"});
        let set = engine.api(Method::POST, "/session/shop/config", Some(config)).await.unwrap();
        assert_eq!(set.status, 200, "{set:?}");
        let network = Arc::new(network);
        let written = (0..customers).map(|_| AtomicUsize::new(0)).collect();
        let customers = Arc::new(Customers { network: network.clone(), written });
        let inboxes = Inboxes::new(customers.written.len());
        Self { network, engine, receiver, customers, folder, inboxes, simnet, env }
    }

    /// The engine's data.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Has customers write a round every `pause`, until told to stop.
    pub fn writing(&self, pause: Duration) -> Writing {
        let (stop, customers) = (Arc::new(AtomicBool::new(false)), self.customers.clone());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                customers.round().await;
                tokio::time::sleep(pause).await;
            }
        });
        Writing { stop, task }
    }

    /// Kills the engine as a power cut would.
    pub fn kill(&mut self) {
        self.engine.kill().unwrap();
    }

    /// Starts the engine over the data of the one before.
    pub fn restart(&mut self) {
        self.engine = self.start_with(&[]).unwrap();
    }

    /// An engine with further environment.
    pub fn start_with(&self, more: &[(String, String)]) -> anyhow::Result<Engine> {
        let env = self.env.iter().chain(more).cloned().collect();
        Engine::start_over(&self.simnet, self.data(), &EngineOptions { env })
    }

    /// Switches a fault of the network on.
    pub async fn fault(&self, fault: serde_json::Value) {
        let made = call(Method::POST, &format!("{}/faults", self.network.url), Some(fault)).await.unwrap();
        assert_eq!(made.status, 201, "{made:?}");
    }

    /// Switches all faults of the network off; answers how often one struck.
    pub async fn no_faults(&self) -> u64 {
        call(Method::DELETE, &format!("{}/faults", self.network.url), None).await.unwrap();
        let stats = call(Method::GET, &format!("{}/stats", self.network.url), None).await.unwrap();
        stats.body.pointer("/counters/faults.struck").and_then(serde_json::Value::as_u64).unwrap_or(0)
    }

    /// Drops the session's connection and dials anew.
    pub async fn reconnect(&self) {
        let session = json!({"sessionId": SESSION});
        let asked = self.engine.api(Method::POST, "/session/reconnect", Some(session)).await.unwrap();
        assert!(asked.status < 300, "{asked:?}");
    }

    /// Waits for longer before nothing more is expected.
    pub fn be_patient(&mut self, patience: Duration) {
        self.inboxes.be_patient(patience);
    }

    /// The receiver's answers are useless: nobody waits for them.
    pub fn expect_no_hook(&mut self) {
        self.inboxes.expect_no_hook();
    }

    /// Waits until everything that was written is answered, and counts.
    pub async fn settle(&mut self, what: &str) -> Tally {
        let tally = self.inboxes.settle(&self.network, &self.engine, &self.receiver, &self.customers).await;
        eprintln!("{what}: {tally}");
        tally
    }

    /// The same, and nothing may be wrong.
    pub async fn settles(&mut self, what: &str) {
        let tally = self.settle(what).await;
        assert!(tally.is_clean(), "{what}: {tally}\n{}", tally.details.join("\n"));
    }
}
