//! What becomes of the history that a phone hands over.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::inbound::who::testing::book;
use async_trait::async_trait;
use std::sync::Mutex;
use warest_model::history::{Message, MessageStatus};
use warest_model::jid::Jid as Address;
use warest_model::job::Receipt;
use whatsapp_rust::buffa::MessageField;
use whatsapp_rust::bytes::Bytes;
use whatsapp_rust::waproto::codec;

const ANI: &str = "62811111@s.whatsapp.net";
const BUDI: &str = "62822222@s.whatsapp.net";
const GROUP: &str = "120363025386030504@g.us";

#[derive(Default)]
struct Log {
    batches: Mutex<Vec<Vec<Change>>>,
    events: Mutex<Vec<Observation>>,
}

#[async_trait]
impl Intake for Log {
    async fn record(&self, _: &SessionId, seen: Vec<Observation>) -> Result<(), Fault> {
        self.events.lock().unwrap().extend(seen);
        Ok(())
    }

    async fn history(&self, _: &SessionId, changes: Vec<Change>) -> Result<(), Fault> {
        self.batches.lock().unwrap().push(changes);
        Ok(())
    }

    async fn message(&self, _: &SessionId, _: &Address, _: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    async fn receipts(&self, _: &SessionId, _: Vec<Receipt>) -> Result<(), Fault> {
        Ok(())
    }

    async fn paired(&self, _: &SessionId, _: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }
}

fn key(from_me: bool, participant: Option<&str>, id: &str) -> MessageField<wa::MessageKey> {
    MessageField::some(wa::MessageKey {
        remote_jid: Some("whatever".into()),
        from_me: Some(from_me),
        id: Some(id.into()),
        participant: participant.map(str::to_owned),
    })
}

fn text(text: &str) -> MessageField<wa::Message> {
    MessageField::some(wa::Message { conversation: Some(text.into()), ..Default::default() })
}

fn written(key: MessageField<wa::MessageKey>, message: MessageField<wa::Message>) -> wa::WebMessageInfo {
    wa::WebMessageInfo { key, message, message_timestamp: Some(1_700_000_000), ..Default::default() }
}

fn conversation(id: &str, messages: Vec<wa::WebMessageInfo>) -> wa::Conversation {
    let one = |message| wa::HistorySyncMsg { message: MessageField::some(message), ..Default::default() };
    wa::Conversation { id: id.into(), messages: messages.into_iter().map(one).collect(), ..Default::default() }
}

/// Compressed as phones do it, but without compressing: stored blocks of deflate.
fn zlib(raw: &[u8]) -> Bytes {
    let mut out = vec![0x78, 0x01];
    let mut blocks = raw.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        let length = block.len() as u16;
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (low, high) = raw.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    out.extend(((high << 16) | low).to_be_bytes());
    Bytes::from(out)
}

fn chunk(sync: &wa::HistorySync) -> Box<LazyHistorySync> {
    let raw = codec::history_sync_to_vec(sync);
    Box::new(LazyHistorySync::new(zlib(&raw), raw.len(), 3, Some(2), Some(40)))
}

async fn taken(sync: wa::HistorySync) -> (Vec<Vec<Change>>, Observation) {
    let log = Log::default();
    take_over(&"shop".parse().unwrap(), &log, &book(), chunk(&sync)).await.unwrap();
    let event = log.events.lock().unwrap().pop().unwrap();
    (log.batches.into_inner().unwrap(), event)
}

fn messages(batches: &[Vec<Change>]) -> Vec<&Message> {
    let all = batches.iter().flatten();
    all.filter_map(|change| match change {
        Change::Message { message, live: false } => Some(&**message),
        _ => None,
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_become_chats_with_their_messages_oldest_first() {
    let mut own = written(key(true, None, "2"), text("second"));
    own.status = Some(wa::web_message_info::Status::READ);
    own.starred = Some(true);
    let mut direct = conversation("10000100@lid", vec![own, written(key(false, None, "1"), text("first"))]);
    direct.name = Some("Ani".into());
    direct.unread_count = Some(3);
    direct.archived = Some(true);
    direct.pinned = Some(5);
    direct.mute_end_time = Some(1_800_000_000);
    direct.ephemeral_expiration = Some(0);
    let in_group = written(key(false, Some("20000200:1@lid"), "3"), text("hello"));
    let sync = wa::HistorySync {
        sync_type: wa::history_sync::HistorySyncType::RECENT,
        conversations: vec![direct, conversation(GROUP, vec![in_group])],
        pushnames: vec![wa::Pushname { id: Some(BUDI.into()), pushname: Some("Budi".into()) }],
        phone_number_to_lid_mappings: vec![wa::PhoneNumberToLIDMapping {
            pn_jid: Some("62844444@s.whatsapp.net".into()),
            lid_jid: Some("444@lid".into()),
        }],
        ..Default::default()
    };
    let (batches, event) = taken(sync).await;
    assert_eq!(
        event.data,
        json!({"syncType": "recent", "chunk": 2, "progress": 40, "chats": 2, "messages": 3, "tags": ["history"]})
    );
    assert_eq!(event.kind, EventKind::HistorySync);
    let kept = messages(&batches);
    assert_eq!(kept.iter().map(|one| one.text.as_str()).collect::<Vec<_>>(), ["first", "second", "hello"]);
    assert_eq!(
        (kept[0].key.remote_jid.as_str(), kept[0].sender.as_str(), kept[0].status),
        (ANI, ANI, MessageStatus::Received)
    );
    assert_eq!((kept[1].key.from_me, kept[1].starred, kept[1].status), (true, true, MessageStatus::Read));
    assert_eq!(kept[1].sender.as_str(), "62899999@s.whatsapp.net");
    assert_eq!(kept[2].key.participant.as_ref().unwrap().as_str(), BUDI);
    let chats: Vec<_> = batches
        .iter()
        .flatten()
        .filter_map(|change| match change {
            Change::Chat { chat, patch, .. } => Some((chat.as_str(), patch)),
            _ => None,
        })
        .collect();
    let patch = ChatPatch {
        lid: Some(Address::parse("10000100@lid", "62").unwrap()),
        name: Some("Ani".into()),
        archived: Some(true),
        pinned_ms: Some(Some(5_000)),
        muted_until_ms: Some(Some(1_800_000_000_000)),
        unread: Some(3),
        marked_unread: None,
        ephemeral_seconds: Some(None),
    };
    assert_eq!((chats[0], chats[1].0), ((ANI, &patch), GROUP));
    let known = |fits: &dyn Fn(&Contact) -> bool| {
        batches.iter().flatten().any(|change| matches!(change, Change::Contact(contact) if fits(contact)))
    };
    assert!(known(&|one| one.push_name.as_deref() == Some("Budi") && one.lid.is_some()));
    assert!(known(&|one| one.name.as_deref() == Some("Ani")));
    assert!(known(&|one| one.lid.as_ref().is_some_and(|lid| lid.as_str() == "444@lid") && one.jid.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_votes_edits_and_secrets_come_with_their_message() {
    let option = |name: &str| wa::message::poll_creation_message::Option {
        option_name: Some(name.into()),
        ..Default::default()
    };
    let poll = wa::Message {
        poll_creation_message: MessageField::some(wa::message::PollCreationMessage {
            name: Some("Lunch?".into()),
            options: vec![option("Soup"), option("Rice")],
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut poll = written(key(true, None, "P"), MessageField::some(poll));
    poll.message_secret = Some(vec![7; 32]);
    poll.reactions =
        vec![wa::Reaction { key: key(false, Some(BUDI), "R"), text: Some("👍".into()), ..Default::default() }];
    poll.poll_updates = vec![wa::PollUpdate {
        poll_update_message_key: key(false, Some("10000100@lid"), "V"),
        vote: MessageField::some(wa::message::PollVoteMessage {
            selected_options: vec![whatsapp_rust::wacore::poll::compute_option_hash("Rice").to_vec()],
        }),
        sender_timestamp_ms: Some(9),
        ..Default::default()
    }];
    let edit = wa::message::ProtocolMessage {
        r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
        edited_message: text("better"),
        timestamp_ms: Some(77),
        ..Default::default()
    };
    let edit = wa::Message { protocol_message: MessageField::some(edit), ..Default::default() };
    let edit = written(key(false, Some(BUDI), "E"), MessageField::some(edit));
    let stub = wa::WebMessageInfo { key: key(false, Some(BUDI), "S"), ..Default::default() };
    let sync = wa::HistorySync {
        sync_type: wa::history_sync::HistorySyncType::RECENT,
        conversations: vec![conversation(GROUP, vec![stub, edit, poll])],
        ..Default::default()
    };
    let (batches, event) = taken(sync).await;
    assert_eq!(event.data["messages"], 2);
    let kept = messages(&batches);
    let body = codec::message_decode(&kept[0].body).unwrap();
    assert_eq!(crate::inbound::message::vote::secret_of(&body), Some([7; 32]));
    assert_eq!((kept[1].text.as_str(), kept[1].edited_ms), ("better", Some(77)));
    let all: Vec<_> = batches.iter().flatten().collect();
    assert!(all.iter().any(|change| matches!(change, Change::Reaction { key, reaction }
        if key.id == "P" && reaction.from.as_str() == BUDI && reaction.emoji == "👍")));
    assert!(all.iter().any(|change| matches!(change, Change::Vote { key, vote }
        if key.id == "P" && vote.from.as_str() == ANI && vote.options == ["Rice"] && vote.ts_ms == 9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_taken_over_in_small_pieces() {
    let many = (0..1_200).map(|id| written(key(false, None, &id.to_string()), text("x"))).collect();
    let sync = wa::HistorySync {
        sync_type: wa::history_sync::HistorySyncType::FULL,
        conversations: vec![conversation(ANI, many)],
        ..Default::default()
    };
    let (batches, event) = taken(sync).await;
    assert_eq!(event.data["messages"], 1_200);
    assert_eq!(batches.iter().map(Vec::len).max(), Some(CHANGES));
    assert_eq!(messages(&batches).len(), 1_200);
}

#[test]
fn chunks_that_wait_are_bounded() {
    let (chunks, waiting) = channel();
    let event = Arc::new(Event::HistorySync(chunk(&wa::HistorySync::default())));
    assert_eq!((0..WAITING + 1).filter(|_| chunks.tell(&event)).count(), WAITING);
    let large = LazyHistorySync::new(Bytes::from(vec![0; WAITING_BYTES + 1]), 1, 0, None, None);
    let large = Arc::new(Event::HistorySync(Box::new(large)));
    let (chunks, _waiting) = channel();
    assert!(chunks.tell(&large));
    assert!(!chunks.tell(&event), "the large one has to be taken over first");
    drop(waiting);
}
