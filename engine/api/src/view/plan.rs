//! A plan, written as the action list that `POST …/actions` takes.

use serde_json::{Value, json};
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
        Effect::Text { to, text, mentions, quoted } => {
            let mut action = json!({ "type": "text", "to": to, "text": text });
            if !mentions.is_empty() {
                action["mentions"] = json!(mentions);
            }
            if let Some(key) = quoted {
                action["quoted"] = json!(key);
            }
            action
        }
        Effect::React { to, key, emoji } => json!({ "act": "react", "to": to, "key": key, "emoji": emoji }),
        Effect::Read { keys } => json!({ "act": "read", "keys": keys }),
        Effect::Presence { state, to } => json!({ "act": "presence", "state": state, "to": to }),
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
        ]);
        let context = ActionContext { country_code: "62".to_owned(), chat: None };
        let nodes = parse_actions(&actions, &context).unwrap();
        assert_eq!(parse_actions(&plan_json(&nodes), &context).unwrap(), nodes);
    }
}
