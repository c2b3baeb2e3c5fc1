//! Chats that are shared by many: what can be done to a message in a group, and status posts.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use support::{ALICE, BOB, CAROL, network, network_of_three, paired, shown, shown_id, wait_for};
use wacore_binary::Jid;
use waproto::whatsapp::message::extended_text_message::FontType;
use warest_simnet::{MessageState, SimnetHandle};

const STATUS: &str = "status@broadcast";

async fn becomes(net: &SimnetHandle, phone: &str, id: &str, is: impl Fn(&MessageState) -> bool) -> MessageState {
    wait_for("the message to change", async || net.message(phone, id).await.ok().filter(|state| is(state))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_message_is_edited_pinned_and_taken_back_for_all() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let group = net.create_group(BOB, "All", &[ALICE, CAROL], None).await.unwrap();
    let sent = net.send_text(BOB, &group, "frist", None).await.unwrap();
    shown_id(&net, CAROL, &sent.id).await;
    alice.message(&sent.id).await;
    net.write(BOB, json!({ "to": group, "edit": { "id": sent.id, "text": "first" } })).await.unwrap();
    net.write(CAROL, json!({ "to": group, "react": { "id": sent.id, "emoji": "👏" } })).await.unwrap();
    let pin = net.write(CAROL, json!({ "to": group, "pin": { "id": sent.id } })).await.unwrap();
    let got = alice.message(&pin.id).await.message;
    let key = got.pin_in_chat_message.as_option().unwrap().key.as_option().unwrap().clone();
    assert_eq!(key.participant, Some(format!("{}@lid", net.phones().await[1].lid)));
    for phone in [ALICE, CAROL] {
        let state = becomes(&net, phone, &sent.id, |state| state.pinned && !state.reactions.is_empty()).await;
        assert_eq!((state.text.as_str(), state.edits, state.reactions[CAROL].as_str()), ("first", 1, "👏"));
    }
    net.write(BOB, json!({ "to": group, "revoke": { "id": sent.id } })).await.unwrap();
    becomes(&net, CAROL, &sent.id, |state| state.revoked).await;
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_in_a_group_counts_phones_and_companions() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let group = net.create_group(BOB, "All", &[ALICE, CAROL], None).await.unwrap();
    let poll = json!({ "to": group, "poll": { "name": "Lunch?", "options": ["Yes", "No"], "selectable": 1 } });
    let poll = net.write(BOB, poll).await.unwrap();
    shown_id(&net, CAROL, &poll.id).await;
    net.write(CAROL, json!({ "to": group, "vote": { "id": poll.id, "options": ["No"] } })).await.unwrap();
    let got = alice.message(&poll.id).await;
    let secret = got.message.message_context_info.as_option().and_then(|info| info.message_secret.clone()).unwrap();
    let creator: Jid = format!("{}@lid", net.phones().await[1].lid).parse().unwrap();
    let jid: Jid = group.parse().unwrap();
    alice.client().polls().vote(jid, &poll.id, &creator, &secret, &["Yes".to_owned()]).await.unwrap();
    for phone in [ALICE, BOB, CAROL] {
        let state = becomes(&net, phone, &poll.id, |state| state.votes.iter().all(|o| o.voters.len() == 1)).await;
        assert_eq!((state.votes[0].voters[0].as_str(), state.votes[1].voters[0].as_str()), (ALICE, CAROL));
    }
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_posts_a_status_to_those_it_lists() {
    let net = network_of_three().await;
    let mut alice = paired(&net, ALICE).await;
    let client = alice.client();
    let listed: [Jid; 1] = [format!("{}@lid", net.phones().await[1].lid).parse().unwrap()];
    let sent = client
        .status()
        .send_text("having lunch", 0xff1e_6e4f, FontType::SYSTEM, &listed, Default::default())
        .await
        .unwrap();
    let post = shown_id(&net, BOB, &sent.message_id).await;
    assert_eq!((post.chat.as_str(), post.from.as_str(), post.text.as_str()), (STATUS, ALICE, "having lunch"));
    shown_id(&net, ALICE, &sent.message_id).await;
    assert!(net.messages(CAROL, 0, None).await.unwrap().is_empty(), "Carol was not listed");
    net.mark_read(BOB, STATUS, std::slice::from_ref(&sent.message_id)).await.unwrap();
    wait_for("the view", async || {
        let seen = net.receipts(ALICE, 0).await.unwrap();
        seen.iter().any(|receipt| receipt.kind == "read" && receipt.from == BOB).then_some(())
    })
    .await;
    client.status().revoke(sent.message_id.clone(), &listed, Default::default()).await.unwrap();
    becomes(&net, BOB, &sent.message_id, |state| state.revoked).await;
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_posts_a_status_to_those_it_knows() {
    let net = network().await;
    let mut alice = paired(&net, ALICE).await;
    net.send_text(BOB, ALICE, "hello", None).await.unwrap();
    alice.receive("hello").await;
    let sent = net.write(BOB, json!({ "to": STATUS, "text": "on holiday" })).await.unwrap();
    let got = alice.message(&sent.id).await;
    assert_eq!((got.chat.as_str(), got.text.as_str(), got.from_me), (STATUS, "on holiday", false));
    let picture = json!({ "data": STANDARD.encode(b"a beach") });
    let sent = net.write(BOB, json!({ "to": STATUS, "image": picture, "caption": "look" })).await.unwrap();
    let got = alice.message(&sent.id).await;
    let image = got.message.image_message.as_option().unwrap();
    assert_eq!(alice.client().download(image).await.unwrap(), b"a beach");
    shown(&net, ALICE, "on holiday").await;
    let chats = net.chats(ALICE).await.unwrap();
    assert!(chats.iter().all(|chat| chat.chat != STATUS), "{chats:?}");
    alice.stop().await;
}
