//! The stages of the engine in their order, and the handle that works them.
//!
//! ```text
//! link ─► intake ─► event log ─► dispatch ─► flow │ plugin ─┐ plan
//!                           └──► deliver ──► webhook ───────┤
//! link ◄─ send ◄─ queue ◄─ run (journaled steps) ◄──────────┘
//! ```
//!
//! Every arrow between two stages is a committed row; each stage reads the rows
//! it owes through [`lanes`], so a restart is nothing but reading them again.
//! [`Engine`] is what the API and the commands hold.

mod crash;
mod deadlines;
pub mod deliver;
pub mod directory;
pub mod dispatch;
pub mod egress;
pub mod engine;
mod error;
pub mod files;
pub mod follow;
pub mod intake;
pub mod keep;
pub mod lanes;
pub mod run;
pub mod send;
pub mod sink;
mod wakeups;

pub use engine::{Engine, EngineConfig, Prepared};
pub use error::EngineError;
pub use warest_link::{Account, sealed};
pub use warest_media as media;
