//! Groups and communities: what they are, and what an account may change of them.

pub mod community;
pub mod create;
pub mod delete;
pub mod description;
pub mod invite;
pub mod join;
pub mod leave;
pub mod members;
pub mod name;
pub mod participants;
pub mod picture;
pub mod requests;
pub mod rules;
pub mod show;
