//! The commands.

pub mod backup;
#[cfg(feature = "sandbox")]
pub mod bench;
pub mod doctor;
mod files;
pub mod health;
pub mod restore;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod serve;
#[cfg(feature = "sandbox")]
pub mod simnet;

#[cfg(feature = "sandbox")]
mod client;
