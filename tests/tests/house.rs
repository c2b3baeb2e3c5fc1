#![allow(clippy::unwrap_used, missing_docs)]
//! The house rules that a tool can hold: which room may know which, and under
//! which licences the binary's parts come.

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// The rooms that each room may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("warest-model", &[]),
    ("warest-proto", &[]),
    ("warest-react", &["warest-model"]),
    ("warest-store", &["warest-model", "warest-proto"]),
    ("warest-link", &["warest-model"]),
    ("warest-media", &["warest-model"]),
    ("warest-pipeline", &["warest-model", "warest-media", "warest-react", "warest-store", "warest-link"]),
    ("warest-api", &["warest-model", "warest-pipeline", "warest-store"]),
    ("warest-simnet", &[]),
    ("warest-tests", &[]),
];

fn packages(options: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version=1", "--offline"]).args(options);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn rooms_know_only_the_rooms_below_them() {
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    for package in packages(&["--no-deps"]) {
        let name = package["name"].as_str().unwrap();
        if name == "warest" {
            continue; // The composition root may know everybody.
        }
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} is a new room: add its edges here"));
        // `kind` is null for what the room itself needs, "dev" for its tests.
        let edges = package["dependencies"].as_array().unwrap().iter().filter(|edge| edge["kind"].is_null());
        for edge in edges.filter_map(|edge| edge["name"].as_str()).filter(|edge| edge.starts_with("warest")) {
            assert!(allowed.contains(&edge), "{name} may not depend on {edge}");
        }
    }
}

/// Licences that may be combined with AGPL-3.0-only.
const LICENCES: &[&str] = &[
    "0BSD",
    "AGPL-3.0-only",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "MPL-2.0+",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_dependency_has_a_licence_that_fits() {
    for package in packages(&["--filter-platform", "x86_64-unknown-linux-gnu"]) {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        // Every `AND` part needs an `OR` part that fits.
        let fits = licence.replace('/', " OR ").split(" AND ").all(|part| {
            let mut choices = part.trim_matches(['(', ')', ' ']).split(" OR ");
            choices.any(|one| LICENCES.contains(&one.trim_matches(['(', ')', ' '])))
        });
        assert!(fits, "{name} is under {licence}");
    }
}
