//! Small tools around messages: what numbers and addresses are, files that
//! WhatsApp sealed, QR codes, identifiers, hashes.

pub mod base64;
pub mod decrypt;
pub mod hash;
pub mod jid;
pub mod media;
pub mod output;
pub mod phone;
pub mod qr;
pub mod uuid;
pub mod votes;
