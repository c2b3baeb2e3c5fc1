//! Files: what messages carry, in both directions.
//!
//! Going out, a file is fetched ([`fetch`]) and made what its message says it
//! is ([`attach`]) just before it is sent, so that a job is small and a retry
//! starts anew. Coming in, [`collect`] brings files from WhatsApp into the
//! storage, after their message is recorded and acknowledged.

pub mod attach;
pub mod collect;
pub mod fetch;
pub mod urls;

pub use attach::{Attacher, Ready};
pub use collect::CollectConfig;
pub use fetch::{FetchConfig, Fetched, Fetcher};
pub use urls::Urls;

use std::time::Duration;

/// What a client says of a file that it uploads.
#[derive(Debug, Clone, Default)]
pub struct NewFile {
    /// Its name.
    pub name: Option<String>,
    /// Its type.
    pub mime: Option<String>,
    /// How long it is kept; as long as others if absent.
    pub life: Option<Duration>,
}
