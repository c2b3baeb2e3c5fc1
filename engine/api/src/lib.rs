//! REST: the contract's requests, answered by the engine.
//!
//! [`router`] is all that is needed ([`Gate`] answers while there is no engine
//! yet, and while it stops): it authenticates, reads and bounds what
//! comes in, asks the [`Engine`](warest_pipeline::Engine) once, and answers in
//! the contract's envelope ([`envelope`], [`codes`]). A file per endpoint or
//! small resource lies under `routes/`.
//!
//! Laws kept here: nothing is written for a request that is refused; bad input
//! never answers 5xx; keys are read from headers only and are never logged; no
//! internal error text leaves the process.

mod admission;
mod asking;
mod auth;
pub mod codes;
mod config;
pub mod connection;
pub mod envelope;
mod error;
mod extract;
mod faults;
mod files;
mod idempotency;
mod knowing;
mod people;
mod picture;
mod routes;
mod sending;
mod server;
mod spool;
mod state;
mod stream;
mod throttle;
mod view;
mod which;

pub use admission::Gate;
pub use config::ApiConfig;
pub use error::ApiError;
pub use server::router;
pub use state::ApiState;
pub use stream::StreamLimits;
pub use throttle::RateLimit;
