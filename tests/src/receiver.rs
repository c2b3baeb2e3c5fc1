//! Webhook receivers in other languages, as child processes of a test.

use crate::eventually;
use crate::process::{end, spawn};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The languages of `examples/receivers`.
pub const LANGUAGES: [&str; 6] = ["node", "python", "go", "php", "ruby", "rust"];

/// A receiver that listens.
pub struct Receiver {
    /// What it is written in.
    pub language: &'static str,
    /// Where it listens.
    pub url: String,
    child: Child,
}

impl Receiver {
    /// Starts the example in a language; none if its runtime is not there.
    /// `scratch` is for what is compiled.
    pub async fn example(language: &'static str, secret: &str, scratch: &Path) -> anyhow::Result<Option<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/receivers").join(language);
        let command = match language {
            "node" => interpreted("node", &folder.join("receiver.mjs")),
            "python" => interpreted("python3", &folder.join("receiver.py")),
            "php" => interpreted("php", &folder.join("receiver.php")),
            "ruby" => interpreted("ruby", &folder.join("receiver.rb")),
            "go" => go(&folder.join("receiver.go"), scratch)?,
            "rust" => Some(Command::new(example("receiver")?)),
            _ => bail!("there is no receiver in {language}"),
        };
        match command {
            Some(command) => Self::start(language, command, secret).await.map(Some),
            None => Ok(None),
        }
    }

    /// Starts a command that prints `listening on` and its port, and waits
    /// until it can be connected to.
    pub async fn start(language: &'static str, mut command: Command, secret: &str) -> anyhow::Result<Self> {
        command.env("SECRET", secret).env("USERNAME_OF_OWNER", "admin").env("PORT", "0").stderr(Stdio::null());
        let (child, port) = spawn(command, "listening on ")?;
        let receiver = Self { language, url: format!("http://127.0.0.1:{port}/"), child };
        let address = format!("127.0.0.1:{port}");
        eventually(&format!("the receiver in {language}"), || async {
            tokio::net::TcpStream::connect(&address).await?;
            Ok(Some(()))
        })
        .await?;
        Ok(receiver)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn interpreted(runtime: &str, script: &Path) -> Option<Command> {
    let mut asked = Command::new(runtime);
    asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let there = asked.status().is_ok_and(|status| status.success());
    there.then(|| {
        let mut command = Command::new(runtime);
        command.arg(script);
        command
    })
}

/// Compiled first: `go run` would leave its child behind.
fn go(source: &Path, scratch: &Path) -> anyhow::Result<Option<Command>> {
    let program = scratch.join("receiver-go");
    let mut build = Command::new("go");
    let Ok(built) = build.arg("build").arg("-o").arg(&program).arg(source).status() else { return Ok(None) };
    if !built.success() {
        bail!("the receiver in Go does not compile");
    }
    Ok(Some(Command::new(program)))
}

/// A Cargo example, which is built with the tests.
fn example(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let profile = test.parent().and_then(Path::parent).context("the tests are not in a target folder")?;
    Ok(profile.join("examples").join(name))
}
