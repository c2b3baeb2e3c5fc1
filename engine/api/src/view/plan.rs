//! A plan, written as the action list that `POST …/actions` takes.

use super::content::content_json;
use serde_json::{Value, json};
use warest_model::content::{ChatChange, Content, Mute};
use warest_model::plan::{Effect, Node};

/// A plan's nodes as an action list.
pub fn plan_json(nodes: &[Node]) -> Value {
    nodes.iter().map(node_json).collect()
}

// A plan nests at most `limits::PLAN_DEPTH` levels, so this recursion is short.
fn node_json(node: &Node) -> Value {
    match node {
        Node::Effect { effect } => effect_json(effect),
        Node::Delay { ms } => json!({ "act": "delay", "ms": ms }),
        Node::Noop => json!({ "type": "noop" }),
        Node::Queue { items, delay_ms } => json!({ "act": "queue", "items": plan_json(items), "delayMs": delay_ms }),
        Node::Parallel { items } => json!({ "act": "parallel", "items": plan_json(items) }),
        Node::When { cond, then, otherwise } => {
            json!({ "act": "when", "cond": cond, "then": plan_json(then), "else": plan_json(otherwise) })
        }
        Node::Retry { item, attempts, delay_ms, on_fail } => json!({
            "act": "retry",
            "item": node_json(item),
            "attempts": attempts,
            "delayMs": delay_ms,
            "onFail": plan_json(on_fail),
        }),
    }
}

fn effect_json(effect: &Effect) -> Value {
    match effect {
        Effect::Message { to, content, mentions, quoted, forwarded } => {
            let mut action = content_json(content);
            action["to"] = json!(to);
            if !mentions.is_empty() {
                action["mentions"] = json!(mentions);
            }
            if let Some(key) = quoted {
                action["quoted"] = json!(key);
            }
            if *forwarded && !matches!(content, Content::Forward { .. }) {
                action["isForwarded"] = json!(true);
            }
            action
        }
        Effect::React { to, key, emoji } => json!({ "act": "react", "to": to, "key": key, "emoji": emoji }),
        Effect::Read { keys } => json!({ "act": "read", "keys": keys }),
        Effect::Presence { state, to } => json!({ "act": "presence", "state": state, "to": to }),
        Effect::Star { key, on } => json!({ "act": if *on { "star" } else { "unstar" }, "key": key }),
        Effect::Delete { key, with_media } => json!({ "act": "delete", "key": key, "deleteMedia": with_media }),
        Effect::Revoke { key } => json!({ "act": "revoke", "key": key }),
        Effect::Edit { key, content: Content::Raw { message, .. } } => {
            json!({ "act": "edit", "key": key, "message": message })
        }
        Effect::Edit { key, content } => json!({ "act": "edit", "key": key, "text": content.words() }),
        Effect::Pin { key, seconds: Some(seconds) } => json!({ "act": "pin", "key": key, "seconds": seconds }),
        Effect::Pin { key, seconds: None } => json!({ "act": "unpin", "key": key }),
        Effect::Chat { chat, change } => {
            let mut action = json!({ "act": change.name(), "chat": chat });
            if let ChatChange::Mute(Some(Mute::For(ms))) = change {
                action["ms"] = json!(ms);
            }
            action
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use warest_model::action::{ActionContext, parse_actions};

    #[test]
    fn a_shown_plan_reads_back_as_itself() {
        let key = json!({ "remoteJid": "628111@s.whatsapp.net", "fromMe": true, "id": "ABC" });
        let actions = json!([
            { "type": "text", "to": "628111111", "text": "hi", "mentions": ["628222222"], "quoted": key },
            { "act": "retry", "item": { "act": "react", "key": key, "emoji": "👍" }, "attempts": 2, "delayMs": 7,
              "onFail": [{ "type": "noop" }] },
            { "act": "when", "cond": 0, "then": [{ "act": "delay", "seconds": 2 }], "else": [{ "act": "read", "key": key }] },
            { "act": "queue", "items": [{ "act": "typing", "to": "628111111", "ms": 5 }], "delayMs": 3 },
            { "act": "parallel", "items": [{ "act": "presence", "state": "available" }] },
            { "type": "media", "mediaType": "image", "to": "628111111", "url": "https://a.example/1.png", "caption": "x",
              "transform": { "sharp": { "resize": { "width": 9, "fit": "inside" }, "webp": { "quality": 80 } } },
              "transcode": { "format": "mp4", "audioBitrate": "96k" }, "viewOnce": true, "compress": false },
            { "type": "document", "to": "628111111", "url": "https://a.example/1.pdf", "filename": "1.pdf" },
            { "type": "sticker", "to": "628111111", "webpUrl": "https://a.example/1.webp" },
            { "type": "vcard", "to": "628111111", "contact": { "fullName": "Ana", "phone": "0811", "org": "X" } },
            { "type": "location", "to": "628111111", "lat": -6.25, "lng": 106.5, "name": "Here" },
            { "type": "poll", "to": "628111111", "message": { "question": "?", "options": ["a", "b"] } },
            { "type": "button", "to": "628111111", "text": "?", "image": "https://a.example/1.png", "buttons": [
                { "displayText": "Yes", "id": "y" }, { "Btype": "url", "displayText": "Go", "url": "https://a.example" },
                { "Btype": "call", "displayText": "Call", "phoneNumber": "0811" },
                { "Btype": "copy", "displayText": "Copy", "copyCode": "1" } ] },
            { "type": "list", "to": "628111111", "text": "?", "buttonText": "Go", "sections": [{ "title": "A", "rows": ["x"] }] },
            { "type": "forward", "to": "628111111", "key": key },
            { "type": "raw", "to": "628111111", "message": { "conversation": "x" }, "isForwarded": true },
            { "act": "star", "key": key }, { "act": "delete", "key": key, "deleteMedia": false },
            { "act": "revoke", "key": key }, { "act": "edit", "key": key, "text": "new" },
            { "act": "pin", "key": key }, { "act": "unpin", "key": key },
            { "act": "mute", "chat": "628111111", "seconds": 60 }, { "act": "clear", "chat": "628111111" },
        ]);
        let context = ActionContext { country_code: "62".to_owned(), chat: None };
        let nodes = parse_actions(&actions, &context).unwrap();
        assert_eq!(parse_actions(&plan_json(&nodes), &context).unwrap(), nodes);
    }
}
