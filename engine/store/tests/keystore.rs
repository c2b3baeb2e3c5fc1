//! The key store, through the library's own traits.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use bytes::Bytes;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::Device;
use wacore::store::traits::*;
use wacore::time::now_secs;
use warest_model::event::{Event, EventKind, message_dedup};
use warest_model::id::{EventId, SessionId, UserId};
use warest_model::session::Session;
use warest_store::keystore::{SessionKeys, Unread};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;
use warest_store::{EventLog, NewEvent, Registry};

struct Fixture {
    folder: tempfile::TempDir,
    store: SqliteStore,
    keys: Arc<SessionKeys>,
    other: Arc<SessionKeys>,
}

/// For those who lose nothing.
fn unread() -> Unread {
    Arc::new(|_, _, _| {})
}

fn session(name: &str) -> SessionId {
    name.parse().unwrap()
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Cipher::new(&MasterKey::from_bytes([7; 32]))).await.unwrap()
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("warest.db")).await;
        Self::of(folder, store).await
    }

    async fn of(folder: tempfile::TempDir, store: SqliteStore) -> Self {
        let keys = store.keystore(&session("one"), unread()).await.unwrap();
        let other = store.keystore(&session("two"), unread()).await.unwrap();
        Self { folder, store, keys, other }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("warest.db")
    }

    async fn restart(self) -> Self {
        self.store.close().await.unwrap();
        let store = open(&self.file()).await;
        Self::of(self.folder, store).await
    }
}

fn arc(text: &str) -> Arc<str> {
    Arc::from(text)
}

#[tokio::test]
async fn it_is_a_backend() {
    let fixture = Fixture::new().await;
    let backend: Arc<dyn Backend> = fixture.keys;
    assert!(!backend.exists().await.unwrap());
}

#[tokio::test]
async fn signal_sessions_and_identities_survive_and_stay_apart() {
    let fixture = Fixture::new().await;
    let (a, b) = ("628111:0@s.whatsapp.net", "628111:5@s.whatsapp.net");
    fixture.keys.put_session(a, b"old").await.unwrap();
    fixture
        .keys
        .put_sessions_batch(&[(arc(a), Bytes::from_static(b"new")), (arc(b), Bytes::from_static(b"b"))])
        .await
        .unwrap();
    fixture.keys.put_identities_batch(&[(arc(a), [1; 32]), (arc(b), [2; 32])]).await.unwrap();
    fixture.keys.put_identity(b, [3; 32]).await.unwrap();
    fixture.keys.put_sessions_batch(&[]).await.unwrap();
    let fixture = fixture.restart().await;
    let (keys, other) = (&fixture.keys, &fixture.other);
    assert_eq!(keys.get_session(a).await.unwrap().unwrap(), "new");
    assert_eq!(keys.get_session(b).await.unwrap().unwrap(), "b");
    assert_eq!(keys.load_identity(a).await.unwrap(), Some([1; 32]));
    assert_eq!(keys.load_identity(b).await.unwrap(), Some([3; 32]));
    assert!(!other.has_session(a).await.unwrap());
    assert_eq!(other.load_identity(a).await.unwrap(), None);
    keys.delete_session(a).await.unwrap();
    keys.delete_identity(a).await.unwrap();
    assert!(!keys.has_session(a).await.unwrap());
    assert!(keys.has_session(b).await.unwrap());
    assert_eq!(keys.load_identity(a).await.unwrap(), None);
}

#[tokio::test]
async fn signal_state_of_a_user_is_found_for_every_device_of_theirs_alone() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    keys.put_session("628111@s.whatsapp.net", b"s").await.unwrap();
    keys.put_session("628222:3@s.whatsapp.net", b"s").await.unwrap();
    keys.put_identity("628333:3@lid", [0; 32]).await.unwrap();
    for user in ["628111", "628222", "628333"] {
        assert!(keys.has_signal_state_for_user(user).await.unwrap(), "{user}");
    }
    for user in ["62811", "6281112", "28111", "628444"] {
        assert!(!keys.has_signal_state_for_user(user).await.unwrap(), "{user}");
    }
}

#[tokio::test]
async fn prekeys_are_batched_counted_and_never_come_back() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.keys.get_max_prekey_id().await.unwrap(), 0);
    let batch: Vec<(u32, Bytes)> = (1..=300).map(|id: u32| (id, Bytes::from(id.to_string()))).collect();
    fixture.keys.store_prekeys_batch(&batch, false).await.unwrap();
    fixture.keys.store_prekey(70_000, b"far", true).await.unwrap();
    fixture.other.store_prekey(u32::MAX, b"other", true).await.unwrap();
    fixture.keys.remove_prekey(2).await.unwrap();
    fixture.keys.mark_prekeys_uploaded(&[1, 2, 3]).await.unwrap();
    let fixture = fixture.restart().await;
    let keys = &fixture.keys;
    assert_eq!(keys.load_prekey(2).await.unwrap(), None, "a used key must not come back");
    assert_eq!(keys.load_prekey(1).await.unwrap().unwrap(), "1");
    let found: BTreeMap<u32, Bytes> =
        keys.load_prekeys_batch(&[3, 2, 300, 70_000, 9_999]).await.unwrap().into_iter().collect();
    let expected = [(3, "3"), (300, "300"), (70_000, "far")].map(|(id, key)| (id, Bytes::from(key)));
    assert_eq!(found, expected.into());
    assert_eq!(keys.get_max_prekey_id().await.unwrap(), 70_000);
}

#[tokio::test]
async fn signed_prekeys_and_sender_keys_are_kept() {
    let fixture = Fixture::new().await;
    fixture.keys.store_signed_prekey(1, b"one").await.unwrap();
    fixture.keys.store_signed_prekey(2, b"two").await.unwrap();
    fixture.keys.remove_signed_prekey(1).await.unwrap();
    fixture.keys.put_sender_key("g::a", b"old").await.unwrap();
    let batch = [(arc("g::a"), Bytes::from_static(b"a")), (arc("g::b"), Bytes::from_static(b"b"))];
    fixture.keys.put_sender_keys_batch(&batch).await.unwrap();
    let fixture = fixture.restart().await;
    let keys = &fixture.keys;
    assert_eq!(keys.load_signed_prekey(1).await.unwrap(), None);
    assert_eq!(keys.load_signed_prekey(2).await.unwrap().unwrap(), b"two");
    assert_eq!(keys.load_all_signed_prekeys().await.unwrap(), [(2, b"two".to_vec())]);
    assert_eq!(keys.get_sender_key("g::a").await.unwrap().unwrap(), b"a");
    keys.delete_sender_key("g::a").await.unwrap();
    assert_eq!(keys.get_sender_key("g::a").await.unwrap(), None);
    assert_eq!(keys.get_sender_key("g::b").await.unwrap().unwrap(), b"b");
}

#[tokio::test]
async fn app_state_is_kept_per_collection() {
    let fixture = Fixture::new().await;
    let key = |byte| AppStateSyncKey { key_data: vec![byte; 32], fingerprint: vec![1, 2], timestamp: 5 };
    assert_eq!(fixture.keys.get_latest_sync_key_id().await.unwrap(), None);
    fixture.keys.set_sync_key(b"k2", key(2)).await.unwrap();
    fixture.keys.set_sync_key(b"k1", key(1)).await.unwrap();
    assert_eq!(fixture.keys.get_version("regular").await.unwrap().version, 0);
    let index_value_map = [("index".to_owned(), vec![1, 2, 3])].into();
    let state = HashState { version: 9, hash: [9; 128], index_value_map, mac_mismatch_fatal: true };
    fixture.keys.set_version("regular", state).await.unwrap();
    let mac = |index: u8| AppStateMutationMAC { index_mac: vec![index; 32], value_mac: vec![index, 1] };
    fixture.keys.put_mutation_macs("regular", 1, &[mac(1), mac(2), mac(3)]).await.unwrap();
    fixture.keys.put_mutation_macs("regular_low", 1, &[mac(1)]).await.unwrap();
    fixture.keys.delete_mutation_macs("regular", &[vec![2; 32]]).await.unwrap();
    let fixture = fixture.restart().await;
    let keys = &fixture.keys;
    assert_eq!(keys.get_latest_sync_key_id().await.unwrap().unwrap(), b"k1", "the last one set");
    assert_eq!(keys.get_sync_key(b"k2").await.unwrap().unwrap().key_data, vec![2; 32]);
    let state = keys.get_version("regular").await.unwrap();
    assert_eq!((state.version, state.hash, state.mac_mismatch_fatal), (9, [9; 128], true));
    assert_eq!(state.index_value_map["index"], [1, 2, 3]);
    assert_eq!(keys.get_mutation_mac("regular", &[1; 32]).await.unwrap().unwrap(), [1, 1]);
    let found = keys.get_mutation_macs("regular", &[[1; 32], [2; 32], [3; 32]]).await.unwrap();
    assert_eq!(found, [([1; 32], vec![1, 1]), ([3; 32], vec![3, 1])].into());
    keys.clear_mutation_macs("regular").await.unwrap();
    assert_eq!(keys.get_mutation_mac("regular", &[1; 32]).await.unwrap(), None);
    assert!(keys.get_mutation_mac("regular_low", &[1; 32]).await.unwrap().is_some(), "its name only begins alike");
}

#[tokio::test]
async fn sender_key_devices_are_tracked_per_group() {
    let fixture = Fixture::new().await;
    let (keys, other) = (&fixture.keys, &fixture.other);
    keys.set_sender_key_status("1@g.us", &[("a:1@lid", true), ("b:2@lid", false)]).await.unwrap();
    keys.set_sender_key_status("2@g.us", &[("a:1@lid", true), ("c:3@lid", true)]).await.unwrap();
    keys.set_sender_key_status("1@g.us", &[("b:2@lid", true)]).await.unwrap();
    other.set_sender_key_status("1@g.us", &[("a:1@lid", true)]).await.unwrap();
    let read = async |keys: &SessionKeys, group: &str| {
        keys.get_sender_key_devices(group).await.unwrap().into_iter().collect::<BTreeSet<_>>()
    };
    let set =
        |devices: &[(&str, bool)]| devices.iter().map(|(jid, has)| ((*jid).to_owned(), *has)).collect::<BTreeSet<_>>();
    assert_eq!(read(keys, "1@g.us").await, set(&[("a:1@lid", true), ("b:2@lid", true)]));
    keys.delete_sender_key_device_rows(&["a:1@lid", "z@lid"]).await.unwrap();
    assert_eq!(read(keys, "1@g.us").await, set(&[("b:2@lid", true)]));
    assert_eq!(read(keys, "2@g.us").await, set(&[("c:3@lid", true)]));
    keys.clear_sender_key_devices("1@g.us").await.unwrap();
    assert_eq!(read(keys, "1@g.us").await, set(&[]));
    assert_eq!(read(keys, "2@g.us").await, set(&[("c:3@lid", true)]));
    keys.clear_all_sender_key_devices().await.unwrap();
    assert_eq!(read(keys, "2@g.us").await, set(&[]));
    assert_eq!(read(other, "1@g.us").await, set(&[("a:1@lid", true)]));
}

#[tokio::test]
async fn lid_mappings_are_found_from_both_sides() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    let entry = |lid: &str, phone: &str, updated_at| LidPnMappingEntry {
        lid: lid.to_owned(),
        phone_number: phone.to_owned(),
        created_at: 1,
        updated_at,
        learning_source: "usync".to_owned(),
    };
    keys.put_lid_mappings(&[entry("l1", "628111", 10), entry("l2", "628222", 10)]).await.unwrap();
    keys.put_lid_mapping(&entry("l3", "628111", 20)).await.unwrap();
    keys.put_lid_mapping(&entry("l2", "628333", 30)).await.unwrap();
    let lid_of = async |phone: &str| keys.get_pn_mapping(phone).await.unwrap().map(|entry| entry.lid);
    assert_eq!(lid_of("628111").await.as_deref(), Some("l3"), "the most recent");
    assert_eq!(lid_of("628222").await, None, "its LID has another number now");
    assert_eq!(lid_of("628333").await.as_deref(), Some("l2"));
    assert_eq!(keys.get_lid_mapping("l1").await.unwrap().unwrap().phone_number, "628111");
    assert_eq!(keys.get_all_lid_mappings().await.unwrap().len(), 3);
}

#[tokio::test]
async fn base_keys_device_lists_and_group_metadata_are_kept() {
    let fixture = Fixture::new().await;
    fixture.keys.save_base_key("a", "m", b"key").await.unwrap();
    let list = |user: &str, devices: u32| DeviceListRecord {
        user: user.to_owned(),
        devices: (0..devices).map(|id| DeviceInfo::new(id, Some(id)).with_hosting(id == 1)).collect(),
        timestamp: 7,
        phash: Some("2:abc".to_owned()),
        raw_id: Some(3),
    };
    fixture.keys.update_device_lists(vec![list("u1", 1), list("u2", 2)]).await.unwrap();
    fixture.keys.update_device_list(list("u1", 3)).await.unwrap();
    fixture.keys.put_group_metadata("g", b"blob").await.unwrap();
    let fixture = fixture.restart().await;
    let keys = &fixture.keys;
    assert!(keys.has_same_base_key("a", "m", b"key").await.unwrap());
    assert!(!keys.has_same_base_key("a", "m", b"other").await.unwrap());
    assert!(!keys.has_same_base_key("a", "n", b"key").await.unwrap());
    keys.delete_base_key("a", "m").await.unwrap();
    assert!(!keys.has_same_base_key("a", "m", b"key").await.unwrap());
    let found = keys.get_devices("u1").await.unwrap().unwrap();
    assert_eq!((found.devices.len(), found.devices[1].is_hosted, found.raw_id), (3, true, Some(3)));
    keys.delete_devices("u1").await.unwrap();
    assert!(keys.get_devices("u1").await.unwrap().is_none());
    assert!(keys.get_devices("u2").await.unwrap().is_some());
    assert_eq!(keys.get_group_metadata("g").await.unwrap().unwrap(), b"blob");
    keys.delete_group_metadata("g").await.unwrap();
    assert_eq!(keys.get_group_metadata("g").await.unwrap(), None);
}

#[tokio::test]
async fn privacy_tokens_merge_from_both_writers() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    let read = async |jid: &str| {
        let entry = keys.get_tc_token(jid).await.unwrap().unwrap();
        (entry.token, entry.token_timestamp, entry.sender_timestamp)
    };
    keys.touch_tc_token_sender_timestamp("a", 50).await.unwrap();
    assert_eq!(read("a").await, (vec![], 50, Some(50)));
    keys.store_received_tc_token("a", b"old", 40).await.unwrap();
    assert_eq!(read("a").await, (b"old".to_vec(), 40, Some(50)), "a placeholder never blocks a token");
    keys.store_received_tc_token("a", b"stale", 30).await.unwrap();
    keys.touch_tc_token_sender_timestamp("a", 45).await.unwrap();
    assert_eq!(read("a").await, (b"old".to_vec(), 40, Some(50)), "neither side steps back");
    keys.store_received_tc_token("a", b"new", 60).await.unwrap();
    keys.touch_tc_token_sender_timestamp("a", 70).await.unwrap();
    assert_eq!(read("a").await, (b"new".to_vec(), 60, Some(70)));
    keys.store_received_tc_token("b", b"b", 10).await.unwrap();
    assert_eq!(read("b").await, (b"b".to_vec(), 10, None));
    let entry = TcTokenEntry { token: b"c".to_vec(), token_timestamp: 5, sender_timestamp: None };
    keys.put_tc_token("c", &entry).await.unwrap();
    let jids: BTreeSet<_> = keys.get_all_tc_token_jids().await.unwrap().into_iter().collect();
    assert_eq!(jids, ["a", "b", "c"].map(str::to_owned).into());
    assert_eq!(keys.delete_expired_tc_tokens(61, 70).await.unwrap(), 2, "what one side still needs stays");
    assert_eq!(keys.get_all_tc_token_jids().await.unwrap(), ["a"]);
    assert_eq!(keys.delete_expired_tc_tokens(61, 71).await.unwrap(), 1);
    keys.put_tc_token("c", &entry).await.unwrap();
    keys.delete_tc_token("c").await.unwrap();
    assert!(keys.get_tc_token("c").await.unwrap().is_none());
}

#[tokio::test]
async fn a_sent_message_is_there_for_all_who_ask_until_it_is_old() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    keys.store_sent_message("c", "m", b"payload").await.unwrap();
    let takes = join_all((0..8).map(|_| keys.take_sent_message("c", "m"))).await;
    assert!(takes.into_iter().all(|taken| taken.unwrap() == Some(b"payload".to_vec())));
    assert_eq!(keys.delete_expired_sent_messages(now_secs() - 60).await.unwrap(), 0);
    assert_eq!(keys.delete_expired_sent_messages(now_secs() + 60).await.unwrap(), 1);
    assert_eq!(keys.take_sent_message("c", "m").await.unwrap(), None);
}

#[tokio::test]
async fn pending_messages_wait_for_their_commit() {
    let fixture = Fixture::new().await;
    let row = |id, message| PendingInboundRow { chat: "c", sender: "s", id, message };
    let rows = [row("1", b"one".as_slice()), row("2", b"two"), row("3", b"three")];
    fixture.keys.store_pending_inbound_batch(&rows).await.unwrap();
    fixture.keys.store_pending_inbound("c", "s", "4", b"four").await.unwrap();
    fixture.keys.put_session("s", b"ratchet").await.unwrap();
    let fixture = fixture.restart().await;
    let (keys, other) = (&fixture.keys, &fixture.other);
    assert_eq!(keys.get_pending_inbound("c", "s", "2").await.unwrap().unwrap(), b"two");
    keys.get_pending_inbound("c", "x", "2").await.unwrap_err();
    other.get_pending_inbound("c", "s", "2").await.unwrap_err();
    let key = |id| PendingInboundKey { chat: "c", sender: "s", id };
    keys.delete_pending_inbound_batch(&[key("1"), key("2"), key("missing")]).await.unwrap();
    keys.delete_pending_inbound("c", "s", "3").await.unwrap();
    for id in ["1", "2", "3"] {
        assert_eq!(keys.get_pending_inbound("c", "s", id).await.unwrap(), None);
    }
    assert_eq!(keys.delete_expired_pending_inbound(now_secs() - 60).await.unwrap(), 0);
    assert_eq!(keys.delete_expired_pending_inbound(now_secs() + 60).await.unwrap(), 1);
}

#[tokio::test]
async fn a_text_is_durable_with_the_next_ratchet_and_gone_once_it_is_recorded() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    for id in ["before", "recorded", "held"] {
        keys.store_pending_inbound("c", "s", id, id.as_bytes()).await.unwrap();
    }
    // Recorded before any ratchet is written: never written itself.
    keys.delete_pending_inbound("c", "s", "recorded").await.unwrap();
    keys.put_sender_key("g", b"ratchet").await.unwrap();
    keys.store_pending_inbound("c", "s", "after", b"after").await.unwrap();
    keys.delete_pending_inbound("c", "s", "before").await.unwrap();
    assert_eq!(keys.get_pending_inbound("c", "s", "after").await.unwrap().unwrap(), b"after");
    let fixture = fixture.restart().await;
    let keys = &fixture.keys;
    for (id, there) in [("before", false), ("recorded", false), ("held", true), ("after", false)] {
        let found = keys.get_pending_inbound("c", "s", id).await.ok().flatten();
        assert_eq!(found, there.then(|| id.as_bytes().to_vec()), "{id}");
    }
    // Replayed from the database, kept once more as the library does, recorded.
    keys.store_pending_inbound("c", "s", "held", b"held").await.unwrap();
    keys.delete_pending_inbound("c", "s", "held").await.unwrap();
    let fixture = fixture.restart().await;
    fixture.keys.get_pending_inbound("c", "s", "held").await.unwrap_err();
}

#[tokio::test]
async fn a_text_that_a_crash_took_is_told_and_never_answered_with_nothing() {
    let fixture = Fixture::new().await;
    let name = session("one");
    let now = 1_732_364_392_000;
    let lost = Arc::new(Mutex::new(Vec::new()));
    let told = lost.clone();
    let unread: Unread = Arc::new(move |chat, sender, id| told.lock().unwrap().push(format!("{chat} {sender} {id}")));
    let keys = fixture.store.keystore(&name, unread).await.unwrap();
    keys.get_pending_inbound("c", "s", "lost").await.unwrap_err();
    assert_eq!(*lost.lock().unwrap(), ["c s lost"]);
    // What was recorded, or was not worth it, is not lost.
    let event = Event {
        id: EventId::new(now),
        session: name,
        kind: EventKind::MessageReceived,
        chat: None,
        ts_ms: now,
        data: serde_json::json!({}),
    };
    let new = NewEvent {
        event,
        dedup: Some(message_dedup("c", "s", "recorded")),
        owed: Vec::new(),
        consent: None,
        changes: Vec::new(),
    };
    fixture.store.append(vec![new]).await.unwrap();
    keys.store_pending_inbound("c", "s", "skipped", b"protocol").await.unwrap();
    keys.delete_pending_inbound("c", "s", "skipped").await.unwrap();
    for id in ["recorded", "skipped"] {
        assert_eq!(keys.get_pending_inbound("c", "s", id).await.unwrap(), None, "{id}");
    }
    assert_eq!(lost.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn texts_that_could_not_be_written_go_with_a_later_ratchet() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    keys.store_pending_inbound("c", "s", "m", b"text").await.unwrap();
    // Another connection holds the database for longer than the writer waits.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(fixture.file());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    keys.put_session("s", b"ratchet").await.unwrap_err();
    assert_eq!(keys.get_session("s").await.unwrap(), None, "no ratchet without its texts");
    lock.rollback().await.unwrap();
    pool.close().await;
    keys.put_session("s", b"ratchet").await.unwrap();
    let fixture = fixture.restart().await;
    assert_eq!(fixture.keys.get_pending_inbound("c", "s", "m").await.unwrap().unwrap(), b"text");
}

#[tokio::test]
async fn one_name_never_poses_as_another() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    keys.store_pending_inbound("a", "bc", "d", b"1").await.unwrap();
    keys.store_pending_inbound("ab", "c", "d", b"2").await.unwrap();
    keys.store_pending_inbound("a", "b", "cd", b"3").await.unwrap();
    assert_eq!(keys.get_pending_inbound("a", "bc", "d").await.unwrap().unwrap(), b"1");
    assert_eq!(keys.get_pending_inbound("ab", "c", "d").await.unwrap().unwrap(), b"2");
    assert_eq!(keys.get_pending_inbound("a", "b", "cd").await.unwrap().unwrap(), b"3");
}

#[tokio::test]
async fn message_secrets_keep_the_longest_deadline() {
    let fixture = Fixture::new().await;
    let keys = &fixture.keys;
    let entry = |id: &str, expires_at, message_ts| MsgSecretEntry {
        chat: arc("c"),
        sender: arc("s"),
        msg_id: arc(id),
        secret: [id.len() as u8; 32],
        expires_at,
        message_ts,
    };
    keys.put_msg_secrets(vec![entry("short", 10, 3), entry("never", 10, 0), entry("grown", 10, 5)]).await.unwrap();
    let again = vec![entry("short", 5, 0), entry("never", 0, 4), entry("grown", 20, 2), entry("grown", 15, 0)];
    assert_eq!(keys.put_msg_secrets(again).await.unwrap(), 4);
    keys.put_msg_secret("c", "s", "kept", &[9; 32]).await.unwrap();
    let read = async |id: &str| keys.get_msg_secret_with_ts("c", "s", id).await.unwrap();
    assert_eq!(read("short").await, Some((vec![5; 32], 3)));
    assert_eq!(read("never").await, Some((vec![5; 32], 4)));
    assert_eq!(read("grown").await, Some((vec![5; 32], 5)));
    assert_eq!(keys.get_msg_secret("c", "s", "kept").await.unwrap().unwrap(), [9; 32]);
    assert_eq!(keys.delete_expired_msg_secrets(9).await.unwrap(), 0);
    assert_eq!(keys.delete_expired_msg_secrets(10).await.unwrap(), 1, "at its deadline it is expired");
    assert_eq!(keys.delete_expired_msg_secrets(1_000).await.unwrap(), 1);
    assert!(read("never").await.is_some() && read("kept").await.is_some());
}

#[tokio::test]
async fn the_device_survives_whole() {
    let fixture = Fixture::new().await;
    fixture.keys.create().await.unwrap();
    let mut device = fixture.keys.load().await.unwrap().unwrap();
    let made = serde_json::to_value(&device).unwrap();
    fixture.keys.create().await.unwrap();
    let again = fixture.keys.load().await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), made, "a device that is there is not replaced");

    device.pn = Some("628111:3@s.whatsapp.net".parse().unwrap());
    device.lid = Some("16501234567890123:3@lid".parse().unwrap());
    device.push_name = "Ana".to_owned();
    device.account = Some(Arc::new(Default::default()));
    device.edge_routing_info = Some(vec![1, 2, 3]);
    device.props_hash = Some("hash".to_owned());
    device.nct_salt = Some(vec![4; 32]);
    device.next_pre_key_id = 813;
    device.login_counter = 5;
    device.lid_migrated = true;
    device.read_receipts_disabled = true;
    fixture.keys.save(&device).await.unwrap();
    let fixture = fixture.restart().await;
    let (keys, other) = (&fixture.keys, &fixture.other);
    let loaded = keys.load().await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&device).unwrap());
    assert_eq!(loaded.noise_key.private_key.serialize(), device.noise_key.private_key.serialize());
    assert_eq!(loaded.identity_key.public_key, device.identity_key.public_key);
    assert_eq!(loaded.device_props.os, Device::new().device_props.os, "as the running code has it");
    assert!(keys.exists().await.unwrap());
    assert!(!other.exists().await.unwrap());
}

#[tokio::test]
async fn what_was_forgotten_stays_forgotten() {
    let fixture = Fixture::new().await;
    let owner = UserId::new(0);
    let added = Session { id: session("two"), owner, label: String::new(), enabled: true, me: None, created_ms: 0 };
    fixture.store.add_session(&added).await.unwrap();
    fixture.keys.put_session("a", b"s").await.unwrap();
    fixture.other.put_session("a", b"s").await.unwrap();
    fixture.store.forget_keys(&session("one")).await.unwrap();
    fixture.store.delete_session(&session("two"), 1).await.unwrap();
    let one = fixture.store.keystore(&session("one"), unread()).await.unwrap();
    let two = fixture.store.keystore(&session("two"), unread()).await.unwrap();
    for (old, new) in [(&fixture.keys, &one), (&fixture.other, &two)] {
        assert!(old.put_session("a", b"late").await.is_err(), "a late write is refused");
        assert_eq!(old.get_session("a").await.unwrap(), None);
        assert_eq!(new.get_session("a").await.unwrap(), None);
        new.put_session("a", b"new").await.unwrap();
        assert_eq!(new.get_session("a").await.unwrap().unwrap(), "new");
    }
}

#[tokio::test]
async fn no_credential_is_in_the_file() {
    let fixture = Fixture::new().await;
    let mark = b"a-very-recognisable-secret-value";
    let keys = &fixture.keys;
    keys.put_session("find-me", mark).await.unwrap();
    keys.put_identity("a", *mark).await.unwrap();
    keys.store_prekey(1, mark, false).await.unwrap();
    keys.store_signed_prekey(1, mark).await.unwrap();
    keys.put_sender_key("a", mark).await.unwrap();
    keys.store_received_tc_token("a", mark, 1).await.unwrap();
    keys.store_sent_message("c", "m", mark).await.unwrap();
    keys.store_pending_inbound("c", "s", "m", mark).await.unwrap();
    keys.put_msg_secret("c", "s", "m", mark).await.unwrap();
    keys.save_base_key("a", "m", mark).await.unwrap();
    keys.put_group_metadata("g", mark).await.unwrap();
    let mut device = Device::new();
    device.push_name = String::from_utf8(mark.to_vec()).unwrap();
    keys.save(&device).await.unwrap();
    fixture.store.close().await.unwrap();
    let bytes = std::fs::read(fixture.file()).unwrap();
    let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(b"find-me"), "the search finds what is there");
    assert!(!holds(mark));
}

#[tokio::test]
async fn a_value_moved_to_another_place_does_not_open() {
    let fixture = Fixture::new().await;
    fixture.keys.put_session("a", b"of a").await.unwrap();
    fixture.keys.put_session("b", b"of b").await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(fixture.file());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("UPDATE wa_kv SET value = (SELECT value FROM wa_kv WHERE key = x'61') WHERE key = x'62'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(fixture.keys.get_session("a").await.unwrap().unwrap(), "of a");
    assert!(fixture.keys.get_session("b").await.is_err());
}
