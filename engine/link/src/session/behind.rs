//! App state that was changed and not fetched.
//!
//! While the protocol library fetches a collection, it passes over what it is told
//! of further changes; but its answer may be from before them. What it passed over
//! is fetched once more.

use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::mpsc;
use warest_model::id::SessionId;
use whatsapp_rust::Client;
use whatsapp_rust::sync_task::MajorSyncTask;
use whatsapp_rust::wacore::appstate::patch_decode::WAPatchName;

/// Where collections that were passed over are put, each once.
pub(super) struct Behind {
    names: Arc<Mutex<BTreeSet<String>>>,
    wake: mpsc::Sender<()>,
}

/// What [`fetch`] hears of them.
pub(super) struct Owed {
    names: Arc<Mutex<BTreeSet<String>>>,
    woken: mpsc::Receiver<()>,
}

pub(super) fn channel() -> (Behind, Owed) {
    let names = Arc::default();
    let (wake, woken) = mpsc::channel(1);
    (Behind { names: Arc::clone(&names), wake }, Owed { names, woken })
}

impl Behind {
    /// Adds collections.
    pub(super) fn add(&self, names: &[String]) {
        lock(&self.names).extend(names.iter().cloned());
        // Full: it is woken already.
        let _ = self.wake.try_send(());
    }
}

fn lock(names: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fetches them, until the client is gone.
pub(super) async fn fetch(session: SessionId, client: Weak<Client>, mut owed: Owed) {
    while owed.woken.recv().await.is_some() {
        let names = std::mem::take(&mut *lock(&owed.names));
        for name in names {
            let Ok(collection) = WAPatchName::from_str(&name) else { continue };
            let Some(client) = client.upgrade() else { return };
            tracing::debug!(%session, %name, "app state is fetched once more");
            // It waits for who is fetching it.
            client.process_sync_task(MajorSyncTask::AppStateSync { name: collection, full_sync: false }).await;
        }
    }
}
