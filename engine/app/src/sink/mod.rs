//! The sinks there are.

pub mod redis;
