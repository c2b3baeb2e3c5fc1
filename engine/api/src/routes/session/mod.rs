//! Sessions.

pub mod config;
pub mod connection;
pub mod create;
pub mod show;
