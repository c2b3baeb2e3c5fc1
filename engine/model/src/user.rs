//! Users: the tenants of an installation.

use crate::clock::Millis;
use crate::id::UserId;
use serde::{Deserialize, Serialize};

/// One user. The API key is not part of it: only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// `usr_`+ULID; the registry name on the wire.
    pub id: UserId,
    /// Unique; part of the webhook HMAC key.
    pub username: String,
    /// Whether every tenant's sessions are open to this user.
    pub is_admin: bool,
    /// When it was created.
    pub created_ms: Millis,
}
