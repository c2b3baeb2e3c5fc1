//! A protocol client with everything that belongs to it.

use super::signals::{Ears, Signal, WAITING};
use super::{Session, behind};
use crate::inbound::hook::Hook;
use crate::inbound::order::Order;
use crate::inbound::originals::Secrets;
use crate::inbound::{news, presence, receipt, sync, unread, who};
use crate::transport::{Dialer, SharedDialer};
use futures::channel::oneshot;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use warest_model::fault::Fault;
use whatsapp_rust::client::{ClientBuilder, NodeFilter};
use whatsapp_rust::store::commands::DeviceCommand;
use whatsapp_rust::store::persistence_manager::PersistenceManager;
use whatsapp_rust::types::events::Subscription;
use whatsapp_rust::wacore::store::DevicePropsOverride;
use whatsapp_rust::waproto::whatsapp::device_props::PlatformType;
use whatsapp_rust::{CacheConfig, CacheEntryConfig, Client, OwnedNodeRef, RawNodeLease, TokioRuntime};

/// One-time keys uploaded at a time: enough for that many people to write first
/// between two uploads; the server asks for more when few are left. The
/// library's 812 would be most of a small session's store.
const PRE_KEYS: usize = 64;
/// How often changed device state is saved besides at the end of a connection.
const SAVE_EVERY: Duration = Duration::from_secs(30);
/// For a farewell; the library's own bounds sum up to less.
const CLOSE_DEADLINE: Duration = Duration::from_secs(20);

/// A client, not necessarily connected.
pub(super) struct Live {
    pub(super) client: Arc<Client>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) signals: mpsc::Receiver<Signal>,
    /// Whether messages have to be delivered again.
    pub(super) order: Arc<Order>,
    /// The `<success>` of the next login. Waiting for it shows that sends will
    /// work; the library's own `Connected` waits for settings to be synced,
    /// which can take minutes after pairing.
    pub(super) login: oneshot::Receiver<Arc<OwnedNodeRef>>,
    _subscription: Subscription,
    _stanzas: RawNodeLease,
}

impl Live {
    /// Builds a client over the session's key store.
    pub(super) async fn build(session: &Session) -> Result<Self, Fault> {
        let shared = &session.shared;
        let order = Arc::<Order>::default();
        let (unread, lost) = unread::channel(Arc::clone(&order));
        let backend = shared.keys.open(&session.id, unread).await?;
        let device = PersistenceManager::new(backend)
            .await
            .map_err(|error| Fault::retry("keystore_unreadable", error.to_string()))?;
        let device = Arc::new(device);
        device
            .process_command(DeviceCommand::SetDeviceProps(
                DevicePropsOverride::new()
                    .with_os(shared.config.device_name.clone())
                    .with_platform_type(PlatformType::CHROME),
            ))
            .await;
        let stored = device.get_device_snapshot();
        if let Some(name) = &shared.config.push_name
            && stored.push_name.is_empty()
        {
            device.process_command(DeviceCommand::SetPushName(name.clone())).await;
        }
        let fallback = (stored.app_version_primary, stored.app_version_secondary, stored.app_version_tertiary);
        let version = shared.versions.current(&shared.http, fallback).await;

        let itself = Arc::new(OnceLock::new());
        let secrets =
            Secrets { session: session.id.clone(), intake: Arc::clone(&shared.intake), client: Arc::clone(&itself) };
        let dialer = Arc::new(Dialer::new(shared.route.clone()));
        let hook = Hook { session: session.id.clone(), intake: Arc::clone(&shared.intake), order: Arc::clone(&order) };
        let client = ClientBuilder::new()
            .with_runtime(TokioRuntime)
            .with_persistence_manager(device)
            .with_transport_factory(SharedDialer(Arc::clone(&dialer)))
            .with_http_client_arc(Arc::clone(&shared.http))
            .with_version_override(version)
            .with_cache_config(caches(secrets))
            .with_inbound_durability_hook(hook)
            .with_wanted_pre_key_count(PRE_KEYS)
            .with_background_saver_interval(SAVE_EVERY)
            .build()
            .await
            .map_err(|error| Fault::retry("client_not_built", error.to_string()))?
            .into_client();
        client.enable_auto_reconnect.store(false, Ordering::Relaxed);
        // It is empty: this is the only client that it was made for.
        let _ = itself.set(Arc::downgrade(&client));

        let (signal, signals) = mpsc::channel(WAITING);
        let weak = || Arc::downgrade(&client);
        let intake = || Arc::clone(&shared.intake);
        let (presence, heard) = mpsc::channel(presence::WAITING);
        tokio::spawn(presence::record(session.id.clone(), intake(), weak(), heard));
        tokio::spawn(unread::ask(session.id.clone(), weak(), lost));
        let (receipts, heard) = mpsc::channel(receipt::WAITING);
        tokio::spawn(receipt::record(session.id.clone(), intake(), weak(), heard));
        let (news, heard) = mpsc::channel(news::WAITING);
        let recorder = news::Recorder {
            session: session.id.clone(),
            intake: intake(),
            client: weak(),
            order: Arc::clone(&order),
            clock: shared.clock.clone(),
        };
        tokio::spawn(news::record(recorder, heard));
        let (chunks, heard) = sync::channel();
        tokio::spawn(sync::record(session.id.clone(), intake(), weak(), heard));
        let (behind, owed) = behind::channel();
        tokio::spawn(behind::fetch(session.id.clone(), weak(), owed));
        let ears = Ears {
            session: session.id.clone(),
            acks: Arc::clone(&session.acks),
            signals: signal,
            presence,
            order: Arc::clone(&order),
            receipts,
            news,
            chunks,
            behind,
            client: itself,
            intake: intake(),
            clock: shared.clock.clone(),
        };
        let subscription = client.subscribe_handler(Arc::new(ears));
        let stanzas = client.acquire_raw_node_forwarding();
        let login = client.wait_for_node(NodeFilter::tag("success"));
        Ok(Self { client, dialer, signals, order, login, _subscription: subscription, _stanzas: stanzas })
    }

    /// The account's own address, once paired.
    pub(super) fn me(&self) -> Option<String> {
        self.client.pn().as_ref().and_then(who::address).map(String::from)
    }

    /// Says farewell and saves what is unsaved. The client is of no use after.
    pub(super) async fn close(self) {
        if tokio::time::timeout(CLOSE_DEADLINE, self.client.disconnect()).await.is_err() {
            tracing::warn!("a connection did not close in time");
            self.client.signal_shutdown_sync();
        }
    }
}

/// Caches for a process with hundreds of sessions. Entries cost memory only
/// where they are used, so these are ceilings: what a busy session may hold.
/// The LID map stays unbounded, as evicting from it breaks Signal addressing,
/// and capacities of lock tables stay ample. Secrets of messages from before the
/// pairing are not copied into the key store: the history has them.
fn caches(secrets: Secrets) -> CacheConfig {
    let hour = Some(Duration::from_secs(3_600));
    CacheConfig {
        group_cache: CacheEntryConfig::new(hour, 64),
        device_registry_cache: CacheEntryConfig::new(hour, 2_000),
        sender_key_devices_cache: CacheEntryConfig::new(hour, 64),
        session_locks_capacity: 4_096,
        chat_lanes_capacity: 1_024,
        resend_rate_limiter_capacity: 512,
        group_distribution_locks_capacity: 128,
        seed_msg_secrets_from_history: false,
        original_message_resolver: Some(Arc::new(secrets)),
        ..CacheConfig::default()
    }
}
