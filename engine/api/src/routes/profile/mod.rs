//! What an account shows of itself, and what it knows of others.

pub mod about;
pub mod blocklist;
pub mod business;
pub mod calls;
pub mod contacts;
pub mod info;
pub mod labels;
pub mod newsletters;
pub mod on_whatsapp;
pub mod picture;
pub mod presence;
pub mod privacy;
