//! What the store can be asked of media files.

use crate::Result;
use async_trait::async_trait;
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::history::Media;
use warest_model::id::{MediaId, SessionId};
use warest_model::jid::Jid;

/// How a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaState {
    /// It is on WhatsApp's servers only, and fetched when somebody asks for it: what
    /// came with the phone's history.
    Remote,
    /// It is still to be fetched.
    Pending,
    /// It is on the shelf.
    Stored,
    /// It could not be fetched, and is not tried again.
    Failed,
    /// It was removed, by a person or by retention.
    Gone,
}

impl MediaState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Remote, Self::Pending, Self::Stored, Self::Failed, Self::Gone];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Pending => "pending",
            Self::Stored => "stored",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }

    /// The state with this wire name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Where a file came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaDirection {
    /// With a message that came in.
    Received,
    /// With a message of this account.
    Sent,
    /// It was put into the storage by a client; it does not go with a message.
    Uploaded,
}

impl MediaDirection {
    /// Every direction.
    pub const ALL: [Self; 3] = [Self::Received, Self::Sent, Self::Uploaded];

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Uploaded => "uploaded",
        }
    }

    /// The direction with this wire name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == name)
    }
}

/// What the store knows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRow {
    /// Position: later ones have higher ones. The store gives it.
    pub seq: i64,
    /// Whose.
    pub session: SessionId,
    /// The chat of its message.
    pub chat: Option<Jid>,
    /// Its message; the first, if there are several.
    pub message: Option<String>,
    /// Where it came from.
    pub direction: MediaDirection,
    /// The file, as its message describes it; once it is stored, as it is.
    pub media: Media,
    /// How it stands.
    pub state: MediaState,
    /// Its name on the shelf. One that is `gone` has it until the object is
    /// removed.
    pub object: Option<String>,
    /// What went wrong last.
    pub fault: Option<Fault>,
    /// How often it was tried to fetch it.
    pub attempts: u32,
    /// When it is tried next, while it is pending.
    pub due_ms: Millis,
    /// When the row was made.
    pub created_ms: Millis,
    /// When it goes, if that was said.
    pub expires_ms: Option<Millis>,
}

/// A file that is on the shelf, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its name on the shelf.
    pub object: String,
    /// In bytes.
    pub size: u64,
    /// Of its content, in hexadecimal.
    pub sha256: String,
    /// Its type, where looking at it showed another than was declared.
    pub mimetype: Option<String>,
    /// In pixels, where that is known better than before.
    pub width: Option<u32>,
    /// In pixels, where that is known better than before.
    pub height: Option<u32>,
    /// Its length, where that is known better than before.
    pub seconds: Option<u32>,
}

/// Media files.
#[async_trait]
pub trait MediaRows: Send + Sync {
    /// The row with this id.
    async fn media(&self, id: &MediaId) -> Result<Option<MediaRow>>;
    /// Pending rows behind the position `after` that are due, in order.
    async fn pending_media(&self, now_ms: Millis, after: i64, limit: u32) -> Result<Vec<MediaRow>>;
    /// When the next pending row is due.
    async fn next_media_due(&self) -> Result<Option<Millis>>;
    /// Adds a row, of an upload or of a file that is sent; `Exists` if it is there.
    async fn put_media(&self, row: &MediaRow) -> Result<()>;
    /// A file that was fetched is on the shelf. `NotFound` if there is no such row, it
    /// is gone, or stored already: then its object is to be removed.
    async fn media_stored(&self, id: &MediaId, file: &MediaFile) -> Result<()>;
    /// A pending file is tried again at `due_ms`. `NotFound` if it is not pending.
    async fn media_deferred(&self, id: &MediaId, attempts: u32, due_ms: Millis, fault: &Fault) -> Result<()>;
    /// A file is given up. `NotFound` unless it is pending or remote.
    async fn media_failed(&self, id: &MediaId, attempts: u32, fault: &Fault) -> Result<()>;
    /// A file of a message that is not here is fetched, or fetched again. `NotFound`
    /// unless it is remote, failed, or gone together with its object.
    async fn fetch_media_again(&self, id: &MediaId, now_ms: Millis) -> Result<()>;
    /// A file is not wanted any more. `NotFound` if there is none.
    async fn drop_media(&self, id: &MediaId) -> Result<()>;

    /// Objects of files that are gone, to be removed from the shelf.
    async fn unwanted_objects(&self, limit: u32) -> Result<Vec<(MediaId, String)>>;
    /// Their objects are removed. Rows that nothing refers to any more go, too.
    async fn objects_removed(&self, ids: &[MediaId]) -> Result<()>;
    /// Which of these objects some row knows of, in the order asked.
    async fn known_objects(&self, objects: &[String]) -> Result<Vec<bool>>;
    /// Files that should be on the shelf, behind the position `after`, in order.
    async fn stored_media(&self, after: i64, limit: u32) -> Result<Vec<MediaRow>>;
}
