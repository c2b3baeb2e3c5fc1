#![allow(clippy::unwrap_used, missing_docs)]
//! The first command of the README: a conversation without any set-up, a clean
//! stop, and a second start that finds its state again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use warest_tests::binary;

struct Sandbox {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    seen: Vec<String>,
}

impl Sandbox {
    fn start(data_dir: &Path) -> Self {
        let mut command = Command::new(binary("WAREST_BIN").unwrap());
        command.args(["sandbox", "--simnet-port", "0"]).arg("--data-dir").arg(data_dir);
        let mut child =
            command.env("PORT", "0").env_remove("WAREST_ADMIN_APIKEY").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, seen: Vec::new() }
    }

    /// Reads on until a line holds `text`.
    fn until(&mut self, text: &str) -> String {
        for line in self.lines.by_ref().map_while(Result::ok) {
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("\"{text}\" was never printed: {:#?}", self.seen);
    }

    /// Presses Ctrl-C; answers whether it ended well.
    fn interrupt(mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.until("stopping");
        self.child.wait().unwrap().success()
    }
}

#[test]
fn the_demonstration_talks_stops_cleanly_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Sandbox::start(folder.path());
    first.until("hello");
    first.until("Hello ");
    first.until("pong");
    first.until("pong from a plugin");
    let key = first.until("X-WAREST-API-KEY");
    assert_eq!(first.seen.iter().filter(|line| line.contains("bot  ")).count(), 3, "{:#?}", first.seen);
    assert!(first.interrupt());

    let mut second = Sandbox::start(folder.path());
    second.until("pong from a plugin");
    let again = second.until("X-WAREST-API-KEY");
    assert_eq!(key.rsplit(": ").next(), again.rsplit(": ").next(), "the key is the same");
    assert!(second.interrupt());
}
