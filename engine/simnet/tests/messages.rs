//! Every kind of message between the real client and the phones, and what becomes of a message that
//! is edited, taken back, reacted to, voted on or pinned.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::{ALICE, BOB, Companion, network, paired, shown, shown_id, text, wait_for};
use wacore_binary::Jid;
use waproto::buffa::MessageField;
use waproto::whatsapp::{self as wa};
use warest_simnet::{MessageState, SimnetHandle};
use whatsapp_rust::features::PollVoteCiphertext;
use whatsapp_rust::{PinDuration, RevokeType};

/// Bob writes to Alice; what her companion got.
async fn write(net: &SimnetHandle, companion: &Companion, content: Value) -> wa::Message {
    let mut body = content;
    body["to"] = json!(ALICE);
    let sent = net.write(BOB, body).await.unwrap();
    companion.message(&sent.id).await.message
}

/// Waits until a message at a phone is as told.
async fn becomes(net: &SimnetHandle, phone: &str, id: &str, is: impl Fn(&MessageState) -> bool) -> MessageState {
    wait_for("the message to change", async || net.message(phone, id).await.ok().filter(|state| is(state))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_gets_every_kind_that_a_phone_sends() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let quoted = net.send_text(ALICE, BOB, "what do you think?", None).await.unwrap();
    shown_id(&net, BOB, &quoted.id).await;

    let body = json!({ "text": "well", "quoted": quoted.id, "mentions": [ALICE], "forwarded": true });
    let got = write(&net, &companion, body).await;
    let extended = got.extended_text_message.as_option().unwrap();
    let context = extended.context_info.as_option().unwrap();
    assert_eq!(context.stanza_id.as_deref(), Some(quoted.id.as_str()));
    let original = context.quoted_message.as_option().unwrap();
    assert_eq!(original.conversation.as_deref(), Some("what do you think?"));
    assert_eq!(context.mentioned_jid, [format!("{ALICE}@s.whatsapp.net")]);
    assert_eq!(context.is_forwarded, Some(true));

    let data = STANDARD.encode(b"bytes of a file");
    let client = companion.client();
    let got = write(&net, &companion, json!({ "image": { "data": data }, "caption": "look" })).await;
    let image = got.image_message.as_option().unwrap();
    assert_eq!(image.caption.as_deref(), Some("look"));
    assert_eq!(client.download(image).await.unwrap(), b"bytes of a file");
    let got = write(&net, &companion, json!({ "video": { "data": data, "seconds": 7 } })).await;
    assert_eq!(got.video_message.as_option().unwrap().seconds, Some(7));
    let got = write(&net, &companion, json!({ "gif": { "data": data } })).await;
    assert_eq!(got.video_message.as_option().unwrap().gif_playback, Some(true));
    let got = write(&net, &companion, json!({ "audio": { "data": data } })).await;
    assert_eq!(got.audio_message.as_option().unwrap().ptt, Some(false));
    let got = write(&net, &companion, json!({ "ptt": { "data": data, "waveform": STANDARD.encode([9; 64]) } })).await;
    let note = got.audio_message.as_option().unwrap();
    assert_eq!((note.ptt, note.waveform.as_deref()), (Some(true), Some([9; 64].as_slice())));
    assert_eq!(client.download(note).await.unwrap(), b"bytes of a file");
    let got = write(&net, &companion, json!({ "document": { "data": data, "fileName": "a.txt" } })).await;
    assert_eq!(got.document_message.as_option().unwrap().file_name.as_deref(), Some("a.txt"));
    let got = write(&net, &companion, json!({ "sticker": { "data": data } })).await;
    assert_eq!(got.sticker_message.as_option().unwrap().mimetype.as_deref(), Some("image/webp"));

    let got = write(&net, &companion, json!({ "contact": { "name": "Carl", "phone": "4917" } })).await;
    assert!(got.contact_message.as_option().unwrap().vcard.as_deref().unwrap().contains("waid=4917:+4917"));
    let two = json!([{ "name": "A", "phone": "491" }, { "name": "B", "vcard": "BEGIN:VCARD\nEND:VCARD" }]);
    let got = write(&net, &companion, json!({ "contacts": { "contacts": two } })).await;
    assert_eq!(got.contacts_array_message.as_option().unwrap().contacts.len(), 2);
    let got =
        write(&net, &companion, json!({ "location": { "latitude": 52.5, "longitude": 13.4, "name": "B" } })).await;
    assert_eq!(got.location_message.as_option().unwrap().degrees_latitude, Some(52.5));
    let got = write(&net, &companion, json!({ "liveLocation": { "latitude": 1.0, "longitude": 2.0 } })).await;
    assert_eq!(got.live_location_message.as_option().unwrap().degrees_longitude, Some(2.0));
    let got = write(&net, &companion, json!({ "buttonReply": { "id": "b1", "text": "Yes" } })).await;
    assert_eq!(got.buttons_response_message.as_option().unwrap().selected_button_id.as_deref(), Some("b1"));
    let got = write(&net, &companion, json!({ "listReply": { "id": "r1", "title": "Row" } })).await;
    let row = got.list_response_message.as_option().unwrap().single_select_reply.as_option().unwrap();
    assert_eq!(row.selected_row_id.as_deref(), Some("r1"));
    let got = write(&net, &companion, json!({ "forward": { "id": quoted.id } })).await;
    let forwarded = got.extended_text_message.as_option().unwrap();
    assert_eq!(forwarded.text.as_deref(), Some("what do you think?"));
    let got = write(&net, &companion, json!({ "image": { "data": data }, "viewOnce": true })).await;
    let once = got.view_once_message_v2.as_option().and_then(|wrapper| wrapper.message.as_option());
    let once = once.unwrap_or(&got);
    assert_eq!(once.image_message.as_option().unwrap().view_once, Some(true));
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_changes_its_messages_at_the_companion() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let first = net.send_text(BOB, ALICE, "frist", None).await.unwrap();
    companion.message(&first.id).await;
    let got = write(&net, &companion, json!({ "edit": { "id": first.id, "text": "first" } })).await;
    let protocol = got.edited_message.as_option().and_then(|edit| edit.message.as_option()).unwrap_or(&got);
    let protocol = protocol.protocol_message.as_option().unwrap();
    assert_eq!(protocol.key.as_option().unwrap().id.as_deref(), Some(first.id.as_str()));
    assert_eq!(protocol.edited_message.as_option().unwrap().conversation.as_deref(), Some("first"));
    let got = write(&net, &companion, json!({ "react": { "id": first.id, "emoji": "🎉" } })).await;
    let reaction = got.reaction_message.as_option().unwrap();
    assert_eq!(reaction.key.as_option().unwrap().from_me, Some(true));
    let got = write(&net, &companion, json!({ "pin": { "id": first.id } })).await;
    assert!(got.pin_in_chat_message.is_set());
    let state = becomes(&net, ALICE, &first.id, |state| state.pinned).await;
    assert_eq!((state.text.as_str(), state.edits), ("first", 1));
    assert_eq!(state.reactions[BOB], "🎉");
    write(&net, &companion, json!({ "unpin": { "id": first.id } })).await;
    becomes(&net, ALICE, &first.id, |state| !state.pinned).await;
    let got = write(&net, &companion, json!({ "revoke": { "id": first.id } })).await;
    assert!(got.protocol_message.is_set());
    let state = becomes(&net, ALICE, &first.id, |state| state.revoked).await;
    assert_eq!(state.text, "");
    let kinds: Vec<String> = net.messages(ALICE, 0, None).await.unwrap().into_iter().map(|m| m.kind).collect();
    assert_eq!(kinds, ["text", "edit", "reaction", "pin", "unpin", "revoke"]);

    let refused = net.write(BOB, json!({ "to": ALICE, "edit": { "id": "NONE", "text": "x" } })).await.unwrap_err();
    assert_eq!(refused.status(), 404, "{refused}");
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_changes_its_messages_at_the_phones() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let client = companion.client();
    let bob = Jid::pn(BOB);
    let sent = client.send_message(bob.clone(), text("frist")).await.unwrap();
    shown_id(&net, BOB, &sent.message_id).await;
    client.edit_message(bob.clone(), sent.message_id.clone(), text("first")).await.unwrap();
    let state = becomes(&net, BOB, &sent.message_id, |state| state.edits == 1).await;
    assert_eq!(state.text, "first");

    let key = wa::MessageKey {
        remote_jid: Some(bob.to_string()),
        from_me: Some(true),
        id: Some(sent.message_id.clone()),
        ..Default::default()
    };
    client.pin_message(bob.clone(), key.clone(), PinDuration::Hours24).await.unwrap();
    becomes(&net, BOB, &sent.message_id, |state| state.pinned).await;
    client.send_reaction(bob.clone(), key, "👍").await.unwrap();
    becomes(&net, BOB, &sent.message_id, |state| state.reactions.get(ALICE).is_some_and(|emoji| emoji == "👍")).await;
    client.revoke_message(bob, sent.message_id.clone(), RevokeType::Sender).await.unwrap();
    becomes(&net, BOB, &sent.message_id, |state| state.revoked).await;
    // The companion's own phone knows all of it too.
    let own = becomes(&net, ALICE, &sent.message_id, |state| state.revoked).await;
    assert_eq!((own.edits, own.message.from_me), (1, true));
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_are_read_and_counted_on_both_sides() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let client = companion.client();
    let options = ["Tea".to_owned(), "Coffee".to_owned()];

    // The companion asks, the phone votes, and votes again.
    let (poll, secret) = client.polls().create(Jid::pn(BOB), "Drink?", &options, 1).await.unwrap();
    let asked = shown_id(&net, BOB, &poll.message_id).await;
    assert_eq!((asked.kind.as_str(), asked.text.as_str(), asked.options.as_slice()), ("poll", "Drink?", &options[..]));
    for choice in ["Tea", "Coffee"] {
        let vote = json!({ "to": ALICE, "vote": { "id": poll.message_id, "options": [choice] } });
        let vote = net.write(BOB, vote).await.unwrap();
        let got = companion.message(&vote.id).await;
        let update = got.message.poll_update_message.as_option().unwrap();
        let value = update.vote.as_option().unwrap();
        let sealed = PollVoteCiphertext {
            enc_payload: value.enc_payload.as_deref().unwrap(),
            enc_iv: value.enc_iv.as_deref().unwrap(),
        };
        let (me, bob) = (client.lid().unwrap(), got.chat.parse::<Jid>().unwrap());
        let hashes = client.polls().decrypt_vote(sealed, &secret, &poll.message_id, &me, &bob).await.unwrap();
        assert_eq!(hashes, [wacore::poll::compute_option_hash(choice).to_vec()]);
    }
    let state = becomes(&net, ALICE, &poll.message_id, |state| !state.votes[1].voters.is_empty()).await;
    assert_eq!((state.votes[0].voters.len(), state.votes[1].voters.as_slice()), (0, &[BOB.to_owned()][..]));

    // The phone asks, the companion votes.
    let poll = json!({ "to": ALICE, "poll": { "name": "When?", "options": ["Now", "Later", "Never"] } });
    let poll = net.write(BOB, poll).await.unwrap();
    let got = companion.message(&poll.id).await;
    let secret = got.message.message_context_info.as_option().and_then(|info| info.message_secret.clone()).unwrap();
    let chat: Jid = got.chat.parse().unwrap();
    let choice = ["Now".to_owned(), "Later".to_owned()];
    client.polls().vote(chat.clone(), &poll.id, &chat, &secret, &choice).await.unwrap();
    let vote = shown(&net, BOB, "Now, Later").await;
    assert_eq!((vote.kind.as_str(), vote.about.as_deref(), vote.options.len()), ("vote", Some(poll.id.as_str()), 2));
    let state = net.message(BOB, &poll.id).await.unwrap();
    assert_eq!(state.votes.iter().map(|option| option.voters.len()).collect::<Vec<_>>(), [1, 1, 0]);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_every_kind_that_a_companion_sends() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let client = companion.client();
    let location = wa::message::LocationMessage {
        degrees_latitude: Some(1.0),
        degrees_longitude: Some(2.0),
        name: Some("Here".into()),
        ..Default::default()
    };
    let contact = wa::message::ContactMessage { display_name: Some("Carl".into()), ..Default::default() };
    let contacts = wa::message::ContactsArrayMessage { display_name: Some("2 contacts".into()), ..Default::default() };
    let invite = wa::message::GroupInviteMessage { caption: Some("Join".into()), ..Default::default() };
    let some = wa::Message::default;
    let cases = [
        ("location", "Here", wa::Message { location_message: MessageField::some(location), ..some() }),
        ("contact", "Carl", wa::Message { contact_message: MessageField::some(contact), ..some() }),
        ("contacts", "2 contacts", wa::Message { contacts_array_message: MessageField::some(contacts), ..some() }),
        ("groupInvite", "Join", wa::Message { group_invite_message: MessageField::some(invite), ..some() }),
    ];
    for (kind, text, message) in cases {
        let sent = client.send_message(Jid::pn(BOB), message).await.unwrap();
        let shown = shown_id(&net, BOB, &sent.message_id).await;
        assert_eq!((shown.kind.as_str(), shown.text.as_str()), (kind, text));
    }
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_companion_sees_what_the_phone_itself_writes_and_changes() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let sent = net.send_text(ALICE, BOB, "from my phone", None).await.unwrap();
    assert!(companion.message(&sent.id).await.from_me);
    let edit = json!({ "to": BOB, "edit": { "id": sent.id, "text": "from my own phone" } });
    let edit = net.write(ALICE, edit).await.unwrap();
    assert!(companion.message(&edit.id).await.from_me);
    let revoke = net.write(ALICE, json!({ "to": BOB, "revoke": { "id": sent.id } })).await.unwrap();
    assert!(companion.message(&revoke.id).await.from_me);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn played_and_read_reach_the_companion_that_sent() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let sent = companion.client().send_message(Jid::pn(BOB), text("listen")).await.unwrap();
    shown_id(&net, BOB, &sent.message_id).await;
    net.mark_read(BOB, ALICE, std::slice::from_ref(&sent.message_id)).await.unwrap();
    net.mark_played(BOB, ALICE, std::slice::from_ref(&sent.message_id)).await.unwrap();
    wait_for("the receipts", async || {
        let seen = net.receipts(ALICE, 0).await.unwrap();
        ["read", "played"].iter().all(|kind| seen.iter().any(|receipt| receipt.kind == *kind)).then_some(())
    })
    .await;
    companion.stop().await;
}
