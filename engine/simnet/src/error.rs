//! What can go wrong at the edges of simnet: starting it, loading its state and asking something
//! of it. Every message says what to do; the control API turns each into a status and `{error}`.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why simnet could not start or could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SimnetError {
    /// Simnet has no authentication, so it is never exposed.
    #[error("simnet has no authentication and listens on loopback only: use 127.0.0.1 or ::1 instead of {0}")]
    NotLoopback(SocketAddr),
    /// The port could not be bound.
    #[error("cannot listen on {addr}: {source}; stop what uses the port or choose another")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The state file could not be read or written.
    #[error("state file {path}: {reason}; remove the file to start with an empty network")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A number that no phone has.
    #[error("no phone {0}: create it with POST /phones {{\"phone\":\"{0}\",\"name\":\"…\"}}")]
    UnknownPhone(String),
    /// A request that cannot be carried out as written.
    #[error("{0}")]
    Invalid(String),
    /// A body past the limit.
    #[error("the body is larger than {0} bytes: send less at once")]
    TooLarge(usize),
    /// A path or method that the control API does not have.
    #[error("no such endpoint: see docs/simnet.md; there are /phones, /phones/{{phone}}/…, /faults, /stats and /root")]
    UnknownRoute,
    /// What was asked of a group or account is against its rules.
    #[error("the network refuses: {reason}")]
    Refused {
        /// The code that a client gets.
        code: u16,
        /// Why, and what to do.
        reason: String,
    },
    /// Pairing did not complete.
    #[error("pairing failed: {0}")]
    Pairing(String),
    /// The phone's encryption failed; a defect of simnet or of the peer.
    #[error("the phone could not encrypt: {0}")]
    Signal(String),
    /// The media host failed, or is not there.
    #[error("{0}")]
    Media(String),
    /// A file that came with a message is not what the message says.
    #[error("the message's file: {0}")]
    BadMedia(String),
    /// A message that a phone does not have.
    #[error("{phone} shows no message {id}: see GET /phones/{phone}/messages")]
    UnknownMessage {
        /// The phone.
        phone: String,
        /// The message.
        id: String,
    },
    /// Simnet is stopping.
    #[error("simnet is shutting down")]
    Stopping,
}

impl SimnetError {
    /// The HTTP status this error has in the control API.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownPhone(_) | Self::UnknownRoute | Self::UnknownMessage { .. } => 404,
            Self::Invalid(_) | Self::NotLoopback(_) => 400,
            Self::TooLarge(_) => 413,
            Self::Refused { code, .. } => *code,
            Self::Pairing(_) => 409,
            Self::BadMedia(_) => 422,
            Self::Bind { .. } | Self::State { .. } | Self::Signal(_) | Self::Media(_) => 500,
            Self::Stopping => 503,
        }
    }
}
