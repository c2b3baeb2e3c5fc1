//! What each kind of content becomes.
#![allow(clippy::unwrap_used)]

use super::context::{Context, Quote};
use super::*;
use crate::Attachment;
use crate::outbound::upload::Place;
use serde_json::{Value, json};
use warest_model::content::{Button, Card, Media, MediaKind, MediaSource, Menu, Row, Section};

fn uploaded(kind: MediaKind) -> Uploaded {
    Uploaded {
        attachment: Attachment {
            file: "/nowhere".into(),
            kind,
            mime: "a/b".into(),
            file_name: Some("a.b".into()),
            size: 3,
            width: Some(4),
            height: Some(5),
            seconds: Some(6),
            thumbnail: Some(vec![7]),
            waveform: Some(vec![8]),
            animated: true,
        },
        place: Place {
            url: "https://a.example/1".into(),
            direct_path: "/1".into(),
            media_key: vec![1; 32],
            media_key_timestamp: 2,
            file_sha256: vec![3; 32],
            file_enc_sha256: vec![4; 32],
            file_length: 3,
            streaming_sidecar: None,
        },
    }
}

fn compose(content: &Content, context: Context, original: Option<&wa::Message>, files: &[Uploaded]) -> wa::Message {
    message(content, Parts { context, files, original, secret: [9; 32] }).unwrap()
}

fn plain(content: &Content) -> wa::Message {
    compose(content, Context::default(), None, &[])
}

fn media(kind: MediaKind, caption: Option<&str>, view_once: bool) -> wa::Message {
    let source = MediaSource::Url("https://a.example/1".into());
    let media = Media { caption: caption.map(str::to_owned), view_once, ..Media::new(kind, source) };
    compose(&Content::Media(media), Context::default(), None, &[uploaded(kind)])
}

#[test]
fn a_plain_text_is_a_conversation() {
    assert_eq!(plain(&Content::text("hi")).conversation.as_deref(), Some("hi"));
}

#[test]
fn each_kind_of_file_becomes_its_own_message() {
    let image = media(MediaKind::Image, Some("look"), false).image_message.into_option().unwrap();
    assert_eq!((image.caption.as_deref(), image.width, image.height), (Some("look"), Some(4), Some(5)));
    assert_eq!((image.mimetype.as_deref(), image.jpeg_thumbnail), (Some("a/b"), Some(vec![7])));
    assert_eq!(image.media_key, Some(vec![1; 32]));
    let video = media(MediaKind::Video, None, false).video_message.into_option().unwrap();
    assert_eq!((video.gif_playback, video.seconds, video.width), (None, Some(6), Some(4)));
    let gif = media(MediaKind::Gif, None, false).video_message.into_option().unwrap();
    assert_eq!(gif.gif_playback, Some(true));
    let audio = media(MediaKind::Audio, None, false).audio_message.into_option().unwrap();
    assert_eq!((audio.ptt, audio.seconds, audio.waveform), (None, Some(6), None));
    let voice = media(MediaKind::Voice, None, false).audio_message.into_option().unwrap();
    assert_eq!((voice.ptt, voice.waveform), (Some(true), Some(vec![8])));
    let sticker = media(MediaKind::Sticker, None, false).sticker_message.into_option().unwrap();
    assert_eq!((sticker.is_animated, sticker.width), (Some(true), Some(4)));
    let document = media(MediaKind::Document, None, false).document_message.into_option().unwrap();
    assert_eq!((document.file_name.as_deref(), document.title.as_deref()), (Some("a.b"), Some("a.b")));
}

#[test]
fn a_document_with_a_caption_is_wrapped_and_holds_its_context_inside() {
    let content = Content::Media(Media {
        caption: Some("see".into()),
        ..Media::new(MediaKind::Document, MediaSource::Url("https://a.example/1".into()))
    });
    let context = Context { mentions: vec!["1@s.whatsapp.net".into()], ..Context::default() };
    let message = compose(&content, context, None, &[uploaded(MediaKind::Document)]);
    let inner = message.document_with_caption_message.into_option().unwrap().message.into_option().unwrap();
    let document = inner.document_message.into_option().unwrap();
    assert_eq!(document.caption.as_deref(), Some("see"));
    assert_eq!(document.context_info.into_option().unwrap().mentioned_jid, ["1@s.whatsapp.net"]);
}

#[test]
fn what_is_shown_once_says_so_inside_and_outside() {
    let image = media(MediaKind::Image, None, true).view_once_message_v2.into_option().unwrap();
    let image = image.message.into_option().unwrap().image_message.into_option().unwrap();
    assert_eq!(image.view_once, Some(true));
    let voice = media(MediaKind::Voice, None, true).view_once_message_v2_extension.into_option().unwrap();
    let voice = voice.message.into_option().unwrap().audio_message.into_option().unwrap();
    assert_eq!(voice.view_once, Some(true));
    assert!(media(MediaKind::Document, None, true).document_message.is_set());
}

#[test]
fn a_file_that_is_not_there_is_no_message() {
    let media = Media::new(MediaKind::Image, MediaSource::Url("https://a.example/1".into()));
    let parts = Parts { context: Context::default(), files: &[], original: None, secret: [9; 32] };
    assert_eq!(message(&Content::Media(media), parts).unwrap_err().code, "file_missing");
}

#[test]
fn a_quote_carries_its_original_without_that_ones_own_context() {
    let original = wa::Message {
        extended_text_message: wa::message::ExtendedTextMessage {
            text: Some("before".into()),
            context_info: wa::ContextInfo {
                stanza_id: Some("OLDER".into()),
                mentioned_jid: vec!["2@s.whatsapp.net".into()],
                ..Default::default()
            }
            .into(),
            ..Default::default()
        }
        .into(),
        message_context_info: wa::MessageContextInfo { message_secret: Some(vec![1; 32]), ..Default::default() }.into(),
        ..Default::default()
    };
    let quote = |message| Quote { id: "A".into(), author: Some("1@s.whatsapp.net".into()), chat: None, message };
    let context = |message| Context { quote: Some(quote(message)), ..Context::default() };
    let of = |message: wa::Message| {
        let text = message.extended_text_message.into_option().unwrap();
        (text.text.unwrap(), text.context_info.into_option().unwrap())
    };
    let (text, shown) = of(compose(&Content::text("re"), context(Some(original)), None, &[]));
    assert_eq!((text.as_str(), shown.stanza_id.as_deref()), ("re", Some("A")));
    assert_eq!(shown.participant.as_deref(), Some("1@s.whatsapp.net"));
    let quoted = shown.quoted_message.into_option().unwrap();
    assert!(quoted.message_context_info.is_unset());
    let (text, inner) = of(quoted);
    assert_eq!((text.as_str(), inner.stanza_id, inner.mentioned_jid.len()), ("before", None, 0));
    let (_, shown) = of(compose(&Content::text("re"), context(None), None, &[]));
    assert_eq!(shown.quoted_message.into_option().unwrap().conversation.as_deref(), Some(""));
}

#[test]
fn a_forwarding_mark_and_a_forward_raise_the_score() {
    let marked = compose(&Content::text("hi"), Context { forwarded: true, ..Context::default() }, None, &[]);
    let context = |message: &wa::Message| {
        let text = message.extended_text_message.as_option().unwrap();
        text.context_info.as_option().unwrap().clone()
    };
    assert_eq!((context(&marked).is_forwarded, context(&marked).forwarding_score), (Some(true), Some(1)));

    let mut original = marked.clone();
    let inner = original.extended_text_message.as_option_mut().unwrap().context_info.as_option_mut().unwrap();
    inner.stanza_id = Some("OLDER".into());
    inner.mentioned_jid = vec!["2@s.whatsapp.net".into()];
    inner.expiration = Some(60);
    let key = serde_json::from_value(json!({"remoteJid": "628111111@s.whatsapp.net", "id": "A"})).unwrap();
    let content = Content::Forward { key };
    let forward = compose(&content, Context::default(), Some(&original), &[]);
    let shown = context(&forward);
    assert_eq!((shown.is_forwarded, shown.forwarding_score), (Some(true), Some(2)));
    assert_eq!((shown.stanza_id, shown.mentioned_jid.len(), shown.expiration), (None, 0, None));

    let again = (0..5).fold(original, |message, _| compose(&content, Context::default(), Some(&message), &[]));
    assert_eq!(context(&again).forwarding_score, Some(127));
}

#[test]
fn a_forwarded_file_stays_where_it_is_and_what_is_shown_once_is_not_forwarded() {
    let key = serde_json::from_value(json!({"remoteJid": "628111111@s.whatsapp.net", "id": "A"})).unwrap();
    let content = Content::Forward { key };
    let original = media(MediaKind::Document, Some("see"), false);
    let forward = compose(&content, Context::default(), Some(&original), &[]);
    let inner = forward.document_with_caption_message.into_option().unwrap().message.into_option().unwrap();
    let document = inner.document_message.into_option().unwrap();
    assert_eq!((document.media_key, document.caption.as_deref()), (Some(vec![1; 32]), Some("see")));
    let code = |original: Option<&wa::Message>| {
        let parts = Parts { context: Context::default(), files: &[], original, secret: [9; 32] };
        message(&content, parts).unwrap_err().code
    };
    assert_eq!(code(Some(&media(MediaKind::Image, None, true))), "message_not_forwardable");
    assert_eq!(code(None), "message_unknown");
}

#[test]
fn cards_places_and_polls() {
    let card = Card { full_name: "Ana".into(), phone: Some("+62811111111".into()), ..Card::default() };
    let one = plain(&Content::Contacts { cards: vec![card.clone()] }).contact_message.into_option().unwrap();
    assert_eq!(one.display_name.as_deref(), Some("Ana"));
    let two =
        plain(&Content::Contacts { cards: vec![card.clone(), card] }).contacts_array_message.into_option().unwrap();
    assert_eq!((two.contacts.len(), two.display_name.as_deref()), (2, Some("2 contacts")));

    let place = Content::Location { latitude: -6.2, longitude: 106.8, name: Some("Jakarta".into()), address: None };
    let place = plain(&place).location_message.into_option().unwrap();
    assert_eq!((place.degrees_latitude, place.name.as_deref()), (Some(-6.2), Some("Jakarta")));

    let poll = |selectable| Content::Poll { question: "?".into(), options: vec!["a".into(), "b".into()], selectable };
    let single = plain(&poll(1));
    assert_eq!(single.message_context_info.as_option().unwrap().message_secret, Some(vec![9; 32]));
    let single = single.poll_creation_message_v3.into_option().unwrap();
    assert_eq!((single.selectable_options_count, single.options.len()), (Some(1), 2));
    let any = plain(&poll(0)).poll_creation_message.into_option().unwrap();
    assert_eq!((any.selectable_options_count, any.options[1].option_name.as_deref()), (Some(0), Some("b")));
}

fn flow(message: wa::Message) -> (wa::message::InteractiveMessage, Vec<(String, Value)>) {
    let interactive = message.interactive_message.into_option().unwrap();
    let Some(wa::message::interactive_message::InteractiveMessage::NativeFlowMessage(flow)) =
        &interactive.interactive_message
    else {
        panic!("no native flow")
    };
    let buttons = flow.buttons.iter().map(|button| {
        let params = serde_json::from_str(button.button_params_json.as_deref().unwrap()).unwrap();
        (button.name.clone().unwrap(), params)
    });
    let buttons = buttons.collect();
    (interactive, buttons)
}

#[test]
fn buttons_are_native_flows_under_a_picture() {
    let content = Content::Buttons {
        text: "which?".into(),
        footer: Some("small".into()),
        image: Some(MediaSource::Url("https://a.example/1.png".into())),
        buttons: vec![
            Button::Reply { text: "Yes".into(), id: "y".into() },
            Button::Url { text: "Open".into(), url: "https://a.example".into() },
            Button::Call { text: "Call".into(), phone: "+62811".into() },
            Button::Copy { text: "Copy".into(), code: "X1".into() },
        ],
    };
    let quote = Quote { id: "A".into(), ..Quote::default() };
    let context = Context { quote: Some(quote), ..Context::default() };
    let (message, buttons) = flow(compose(&content, context, None, &[uploaded(MediaKind::Image)]));
    assert_eq!(message.body.as_option().unwrap().text.as_deref(), Some("which?"));
    assert_eq!(message.footer.as_option().unwrap().text.as_deref(), Some("small"));
    assert_eq!(message.context_info.as_option().unwrap().stanza_id.as_deref(), Some("A"));
    let header = message.header.as_option().unwrap();
    assert_eq!(header.has_media_attachment, Some(true));
    assert!(matches!(header.media, Some(wa::message::interactive_message::header::Media::ImageMessage(_))));
    let names: Vec<_> = buttons.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["quick_reply", "cta_url", "cta_call", "cta_copy"]);
    assert_eq!(buttons[0].1, json!({"display_text": "Yes", "id": "y"}));
    assert_eq!(buttons[2].1["phone_number"], "+62811");
    assert_eq!(buttons[3].1["copy_code"], "X1");
}

#[test]
fn lists_are_single_selects() {
    let row = Row { id: "r".into(), title: "Row".into(), description: Some("below".into()) };
    let menu = Menu { button: "Go".into(), sections: vec![Section { title: "A".into(), rows: vec![row] }] };
    let content =
        Content::List { title: Some("T".into()), text: "?".into(), footer: None, image: None, menus: vec![menu] };
    let (message, buttons) = flow(plain(&content));
    assert_eq!(message.header.as_option().unwrap().title.as_deref(), Some("T"));
    let (name, params) = &buttons[0];
    assert_eq!((name.as_str(), &params["title"]), ("single_select", &json!("Go")));
    assert_eq!(params["sections"][0]["rows"][0]["id"], "r");
    assert_eq!(params["sections"][0]["rows"][0]["description"], "below");
}

fn raw(message: Value) -> Result<wa::Message, Fault> {
    let content = Content::Raw { message, forwarded: false };
    super::message(&content, Parts { context: Context::default(), files: &[], original: None, secret: [9; 32] })
}

#[test]
fn raw_messages_are_read_in_both_spellings_with_bytes_numbers_and_choices() {
    let message = raw(json!({
        "imageMessage": {
            "url": "https://a.example", "mimetype": "image/png", "mediaKey": "AQID", "fileLength": "123",
            "file_sha256": [1, 2], "fileEncSha256": {"type": "Buffer", "data": [3]}, "height": null,
            "mediaKeyTimestamp": {"low": 5, "high": 0, "unsigned": false},
            "contextInfo": {"mentionedJid": ["1@s.whatsapp.net"]},
        },
    }))
    .unwrap();
    let image = message.image_message.into_option().unwrap();
    assert_eq!((image.media_key, image.file_length), (Some(vec![1, 2, 3]), Some(123)));
    assert_eq!((image.file_sha256, image.file_enc_sha256), (Some(vec![1, 2]), Some(vec![3])));
    assert_eq!(image.media_key_timestamp, Some(5));
    assert_eq!(image.context_info.into_option().unwrap().mentioned_jid.len(), 1);

    let (message, buttons) = flow(
        raw(json!({"interactiveMessage": {
            "header": {"title": "T", "hasMediaAttachment": true, "imageMessage": {"caption": "c"}},
            "body": {"text": "?"},
            "nativeFlowMessage": {"buttons": [{"name": "quick_reply", "buttonParamsJson": "{\"id\":\"y\"}"}]},
        }}))
        .unwrap(),
    );
    let Some(wa::message::interactive_message::header::Media::ImageMessage(image)) =
        &message.header.as_option().unwrap().media
    else {
        panic!("no picture")
    };
    assert_eq!((image.caption.as_deref(), buttons[0].0.as_str()), (Some("c"), "quick_reply"));

    let text = raw(json!({"extendedTextMessage": {"text": "hi", "font": "SYSTEM_BOLD"}})).unwrap();
    let font = text.extended_text_message.into_option().unwrap().font;
    assert_eq!(font, Some(wa::message::extended_text_message::FontType::SYSTEM_BOLD));
}

#[test]
fn what_is_no_message_or_only_a_device_may_say_is_refused() {
    for message in [
        json!({"conversatoin": "hi"}),
        json!({"extendedTextMessage": {"text": 1}}),
        json!({"extendedTextMessage": {}, "imageMessage": {"mediaKey": "%%"}}),
        json!({"messageContextInfo": {"messageSecret": "AQID"}}),
        json!({"conversation": null}),
        json!({"protocolMessage": {"type": "REVOKE"}}),
        json!({"viewOnceMessage": {"message": {"protocol_message": {}}}}),
        json!({"senderKeyDistributionMessage": {"groupId": "1@g.us"}}),
        json!({"conversation": "x", "deviceSentMessage": {}}),
        json!({"ephemeralMessage": {"message": {"editedMessage": {}}}}),
    ] {
        let fault = raw(message.clone()).unwrap_err();
        assert_eq!(fault.code, "message_invalid", "{message}");
    }
    let fault = raw(json!({"imageMessage": {"contextInfo": {"mentionedJids": []}}})).unwrap_err();
    assert!(fault.message.contains("imageMessage") || fault.message.contains("image_message"), "{fault}");
    assert!(fault.message.contains("mentionedJids"), "{fault}");
}

#[test]
fn an_edit_replaces_the_caption_of_a_file_and_the_words_of_a_text() {
    let text = || plain(&Content::text("new"));
    let caption = addon::reworded(Some(&media(MediaKind::Document, Some("old"), false)), text()).unwrap();
    let inner = caption.document_with_caption_message.into_option().unwrap().message.into_option().unwrap();
    assert_eq!(inner.document_message.into_option().unwrap().caption.as_deref(), Some("new"));
    assert_eq!(addon::reworded(None, text()).unwrap().conversation.as_deref(), Some("new"));
    let quote = Quote { id: "A".into(), ..Quote::default() };
    let old = compose(&Content::text("old"), Context { quote: Some(quote), ..Context::default() }, None, &[]);
    let new = addon::reworded(Some(&old), text()).unwrap().extended_text_message.into_option().unwrap();
    assert_eq!(new.text.as_deref(), Some("new"));
    assert_eq!(new.context_info.into_option().unwrap().stanza_id.as_deref(), Some("A"));
    let sticker = media(MediaKind::Sticker, None, false);
    assert_eq!(addon::reworded(Some(&sticker), text()).unwrap_err().code, "message_not_editable");
}

#[test]
fn a_pin_lasts_for_the_next_of_whatsapps_spans() {
    let seconds = |wanted| {
        let message = addon::pin(wa::MessageKey::default(), wanted, 1);
        message.message_context_info.into_option().unwrap().message_add_on_duration_in_secs.unwrap()
    };
    assert_eq!(seconds(Some(3_600)), 86_400);
    assert_eq!(seconds(Some(86_401)), 604_800);
    assert_eq!(seconds(Some(9_999_999)), 2_592_000);
    assert_eq!(seconds(None), 0);
}
