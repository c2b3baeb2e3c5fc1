//! Logs: one line for each event, to standard error; JSON unless a person reads
//! along or `LOG_PRETTY` says otherwise.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Begins to log. `RUST_LOG` has the last word; else `LOG_LEVEL` (`default` if
/// unset) holds for our own crates and errors for those we use.
pub fn init(default: &str) {
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| default.to_owned());
    let ours: Vec<String> = ["", "_api", "_link", "_model", "_pipeline", "_react", "_simnet", "_store"]
        .iter()
        .map(|room| format!("warest{room}={level}"))
        .collect();
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| format!("error,{}", ours.join(",")));
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let pretty = match std::env::var("LOG_PRETTY").as_deref() {
        Ok("true" | "1") => true,
        Ok(_) => false,
        Err(_) => std::io::stderr().is_terminal(),
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It would complain on standard error, and panic if that is closed.
    let logs = logs.log_internal_errors(false);
    // A second initialisation (in tests) keeps the first.
    let _ = if pretty { logs.try_init() } else { logs.json().flatten_event(true).try_init() };
}
