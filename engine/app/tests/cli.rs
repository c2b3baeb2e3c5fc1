#![allow(clippy::unwrap_used, missing_docs)]
//! The binary as a stranger meets it: what it says of itself, and of mistakes.

use std::process::{Command, Output};

fn warest(args: &[&str], env: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_warest"));
    command.args(args).envs(env.iter().copied()).current_dir(folder.path()).env("PORT", "0").env("HOST", "127.0.0.1");
    command.output().unwrap()
}

#[test]
fn help_names_the_commands() {
    let help = warest(&["--help"], &[]);
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("serve"));
}

#[test]
fn a_wrong_setting_stops_the_start_and_is_named() {
    for (name, value) in [
        ("WAREST_WEBHOOK_SIGNATURE_SHA2", "300"),
        ("WAREST_WEBHOOK_RETRIES", "many"),
        ("WAREST_WEBHOOK_LONG_SCHEDULE", "1m,soon"),
        ("WAREST_WEBHOOK_DISABLE_AFTER", "5"),
        ("WAREST_WEBHOOK_PAYLOAD", "xml"),
        ("WAREST_WEBHOOK_PARALLEL_TARGETS", "perhaps"),
        ("WEBHOOK_DEFAULT_URL", "https://hooks.example.com/"),
        ("WAREST_DEFAULT_COUNTRY_CODE", "+62"),
        ("WAREST_QUEUE_RETRY_JITTER", "7"),
        ("WAREST_MASTER_KEY", "short"),
        ("WAREST_ADMIN_APIKEY", "short"),
    ] {
        let run = warest(&["serve"], &[(name, value)]);
        assert!(!run.status.success(), "{name}={value} was taken");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(said.contains(name), "{name}: {said}");
    }
}
