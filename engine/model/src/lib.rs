//! The nouns of WAREST, shared by every room of the engine.
//!
//! Nothing here does I/O: these are the facts ([`event`],
//! [`history`]), the intentions
//! ([`action`], [`plan`], [`content`]), their execution records ([`run`], [`job`],
//! [`delivery`]), the registry ([`session`], [`user`], [`reactor`],
//! [`target`]) and the small vocabulary they share ([`id`], [`birth`], [`jid`],
//! [`phone`], [`fault`], [`clock`], [`limits`]).

pub mod action;
pub mod birth;
pub mod clock;
pub mod command;
pub mod content;
pub mod delivery;
pub mod event;
pub mod fault;
pub mod group;
pub mod history;
pub mod id;
pub mod jid;
pub mod job;
pub mod limits;
pub mod people;
pub mod phone;
pub mod plan;
pub mod reactor;
pub mod run;
pub mod session;
pub mod target;
pub mod template;
pub mod user;
