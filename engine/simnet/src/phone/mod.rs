//! Virtual phones: the primary device of each account, a real Signal endpoint.
//!
//! Each phone is one task. It reads its device queue (what the server routed to device 0) and its
//! commands (what the control API asked for), one at a time, so that what it sends keeps its
//! order; it writes stanzas through [`crate::server::route`]. Like the official apps it shows a
//! message id once and counts repeats.

pub(crate) mod attachment;
pub(crate) mod compose;
pub(crate) mod content;
pub(crate) mod describe;
pub(crate) mod envelope;
pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod inbox;
pub(crate) mod pair;
pub(crate) mod pair_code;
mod peer;
pub(crate) mod receive;
mod reupload;
pub(crate) mod sender_keys;
pub(crate) mod store;
pub(crate) mod sync;
#[cfg(test)]
mod tests;
pub(crate) mod thread;

use crate::account::{Account, Device, KeyBundle, lock};
use crate::chance::Chance;
use crate::error::SimnetError;
use crate::network::Network;
use inbox::Inbox;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use store::Keys;
use tokio::sync::{mpsc, oneshot};
use waproto::whatsapp as wa;

/// Commands waiting for one phone at most; callers wait when it is full.
const COMMANDS: usize = 256;

/// What a phone can be asked to do.
pub(crate) enum Command {
    /// Encrypt and send a message to every device of `to` and to its own companions.
    Send { to: Arc<Account>, message: Box<wa::Message>, id: String, done: oneshot::Sender<Result<String, SimnetError>> },
    /// Encrypt and send a message to a group, named by its id.
    SendGroup {
        group: String,
        message: Box<wa::Message>,
        id: String,
        done: oneshot::Sender<Result<String, SimnetError>>,
    },
    /// Share the app-state keys and the past with a companion that has just come up.
    Welcome(u16),
    /// Make more one-time prekeys.
    Replenish,
}

/// The receiving end of a phone's commands.
pub(crate) type Commands = mpsc::Receiver<Command>;

/// A phone's own state.
pub(crate) struct Phone {
    /// Signal keys and sessions; held while encrypting, never while routing.
    pub(crate) keys: tokio::sync::Mutex<Keys>,
    pub(crate) identity: store::OwnIdentity,
    pub(crate) inbox: Inbox,
    pub(crate) sync: sync::Sync,
    pub(crate) pasts: history::Pasts,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Phone {
    /// A new phone, the public keys the server hands out for it and its command queue.
    pub(crate) fn generate(chance: &Chance) -> Result<(Self, KeyBundle, Commands), SimnetError> {
        let (identity, keys, bundle) = Keys::generate(chance).map_err(|e| SimnetError::Signal(e.to_string()))?;
        let (phone, commands) = Self::from_parts(identity, keys, Inbox::default(), history::Pasts::default());
        Ok((phone, bundle, commands))
    }

    /// A phone of an earlier run.
    pub(crate) fn from_parts(
        identity: store::OwnIdentity,
        keys: Keys,
        inbox: Inbox,
        pasts: history::Pasts,
    ) -> (Self, Commands) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let keys = tokio::sync::Mutex::new(keys);
        (Self { keys, identity, inbox, sync: sync::Sync::default(), pasts, commands }, receiver)
    }
}

/// Device 0 of an account.
pub(crate) fn primary_device(account: &Account, keys: KeyBundle) -> Device {
    Device {
        phone: account.phone.clone(),
        lid: account.lid.clone(),
        id: 0,
        key_index: 0,
        identity: account.primary.identity.public(),
        noise: [0; 32],
        signed_identity: Vec::new(),
        keys: Mutex::new(keys),
        queue: Default::default(),
        connection: Mutex::default(),
        low_announced: AtomicBool::new(false),
        welcomed: AtomicBool::new(true),
    }
}

/// Starts the phone's task; it ends when the network stops.
pub(crate) fn start(net: Arc<Network>, account: Arc<Account>, mut commands: Commands) {
    tokio::spawn(async move {
        let Some(device) = account.device(0) else { return };
        let mut arrivals = device.queue.watch();
        let stop = net.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                command = commands.recv() => match command {
                    Some(command) => perform(&net, &account, command).await,
                    None => return,
                },
                _ = next_arrival(&device, &mut arrivals) => {
                    if let Some(entry) = device.queue.after(0) {
                        receive::stanza(&net, &account, &entry.node).await;
                        device.queue.remove(entry.seq);
                        net.touch();
                    }
                }
            }
        }
    });
}

/// Waits until the queue has a stanza.
async fn next_arrival(device: &Device, arrivals: &mut tokio::sync::watch::Receiver<u64>) {
    loop {
        arrivals.mark_unchanged();
        if device.queue.after(0).is_some() {
            return;
        }
        if arrivals.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn perform(net: &Arc<Network>, account: &Arc<Account>, command: Command) {
    match command {
        Command::Send { to, message, id, done } => {
            let sent = compose::send(net, account, &to, *message, id).await;
            // The caller may have gone; the message is sent all the same.
            let _ = done.send(sent);
        }
        Command::SendGroup { group, message, id, done } => {
            let _ = done.send(group::send(net, account, &group, *message, id).await);
        }
        Command::Welcome(device) => {
            let shared = compose::share_app_state(net, account, device).await;
            let told = match shared {
                Ok(()) => history::send(net, account, device).await,
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                tracing::warn!(phone = %account.phone, device, %error, "could not welcome companion");
            }
        }
        Command::Replenish => {
            if let Some(device) = account.device(0) {
                let fresh = account.primary.keys.lock().await.replenish(&net.chance);
                device.add_prekeys(fresh);
            }
        }
    }
    net.touch();
}

/// Asks the phone for more prekeys when it runs low; never waits.
pub(crate) fn replenish_if_low(account: &Account, left: usize) {
    if left < store::PREKEYS_LOW {
        let _ = account.primary.commands.try_send(Command::Replenish);
    }
}

/// Whether the companion still has to be welcomed; true once per link.
pub(crate) fn welcome_due(device: &Device) -> bool {
    let ready = !lock(&device.keys).signed_public.is_empty();
    ready && !device.welcomed.swap(true, std::sync::atomic::Ordering::AcqRel)
}
