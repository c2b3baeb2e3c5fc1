//! What a receiver is sent: the engine's own shape, or the one that receivers
//! written for the Node server expect.

use serde_json::{Map, Value, json};
use warest_model::event::{Event, EventKind};
use warest_model::target::PayloadShape;
use warest_react::{SessionInfo, event_body};

/// The body of a request about `event`.
pub(super) fn body(shape: PayloadShape, event: &Event, session: &SessionInfo) -> Value {
    let mut body = event_body(event, session);
    if shape == PayloadShape::Node
        && let Some(data) = body["data"].as_object_mut()
    {
        to_node(event.kind, data);
    }
    body
}

/// Puts `data` into the Node server's shape. What that does not change is kept.
fn to_node(kind: EventKind, data: &mut Map<String, Value>) {
    let tags: Vec<&str> =
        data.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let tags = tags.join(",");
    data.insert("tags".to_owned(), json!(tags));
    let field = |name: &str| data.get(name).cloned().unwrap_or_default();
    let content = || raw_message(field("contentType").as_str().unwrap_or_default(), field("message"));
    // The numbers are WhatsApp's types of what is said of a message.
    let protocol = |number: u8, mut more: Value| {
        more["key"] = field("key");
        more["type"] = json!(number);
        json!({ "protocolMessage": more })
    };
    let message = match kind {
        EventKind::MessageReceived | EventKind::MessageSent => content(),
        EventKind::MessageReaction => json!({"reactionMessage": {"key": field("key"), "text": field("reaction")}}),
        EventKind::MessageRevoked => protocol(0, json!({})),
        EventKind::MessageEdited => protocol(14, json!({"editedMessage": content()})),
        _ => return,
    };
    let from_me = tags.split(',').any(|tag| tag == "outbound");
    let (chat, sender, is_group) = (field("chatId"), field("sender"), field("isGroup"));
    let mut key = json!({"remoteJid": chat, "fromMe": from_me, "id": field("messageId")});
    if is_group == true {
        key["participant"] = sender.clone();
    }
    let seconds = field("timestamp").as_i64().unwrap_or_default() / 1_000;
    let raw = json!({
        "key": key,
        "message": message,
        "pushName": field("pushName"),
        "messageTimestamp": seconds,
    });
    data.insert("message".to_owned(), raw);
    let sender = json!({"chatId": chat, "fromMe": from_me, "isGroup": is_group, "authorJid": sender});
    data.insert("sender".to_owned(), sender);
    data.insert("type".to_owned(), json!("notify"));
}

/// The message under the name that WhatsApp's own records give it.
fn raw_message(content_type: &str, content: Value) -> Value {
    let name = match content_type {
        "text" => return raw_text(content),
        "poll" => return raw_poll(&content),
        "contacts" => "contactsArrayMessage",
        "button_reply" => "buttonsResponseMessage",
        "list_reply" => "listResponseMessage",
        "interactive_reply" => "interactiveResponseMessage",
        "call_log" => "callLogMesssage",
        other => &camel_case(other),
    };
    Value::Object(Map::from_iter([(name.to_owned(), content)]))
}

fn raw_poll(content: &Value) -> Value {
    let options = content["options"].as_array().into_iter().flatten();
    let options: Vec<Value> = options.map(|name| json!({"optionName": name})).collect();
    let count = &content["selectable"];
    json!({"pollCreationMessage": {"name": content["question"], "options": options, "selectableOptionsCount": count}})
}

fn raw_text(content: Value) -> Value {
    let (text, mentions, quoted) = (&content["text"], &content["mentions"], &content["quoted"]);
    if mentions.is_null() && quoted.is_null() {
        return json!({"conversation": text});
    }
    let mut context = Map::new();
    if !mentions.is_null() {
        context.insert("mentionedJid".to_owned(), mentions.clone());
    }
    if !quoted.is_null() {
        context.insert("stanzaId".to_owned(), quoted["id"].clone());
        context.insert("participant".to_owned(), quoted["sender"].clone());
    }
    json!({"extendedTextMessage": {"text": text, "contextInfo": context}})
}

/// `live_location` as `liveLocationMessage`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out + "Message"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use warest_model::jid::Jid;

    fn shown(shape: PayloadShape, kind: EventKind, data: Value) -> Value {
        let event = Event {
            id: "evt_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse().unwrap(),
            session: "shop".parse().unwrap(),
            kind,
            chat: Some(Jid::parse("628111", "62").unwrap()),
            ts_ms: 5,
            data,
        };
        let info =
            SessionInfo { id: "shop".into(), label: String::new(), registry: "usr".into(), username: "u".into() };
        body(shape, &event, &info)
    }

    fn received(kind: &str, message: Value) -> Value {
        json!({
            "eventId": "evt_01HF5QZVQSK3T1SH4Z2RCB2DQB", "messageId": "3EB0", "chatId": "1203@g.us",
            "sender": "6281@s.whatsapp.net", "pushName": "Ani", "timestamp": 1_732_364_392_123_i64, "isGroup": true,
            "key": {"remoteJid": "1203@g.us", "fromMe": false, "id": "3EB0", "participant": "6281@s.whatsapp.net"},
            "contentType": kind, "text": "hi", "message": message, "media": null, "tags": ["inbound"],
        })
    }

    #[test]
    fn the_seeds_shape_is_the_event_as_it_is() {
        let data = received("text", json!({"text": "hi"}));
        assert_eq!(shown(PayloadShape::Seed, EventKind::MessageReceived, data.clone())["data"], data);
    }

    #[test]
    fn a_message_in_the_node_servers_shape() {
        let shown = shown(PayloadShape::Node, EventKind::MessageReceived, received("text", json!({"text": "hi"})));
        let data = &shown["data"];
        assert_eq!(shown["event"], "message_received");
        assert_eq!((&data["text"], &data["tags"], &data["type"]), (&json!("hi"), &json!("inbound"), &json!("notify")));
        let sender =
            json!({"chatId": "1203@g.us", "fromMe": false, "isGroup": true, "authorJid": "6281@s.whatsapp.net"});
        assert_eq!(data["sender"], sender);
        let key =
            json!({"remoteJid": "1203@g.us", "fromMe": false, "id": "3EB0", "participant": "6281@s.whatsapp.net"});
        assert_eq!(
            data["message"],
            json!({"key": key, "message": {"conversation": "hi"}, "pushName": "Ani",
                   "messageTimestamp": 1_732_364_392})
        );
        assert_eq!(data["key"], key, "what the shape does not name stays");
    }

    #[test]
    fn other_contents_stand_under_whatsapps_names() {
        let raw = |kind: &str, message: Value| {
            let shown = shown(PayloadShape::Node, EventKind::MessageReceived, received(kind, message));
            shown["data"]["message"]["message"].clone()
        };
        let quoting = json!({"text": "x", "mentions": ["a"], "quoted": {"id": "Q", "sender": "b"}});
        let context = json!({"mentionedJid": ["a"], "stanzaId": "Q", "participant": "b"});
        assert_eq!(raw("text", quoting), json!({"extendedTextMessage": {"text": "x", "contextInfo": context}}));
        assert_eq!(raw("image", json!({"caption": "c"})), json!({"imageMessage": {"caption": "c"}}));
        assert_eq!(raw("live_location", json!({})), json!({"liveLocationMessage": {}}));
        let poll = json!({"question": "Lunch?", "options": ["Rice"], "selectable": 1});
        let raw_poll = json!({"name": "Lunch?", "options": [{"optionName": "Rice"}], "selectableOptionsCount": 1});
        assert_eq!(raw("poll", poll), json!({"pollCreationMessage": raw_poll}));
    }

    #[test]
    fn reactions_and_other_events_in_the_node_servers_shape() {
        let on = json!({"remoteJid": "6281@s.whatsapp.net", "fromMe": true, "id": "T"});
        let data = json!({
            "messageId": "R", "chatId": "6281@s.whatsapp.net", "sender": "6281@s.whatsapp.net", "isGroup": false,
            "reaction": "👍", "key": on, "timestamp": 9_000, "pushName": "", "tags": ["inbound"],
        });
        let reaction = shown(PayloadShape::Node, EventKind::MessageReaction, data);
        assert_eq!(reaction["data"]["message"]["key"]["id"], "R");
        let raw = json!({"reactionMessage": {"key": on, "text": "👍"}});
        assert_eq!(reaction["data"]["message"]["message"], raw);
        let data = json!({
            "messageId": "E", "chatId": "6281@s.whatsapp.net", "sender": "6282@s.whatsapp.net", "isGroup": false,
            "key": on, "contentType": "text", "message": {"text": "better"}, "tags": ["outbound", "device"],
        });
        let edited = shown(PayloadShape::Node, EventKind::MessageEdited, data);
        let raw = json!({"protocolMessage": {"key": on, "type": 14, "editedMessage": {"conversation": "better"}}});
        assert_eq!(edited["data"]["message"]["message"], raw);
        assert_eq!(edited["data"]["sender"]["fromMe"], true);
        let data = json!({"state": "open", "tags": ["session", "open"]});
        let status = shown(PayloadShape::Node, EventKind::SessionStatus, data);
        assert_eq!(status["data"], json!({"state": "open", "tags": "session,open"}));
    }
}
