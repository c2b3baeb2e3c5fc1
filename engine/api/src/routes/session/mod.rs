//! Sessions.

pub mod config;
pub mod connection;
pub mod create;
pub mod devices;
pub mod pair_code;
pub mod show;
