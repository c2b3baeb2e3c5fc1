//! The binary as child processes of a test.

use crate::KEY;
use anyhow::{Context, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a process may take to say where it listens.
const START: Duration = Duration::from_secs(30);

/// A simulated network in a process of its own.
pub struct Network {
    /// The control API.
    pub url: String,
    child: Child,
}

impl Network {
    /// Starts one in memory.
    pub fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(binary("WAREST_BIN")?);
        command.args(["simnet", "--port", "0"]);
        let (child, url) = spawn(command, "simnet listens on ")?;
        Ok(Self { url, child })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// How to start an engine.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Further environment.
    pub env: Vec<(String, String)>,
}

/// A sandbox engine in a process of its own, attached to a network.
pub struct Engine {
    /// The API's base address.
    pub url: String,
    child: Child,
}

impl Engine {
    /// Starts one over `data_dir`.
    pub fn start(network: &Network, data_dir: &Path, options: &EngineOptions) -> anyhow::Result<Self> {
        Self::start_over(&network.url, data_dir, options)
    }

    /// The same, with the network behind another address.
    pub fn start_over(simnet: &str, data_dir: &Path, options: &EngineOptions) -> anyhow::Result<Self> {
        let mut command = Command::new(binary("WAREST_BIN")?);
        command.args(["sandbox", "--bare", "--simnet", simnet]);
        command.arg("--data-dir").arg(data_dir);
        command.env("PORT", "0").env("HOST", "127.0.0.1").env("WAREST_ADMIN_APIKEY", KEY);
        command.env("WAREST_WEBHOOK_ACTIONS_DELAY_MS", "0");
        // Tests ask often, and write to the same phone again and again.
        command.env("RATE_LIMIT_MAX", "0").env("SPAM_COOLDOWN_MS", "0");
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        let (child, line) = spawn(command, "API ")?;
        let url = line.split("/api/v1").next().unwrap_or_default().trim().to_owned();
        Ok(Self { url, child })
    }

    /// Stops it as a power cut would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        // It may have aborted by itself.
        let _ = self.child.kill();
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, as a supervisor does.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().context("running kill")?;
        anyhow::ensure!(sent.success(), "the process {} could not be signalled", self.pid());
        Ok(())
    }

    /// Asks it to stop and waits for its end; whether it ended well.
    pub async fn stop(&mut self) -> anyhow::Result<bool> {
        self.terminate()?;
        self.wait_end().await
    }

    /// Waits for its end; whether it ended well.
    pub async fn wait_end(&mut self) -> anyhow::Result<bool> {
        crate::eventually("the end of the engine", || {
            let ended = self.child.try_wait();
            async move { Ok(ended?.map(|status| status.success())) }
        })
        .await
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The path in an environment variable that `tests/run` sets.
pub fn binary(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var(variable).with_context(|| format!("{variable} is not set; run tests/run"))?;
    Ok(PathBuf::from(path))
}

/// Starts a command and reads on until it prints `prefix`; answers the rest of
/// that line.
pub(crate) fn spawn(mut command: Command, prefix: &'static str) -> anyhow::Result<(Child, String)> {
    let mut child =
        command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().with_context(|| format!("starting {command:?}"))?;
    let Some(out) = child.stdout.take() else { bail!("no standard output") };
    let (tell, told) = mpsc::channel();
    // Reads on to the end, so that the child never waits for a full pipe.
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if let Some(rest) = line.strip_prefix(prefix) {
                // Only the first is waited for.
                let _ = tell.send(rest.trim().to_owned());
            }
        }
    });
    match told.recv_timeout(START) {
        Ok(rest) => Ok((child, rest)),
        Err(_) => {
            end(&mut child);
            bail!("the process did not print \"{prefix}\" within {START:?}")
        }
    }
}

pub(crate) fn end(child: &mut Child) {
    // It may have ended already; nothing is left to do then.
    let _ = child.kill();
    let _ = child.wait();
}
