//! Protobuf schemas of what WAREST stores and streams.
//!
//! These records outlive binaries and cross nodes: fields and enum values are
//! only ever added, never renumbered or reused, and `golden/` holds bytes that
//! every later version must still read. `warest-store` turns them into the
//! nouns of `warest-model` and back.

/// Version 1 of the schemas, as generated from `warest/v1/*.proto`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/warest.v1.rs"));
}
