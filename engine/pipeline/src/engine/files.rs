//! Files, as clients give them and get them.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use crate::files::collect::temp_file;
use crate::files::{Attacher, Fetcher, NewFile, urls::Urls};
use futures::TryStreamExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio_util::io::ReaderStream;
use warest_media::{Kind, MediaError};
use warest_model::history::Media;
use warest_model::id::MediaId;
use warest_store::media::{MediaDirection, MediaRow, MediaShelf, MediaState, object_name};

/// Longest wait for a file that is still at WhatsApp.
const FETCH_WAIT: Duration = Duration::from_secs(60);

impl Engine {
    /// What fetches files.
    pub fn fetcher(&self) -> &Fetcher {
        self.attacher.fetcher()
    }

    /// What works on files.
    pub fn attacher(&self) -> &Attacher {
        &self.attacher
    }

    /// Where files are kept.
    pub fn shelf(&self) -> &Arc<dyn MediaShelf> {
        &self.shelf
    }

    /// The URLs of files.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The URL of a file, good for a while from now on.
    pub fn media_url(&self, id: &MediaId) -> String {
        self.urls.of(id, self.clock.now_ms())
    }

    /// An empty temporary file, where uploads go first.
    pub fn temp_file(&self) -> Result<NamedTempFile, EngineError> {
        temp_file(self.fetcher().config()).map_err(|error| EngineError::Files(error.to_string()))
    }

    /// Puts a file into the storage, for messages of a session.
    pub async fn keep_file(&self, entry: &SessionEntry, new: NewFile, path: &Path) -> Result<MediaId, EngineError> {
        let (media, mime, name) = (self.attacher.media(), new.mime.as_deref(), new.name.as_deref());
        // A file is judged when it is sent: as a document it may be as damaged as it likes.
        let facts = match media.probe(path, mime, name).await {
            Err(MediaError::Io(error)) => return Err(EngineError::Files(error.to_string())),
            Err(_) => media.document(path, mime, name).await,
            probed => probed,
        };
        let facts = facts.map_err(|error| EngineError::Files(error.to_string()))?;
        let now = self.clock.now_ms();
        let (session, id) = (entry.session.id.clone(), MediaId::new(now));
        let object = object_name(&session, &id, now);
        let lost = |error: &dyn std::fmt::Display| EngineError::Files(error.to_string());
        let file = tokio::fs::File::open(path).await.map_err(|error| lost(&error))?;
        let stream = Box::pin(ReaderStream::new(file).map_ok(Into::into));
        let shelved = self.shelf.put(&object, stream, self.fetcher().config().most_bytes).await;
        let shelved = shelved.map_err(|error| lost(&error))?;
        let object = shelved.object;
        let kind = match facts.kind {
            Kind::Image => "image",
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Document => "document",
        };
        let row = MediaRow {
            seq: 0,
            session,
            chat: None,
            message: None,
            direction: MediaDirection::Uploaded,
            media: Media {
                id: id.clone(),
                kind: kind.to_owned(),
                mimetype: facts.mime,
                size: shelved.size,
                sha256: shelved.sha256,
                file_name: new.name,
                width: facts.width,
                height: facts.height,
                seconds: facts.seconds.map(|seconds| seconds.ceil() as u32),
            },
            state: MediaState::Stored,
            object: Some(object.clone()),
            fault: None,
            attempts: 0,
            due_ms: now,
            created_ms: now,
            expires_ms: new.life.map(|life| now.saturating_add(life.as_millis() as i64)),
        };
        if let Err(error) = self.store.put_media(&row).await {
            // A row that nobody wrote must not leave its file behind.
            let _ = self.shelf.remove(&object).await;
            return Err(error.into());
        }
        Ok(id)
    }

    /// Fetches a file that is still at WhatsApp; answers how it stands then.
    pub async fn collect_now(&self, row: &MediaRow) -> Result<MediaRow, EngineError> {
        Ok(self.collector.now(row, FETCH_WAIT).await?)
    }
}
