#![allow(clippy::unwrap_used, missing_docs)]
//! The house rules that a tool can hold: which room may know which, and under
//! which licences the binary's parts come.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::BTreeMap;

/// The rooms that each room may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("warest-model", &[]),
    ("warest-proto", &[]),
    ("warest-react", &["warest-model"]),
    ("warest-store", &["warest-model", "warest-proto"]),
    ("warest-link", &["warest-model"]),
    ("warest-pipeline", &["warest-model", "warest-react", "warest-store", "warest-link"]),
    ("warest-api", &["warest-model", "warest-pipeline", "warest-store"]),
    ("warest-simnet", &[]),
    ("warest-tests", &[]),
];

#[test]
fn rooms_know_only_the_rooms_below_them() {
    let metadata = MetadataCommand::new().no_deps().other_options(vec!["--offline".into()]).exec().unwrap();
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    for package in &metadata.packages {
        let name = package.name.as_str();
        if name == "warest" {
            continue; // The composition root may know everybody.
        }
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} is a new room: add its edges here"));
        let edges = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        for edge in edges.filter(|dependency| dependency.name.starts_with("warest")) {
            assert!(allowed.contains(&edge.name.as_str()), "{name} may not depend on {}", edge.name);
        }
    }
}

/// Licences that may be combined with AGPL-3.0-only.
const LICENCES: &[&str] = &[
    "0BSD", "AGPL-3.0-only", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "CC0-1.0", "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "Unicode-3.0", "Unlicense", "Zlib",
];

#[test]
fn every_dependency_has_a_licence_that_fits() {
    let metadata = MetadataCommand::new().other_options(vec!["--offline".into()]).exec().unwrap();
    for package in &metadata.packages {
        let name = &package.name;
        let licence = package.license.as_deref().unwrap_or_else(|| panic!("{name} names no licence"));
        // Every `AND` part needs an `OR` part that fits.
        let fits = licence.replace('/', " OR ").split(" AND ").all(|part| {
            part.trim_matches(['(', ')']).split(" OR ").any(|one| LICENCES.contains(&one.trim_matches(['(', ')', ' '])))
        });
        assert!(fits, "{name} is under {licence}");
    }
}
