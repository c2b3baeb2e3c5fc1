//! Files that came in: from WhatsApp into the storage.
//!
//! A message is recorded and acknowledged before its file is fetched, so that a
//! large film holds up nobody. What is still to be fetched are rows; a restart
//! goes on with them. A file is fetched through the session that got it, once
//! that is open, and tried again with growing waits. One that its sender's phone
//! has no more is given up, with the reason in its row.

use crate::files::fetch::FetchConfig;
use futures::TryStreamExt as _;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warest_link::{Links, Remote};
use warest_model::clock::{Millis, SharedClock};
use warest_model::fault::{Fault, FaultKind, NOT_CONNECTED};
use warest_model::id::{MediaId, SessionId};
use warest_model::plan::MessageKey;
use warest_model::session::SessionState;
use warest_store::media::{MediaFile, MediaRow, MediaShelf, object_name};
use warest_store::{Store, StoreError};

/// Files that are fetched at once.
const AT_ONCE: usize = 4;
/// Rows that are read at once.
const ROWS: u32 = 200;
/// Attempts for one file.
const ATTEMPTS: u32 = 8;
/// The first wait between attempts; it doubles up to [`LONGEST_WAIT_MS`].
const FIRST_WAIT_MS: Millis = 2_000;
const LONGEST_WAIT_MS: Millis = 30 * 60_000;
/// Wait for a session that is not open.
const CLOSED_WAIT_MS: Millis = 5_000;
/// Longest sleep between looks at the rows.
const LOOK: Duration = Duration::from_secs(60);

/// Which files are fetched by themselves.
#[derive(Debug, Clone)]
pub struct CollectConfig {
    /// Whether any are; one that is asked for is fetched all the same.
    pub enabled: bool,
    /// Types, `image/*` among them; all if empty.
    pub types: Vec<String>,
}

impl Default for CollectConfig {
    fn default() -> Self {
        Self { enabled: true, types: Vec::new() }
    }
}

impl CollectConfig {
    fn wants(&self, mime: &str) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix("/*") {
            Some(kind) => mime.split('/').next() == Some(kind),
            None => mime.split(';').next().map(str::trim) == Some(wanted.as_str()),
        };
        self.enabled && (self.types.is_empty() || self.types.iter().any(fits))
    }
}

/// Fetches files.
pub(crate) struct Collector {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) shelf: Arc<dyn MediaShelf>,
    pub(crate) links: Arc<dyn Links>,
    pub(crate) clock: SharedClock,
    pub(crate) config: CollectConfig,
    pub(crate) bounds: FetchConfig,
    pub(crate) places: Semaphore,
    /// Rung when a message with a file was recorded.
    pub(crate) news: Arc<Notify>,
    /// The files that are fetched now.
    pub(crate) under_way: Mutex<HashMap<MediaId, watch::Receiver<()>>>,
}

impl Collector {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        shelf: Arc<dyn MediaShelf>,
        links: Arc<dyn Links>,
        clock: SharedClock,
        config: CollectConfig,
        bounds: FetchConfig,
        news: Arc<Notify>,
    ) -> Self {
        let places = Semaphore::new(AT_ONCE);
        Self { store, shelf, links, clock, config, bounds, places, news, under_way: Mutex::default() }
    }

    /// Fetches what is to be fetched, until stopped.
    pub(crate) async fn run(self: Arc<Self>, tasks: TaskTracker, stop: CancellationToken) {
        loop {
            let wait = match self.round(&tasks).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "files that are to be fetched could not be listed");
                    Duration::from_secs(5)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Starts what is due; answers how long nothing else is.
    async fn round(self: &Arc<Self>, tasks: &TaskTracker) -> Result<Duration, StoreError> {
        let mut after = 0;
        // One session that is closed must not be asked for each of its files.
        let mut closed: HashSet<SessionId> = HashSet::new();
        loop {
            let now = self.clock.now_ms();
            let rows = self.store.pending_media(now, after, ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows {
                if !self.config.wants(&row.media.mimetype) {
                    self.store
                        .media_deferred(&row.media.id, row.attempts, Millis::MAX, &not_wanted())
                        .await
                        .or_else(gone)?;
                    continue;
                }
                if closed.contains(&row.session) || !self.is_open(&row.session) {
                    closed.insert(row.session.clone());
                    let due_ms = now + CLOSED_WAIT_MS;
                    self.store
                        .media_deferred(&row.media.id, row.attempts, due_ms, &closed_session())
                        .await
                        .or_else(gone)?;
                    continue;
                }
                let this = Arc::clone(self);
                // Bounded here, so that a long list takes no memory.
                let Ok(place) = Arc::clone(self).place().await else { return Ok(LOOK) };
                tasks.spawn(async move {
                    this.fetch(row).await;
                    drop(place);
                });
            }
        }
        let due = self.store.next_media_due().await?;
        let ms = due.map_or(LOOK.as_millis() as i64, |due| (due - self.clock.now_ms()).max(100));
        Ok(Duration::from_millis(ms.unsigned_abs()).min(LOOK))
    }

    async fn place(self: Arc<Self>) -> Result<Place, tokio::sync::AcquireError> {
        // The permit is given back by `Place`, which keeps the collector alive.
        self.places.acquire().await?.forget();
        Ok(Place(self))
    }

    fn is_open(&self, session: &SessionId) -> bool {
        self.links.status(session).is_some_and(|status| status.borrow().state == SessionState::Open)
    }

    /// Fetches one file now, or waits for whoever does; answers its row after.
    pub(crate) async fn now(&self, row: &MediaRow, most: Duration) -> Result<MediaRow, StoreError> {
        let fetching = async {
            let other = self.lock().get(&row.media.id).cloned();
            match other {
                // Its sender goes when it is done.
                Some(mut done) => {
                    let _ = done.changed().await;
                }
                None => self.fetch(row.clone()).await,
            }
        };
        // Whoever waits too long hears how it stands.
        let _ = tokio::time::timeout(most, fetching).await;
        Ok(self.store.media(&row.media.id).await?.unwrap_or_else(|| row.clone()))
    }

    async fn fetch(&self, row: MediaRow) {
        let id = row.media.id.clone();
        let Some(_mark) = self.mark(&id) else { return };
        let attempts = row.attempts + 1;
        let fault = match self.try_fetch(&row).await {
            Ok(()) => return,
            Err(fault) => fault,
        };
        let now = self.clock.now_ms();
        let saved = if fault.code == NOT_CONNECTED {
            self.store.media_deferred(&id, row.attempts, now + CLOSED_WAIT_MS, &fault).await
        } else if fault.kind == FaultKind::Fail || attempts >= ATTEMPTS {
            tracing::warn!(media = %id, session = %row.session, code = %fault.code, "a file was given up");
            self.store.media_failed(&id, attempts, &fault).await
        } else {
            let wait = (FIRST_WAIT_MS << (attempts - 1).min(20)).min(LONGEST_WAIT_MS);
            self.store.media_deferred(&id, attempts, now + wait, &fault).await
        };
        if let Err(error) = saved.or_else(gone) {
            tracing::warn!(media = %id, %error, "how a file stands was not saved");
        }
    }

    async fn try_fetch(&self, row: &MediaRow) -> Result<(), Fault> {
        let store_failed = |error: StoreError| Fault::retry("store_failed", error.to_string());
        let lost = || Fault::fail("media_gone", "its message is not in the history any more");
        let id = row.message.as_deref().ok_or_else(lost)?;
        let record = self.store.message(&row.session, row.chat.as_ref(), id).await.map_err(store_failed)?;
        let message = record.ok_or_else(lost)?.message;
        if row.media.size > self.bounds.most_bytes {
            let most = self.bounds.most_bytes >> 20;
            return Err(Fault::fail("media_too_large", format!("the file has more than {most} MB")));
        }
        let (file, path) = temp_file(&self.bounds).map_err(not_written)?.into_parts();
        drop(file);
        let key: &MessageKey = &message.key;
        self.links.download(&row.session, Remote { key, body: &message.body }, &path).await?;
        let object = object_name(&row.session, &row.media.id, row.created_ms);
        let file = tokio::fs::File::open(&path).await.map_err(not_written)?;
        let stream = Box::pin(ReaderStream::new(file).map_ok(Into::into));
        let shelved = self.shelf.put(&object, stream, self.bounds.most_bytes).await;
        let shelved = shelved.map_err(|error| Fault::retry("store_failed", error.to_string()))?;
        let (object, size, sha256) = (shelved.object, shelved.size, shelved.sha256);
        let file = MediaFile {
            object: object.clone(),
            size,
            sha256,
            mimetype: None,
            width: None,
            height: None,
            seconds: None,
        };
        match self.store.media_stored(&row.media.id, &file).await {
            Ok(()) => Ok(()),
            // It is not wanted any more.
            Err(StoreError::NotFound { .. }) => {
                self.shelf.remove(&object).await.map_err(|error| Fault::retry("store_failed", error.to_string()))
            }
            Err(error) => Err(store_failed(error)),
        }
    }

    /// Notes that a file is fetched now; `None` if it is already.
    fn mark(&self, id: &MediaId) -> Option<Mark<'_>> {
        let mut under_way = self.lock();
        if under_way.contains_key(id) {
            return None;
        }
        let (done, waiting) = watch::channel(());
        under_way.insert(id.clone(), waiting);
        Some(Mark { collector: self, id: id.clone(), _done: done })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<MediaId, watch::Receiver<()>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who fetch, given back when dropped.
struct Place(Arc<Collector>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.add_permits(1);
    }
}

struct Mark<'a> {
    collector: &'a Collector,
    id: MediaId,
    _done: watch::Sender<()>,
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.collector.lock().remove(&self.id);
    }
}

/// An empty temporary file.
pub(crate) fn temp_file(bounds: &FetchConfig) -> std::io::Result<NamedTempFile> {
    std::fs::create_dir_all(&bounds.temp_dir)?;
    NamedTempFile::new_in(&bounds.temp_dir)
}

/// A row that is not pending any more needs nothing.
fn gone(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::NotFound { .. } => Ok(()),
        other => Err(other),
    }
}

fn closed_session() -> Fault {
    Fault::retry(NOT_CONNECTED, "the session that got it is not connected")
}

fn not_wanted() -> Fault {
    Fault::retry("media_not_wanted", "WAREST_DOWNLOAD_MEDIA_RECEIVED leaves it out; it is fetched when it is asked for")
}

fn not_written(error: std::io::Error) -> Fault {
    Fault::retry("media_fetch_failed", format!("the file could not be kept: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_wanted_by_name_or_by_kind() {
        let config =
            |types: &[&str]| CollectConfig { enabled: true, types: types.iter().map(|&t| t.to_owned()).collect() };
        assert!(config(&[]).wants("video/mp4"));
        assert!(config(&["image/*"]).wants("image/jpeg"));
        assert!(config(&["audio/ogg"]).wants("audio/ogg; codecs=opus"));
        assert!(!config(&["image/*"]).wants("video/mp4"));
        assert!(!CollectConfig { enabled: false, types: Vec::new() }.wants("image/jpeg"));
    }
}
