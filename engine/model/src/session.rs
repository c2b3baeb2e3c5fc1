//! Sessions: the WhatsApp accounts that the engine drives.

use crate::clock::Millis;
use crate::id::{SessionId, UserId};
use serde::{Deserialize, Serialize};

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Dialling or shaking hands.
    Connecting,
    /// Waiting for a phone to scan the QR code.
    Qr,
    /// Waiting for a person to type a code into the phone; the QR code would do, too.
    PairingCode,
    /// Paired and connected.
    Open,
    /// Paired; the connection was lost and is being made again.
    Reconnecting,
    /// The phone removed this device, or the user logged out. Pairing again is needed.
    LoggedOut,
    /// Removed with all it had.
    Deleted,
}

impl SessionState {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Qr => "qr",
            Self::PairingCode => "pairing_code",
            Self::Open => "open",
            Self::Reconnecting => "reconnecting",
            Self::LoggedOut => "logged_out",
            Self::Deleted => "deleted",
        }
    }
}

/// One session, as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name, unique in the installation.
    pub id: SessionId,
    /// The user (tenant) who owns it.
    pub owner: UserId,
    /// A name for people; empty if none was given.
    pub label: String,
    /// Whether it should be connected: restored at boot when true.
    pub enabled: bool,
    /// The account's own address once paired.
    pub me: Option<String>,
    /// When it was created.
    pub created_ms: Millis,
}
