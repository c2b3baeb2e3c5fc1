#![allow(clippy::unwrap_used, missing_docs)]
//! An independent client pairs with the simulated network and talks both ways.

use std::process::Command;
use warest_tests::Network;

#[test]
fn baileys_pairs_receives_and_sends() {
    let network = Network::start().unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/interop");
    let run = Command::new("node").arg("interop.mjs").current_dir(folder).env("SIMNET", &network.url).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
}
