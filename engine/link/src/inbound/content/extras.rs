//! What is said of some contents in words of our own, beside WhatsApp's.
//!
//! Polls have `question`, `options`, `selectable`; places `latitude` and
//! `longitude`; cards `contacts` with names and numbers; choices `id` and `text`.

use super::Content;
use serde_json::{Map, Value, json};
use whatsapp_rust::waproto::whatsapp as wa;

/// Most cards of a message, and numbers of a card, that are read.
const CARDS: usize = 256;
const NUMBERS: usize = 16;
/// Longest vCard that is read.
const CARD_BYTES: usize = 64 << 10;

/// Adds them to `content`, which is that of `base`.
pub(super) fn add(base: &wa::Message, content: &mut Content) {
    match content.kind {
        "poll" => {
            if let Some(poll) = poll(base) {
                content.body = poll_body(poll);
            }
        }
        "video" if base.ptv_message.is_set() => {
            content.body.insert("videoNote".to_owned(), Value::Bool(true));
        }
        "location" | "live_location" => {
            for (theirs, ours) in [("degreesLatitude", "latitude"), ("degreesLongitude", "longitude")] {
                let degrees = content.body.get(theirs).cloned().unwrap_or_else(|| json!(0.0));
                content.body.insert(ours.to_owned(), degrees);
            }
        }
        "contact" | "contacts" => {
            content.body.insert("contacts".to_owned(), Value::Array(cards(base)));
        }
        "button_reply" | "list_reply" | "interactive_reply" => {
            let (id, text) = choice(base);
            content.body.insert("id".to_owned(), json!(id));
            content.body.insert("text".to_owned(), json!(text));
            content.text = text;
        }
        _ => {}
    }
}

/// The poll that a message makes.
pub(crate) fn poll(base: &wa::Message) -> Option<&wa::message::PollCreationMessage> {
    let versions = [
        &base.poll_creation_message,
        &base.poll_creation_message_v2,
        &base.poll_creation_message_v3,
        &base.poll_creation_message_v5,
        &base.poll_creation_message_v6,
    ];
    versions.into_iter().find_map(|version| version.as_option())
}

fn poll_body(poll: &wa::message::PollCreationMessage) -> Map<String, Value> {
    let options: Vec<&str> = poll.options.iter().filter_map(|option| option.option_name.as_deref()).collect();
    let mut body = Map::from_iter([
        ("question".to_owned(), json!(poll.name.clone().unwrap_or_default())),
        ("options".to_owned(), json!(options)),
        // As many as there are, if it is not said.
        ("selectable".to_owned(), json!(poll.selectable_options_count.unwrap_or(0))),
    ]);
    let correct = poll.correct_answer.as_option().and_then(|answer| answer.option_name.as_deref());
    for (name, value) in [
        ("correctOption", correct.map(Value::from)),
        ("endTime", poll.end_time.map(Value::from)),
        ("hideVoters", poll.hide_participant_name.filter(|hidden| *hidden).map(Value::from)),
        ("allowAddOption", poll.allow_add_option.filter(|allowed| *allowed).map(Value::from)),
    ] {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    }
    body
}

fn cards(base: &wa::Message) -> Vec<Value> {
    let one = base.contact_message.as_option().into_iter();
    let many = base.contacts_array_message.as_option().into_iter().flat_map(|array| &array.contacts);
    let shown = |card: &wa::message::ContactMessage| {
        let vcard = card.vcard.as_deref().unwrap_or_default();
        let name = card.display_name.as_deref().unwrap_or_default();
        json!({ "name": name, "displayName": name, "vcard": vcard, "phones": phones(vcard) })
    };
    one.chain(many).take(CARDS).map(shown).collect()
}

/// The telephone numbers of a vCard, with the account that WhatsApp found for
/// each.
fn phones(vcard: &str) -> Vec<Value> {
    if vcard.len() > CARD_BYTES {
        return Vec::new();
    }
    let number = |line: &str| {
        let (name, value) = line.split_once(':')?;
        // `item1.TEL;type=CELL;waid=62811:+62 811`
        let mut parts = name.split(';');
        let tag = parts.next()?.rsplit('.').next()?;
        if !tag.eq_ignore_ascii_case("TEL") {
            return None;
        }
        let mut phone = json!({ "number": value.trim() });
        let account = parts.find_map(|part| part.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case("waid")));
        if let Some((_, digits)) = account
            && let Ok(jid) = warest_model::jid::Jid::from_parts(digits, "s.whatsapp.net")
        {
            phone["jid"] = json!(jid);
        }
        Some(phone)
    };
    vcard.lines().filter_map(number).take(NUMBERS).collect()
}

/// The id and the words of what somebody chose.
fn choice(base: &wa::Message) -> (Option<String>, Option<String>) {
    use whatsapp_rust::waproto::whatsapp::__buffa::oneof::message as oneof;
    if let Some(reply) = base.buttons_response_message.as_option() {
        let text = reply
            .response
            .as_ref()
            .map(|oneof::buttons_response_message::Response::SelectedDisplayText(text)| text.clone());
        return (reply.selected_button_id.clone(), text);
    }
    if let Some(reply) = base.template_button_reply_message.as_option() {
        return (reply.selected_id.clone(), reply.selected_display_text.clone());
    }
    if let Some(reply) = base.list_response_message.as_option() {
        let row = reply.single_select_reply.as_option().and_then(|row| row.selected_row_id.clone());
        return (row, reply.title.clone());
    }
    let Some(reply) = base.interactive_response_message.as_option() else { return (None, None) };
    let text = reply.body.as_option().and_then(|body| body.text.clone());
    let id = reply.interactive_response_message.as_ref().and_then(|flow| {
        let oneof::interactive_response_message::InteractiveResponseMessage::NativeFlowResponseMessage(flow) = flow;
        // `{"id": "…"}`, written by the app from the button that was pressed.
        let parameters: Value = serde_json::from_str(flow.params_json.as_deref()?).ok()?;
        Some(parameters.get("id")?.as_str()?.to_owned())
    });
    (id, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::of;
    use super::*;
    use whatsapp_rust::buffa::MessageField;
    use whatsapp_rust::waproto::whatsapp::__buffa::oneof::message as oneof;

    #[test]
    fn a_poll_is_its_question_and_its_options() {
        let option = |name: &str| wa::message::poll_creation_message::Option {
            option_name: Some(name.into()),
            ..Default::default()
        };
        let poll = wa::message::PollCreationMessage {
            name: Some("Lunch?".into()),
            options: vec![option("Soup"), option("Rice")],
            selectable_options_count: Some(1),
            ..Default::default()
        };
        let message = wa::Message { poll_creation_message_v3: MessageField::some(poll), ..Default::default() };
        let content = of(&message).unwrap();
        assert_eq!((content.kind, content.text.as_deref()), ("poll", Some("Lunch?")));
        let body = json!({"question": "Lunch?", "options": ["Soup", "Rice"], "selectable": 1});
        assert_eq!(Value::Object(content.body), body);
    }

    #[test]
    fn a_card_has_its_numbers_read() {
        let vcard = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Budi\r\nitem1.TEL;type=CELL;waid=62811111:+62 811-111\r\n\
                     TEL:021 555\r\nEMAIL:b@example.com\r\nEND:VCARD";
        let card = wa::message::ContactMessage {
            display_name: Some("Budi".into()),
            vcard: Some(vcard.into()),
            ..Default::default()
        };
        let message = wa::Message { contact_message: MessageField::some(card), ..Default::default() };
        let content = of(&message).unwrap();
        let phones = json!([{"number": "+62 811-111", "jid": "62811111@s.whatsapp.net"}, {"number": "021 555"}]);
        assert_eq!(content.body["contacts"][0]["phones"], phones);
        assert_eq!(content.body["contacts"][0]["name"], "Budi");
    }

    #[test]
    fn a_choice_has_the_id_and_the_words_of_what_was_chosen() {
        let button = wa::message::ButtonsResponseMessage {
            selected_button_id: Some("b1".into()),
            response: Some(oneof::buttons_response_message::Response::SelectedDisplayText("Yes".into())),
            ..Default::default()
        };
        let list = wa::message::ListResponseMessage {
            title: Some("Row".into()),
            single_select_reply: MessageField::some(wa::message::list_response_message::SingleSelectReply {
                selected_row_id: Some("r1".into()),
            }),
            ..Default::default()
        };
        let flow = wa::message::interactive_response_message::NativeFlowResponseMessage {
            params_json: Some(r#"{"id":"f1","other":1}"#.into()),
            ..Default::default()
        };
        let flow = wa::message::InteractiveResponseMessage {
            body: MessageField::some(wa::message::interactive_response_message::Body {
                text: Some("Tapped".into()),
                ..Default::default()
            }),
            interactive_response_message: Some(flow.into()),
            ..Default::default()
        };
        let messages = [
            (wa::Message { buttons_response_message: MessageField::some(button), ..Default::default() }, "b1", "Yes"),
            (wa::Message { list_response_message: MessageField::some(list), ..Default::default() }, "r1", "Row"),
            (
                wa::Message { interactive_response_message: MessageField::some(flow), ..Default::default() },
                "f1",
                "Tapped",
            ),
        ];
        for (message, id, text) in messages {
            let content = of(&message).unwrap();
            assert_eq!((&content.body["id"], &content.body["text"]), (&json!(id), &json!(text)));
            assert_eq!(content.text.as_deref(), Some(text));
        }
    }

    #[test]
    fn a_place_has_plain_coordinates() {
        let place = wa::message::LocationMessage {
            degrees_latitude: Some(-6.2),
            degrees_longitude: Some(106.8),
            name: Some("Monas".into()),
            ..Default::default()
        };
        let message = wa::Message { location_message: MessageField::some(place), ..Default::default() };
        let body = of(&message).unwrap().body;
        assert_eq!(
            (&body["latitude"], &body["longitude"], &body["name"]),
            (&json!(-6.2), &json!(106.8), &json!("Monas"))
        );
    }
}
