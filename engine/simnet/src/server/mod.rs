//! The simulated server: the chat socket and what WhatsApp's servers do for a companion.

pub(crate) mod calls;
pub(crate) mod devices;
pub(crate) mod group;
pub(crate) mod iq;
pub(crate) mod listener;
pub(crate) mod login;
pub(crate) mod message;
pub(crate) mod newsletter;
pub(crate) mod node;
pub(crate) mod noise;
pub(crate) mod pair_code;
pub(crate) mod pairing;
pub(crate) mod people;
pub(crate) mod presence;
pub(crate) mod queue;
pub(crate) mod route;
pub(crate) mod socket;
pub(crate) mod status;
