//! A plan as it crosses from a guest: an arena of nodes, turned into the JSON
//! form of actions.
//!
//! Every node has one parent at most, so that the arena is a forest: a cycle, a
//! shared child and an index past the end are refused. Nodes that no root leads
//! to are left out.

use super::bindings::warest::plugin::types::{MessageKey, Node, Plan};
use serde_json::{Value, json};
use warest_model::fault::Fault;
use warest_model::limits::{PLAN_BYTES, PLAN_DEPTH, PLAN_NODES};

/// The actions of a guest's plan, in the form of a webhook answer.
pub(super) fn actions(plan: Plan) -> Result<Value, Fault> {
    if plan.nodes.len() > PLAN_NODES || plan.roots.len() > PLAN_NODES {
        return Err(too_large(format!("a plan may have at most {PLAN_NODES} nodes")));
    }
    let bytes = plan.nodes.iter().map(bytes).sum::<usize>();
    if bytes > PLAN_BYTES {
        return Err(too_large(format!("a plan may have at most {PLAN_BYTES} bytes; this one has {bytes}")));
    }
    let mut arena = Arena { nodes: plan.nodes.into_iter().map(Some).collect() };
    arena.list(plan.roots, 0)
}

struct Arena {
    /// Each is taken once.
    nodes: Vec<Option<Node>>,
}

impl Arena {
    fn list(&mut self, children: Vec<u32>, depth: usize) -> Result<Value, Fault> {
        children.into_iter().map(|child| self.node(child, depth)).collect()
    }

    fn node(&mut self, index: u32, depth: usize) -> Result<Value, Fault> {
        if depth > PLAN_DEPTH {
            return Err(Fault::fail("plan_too_deep", format!("a plan may nest {PLAN_DEPTH} levels")));
        }
        let node = self
            .nodes
            .get_mut(index as usize)
            .ok_or_else(|| invalid(format!("there is no node {index}")))?
            .take()
            .ok_or_else(|| invalid(format!("node {index} has two parents, or lies in a cycle")))?;
        Ok(match node {
            Node::Text(text) => {
                let mut action = json!({"type": "text", "text": text.text, "mentions": text.mentions});
                if !text.to.is_empty() {
                    action["to"] = json!(text.to);
                }
                if let Some(quoted) = text.quoted {
                    action["quoted"] = key(quoted);
                }
                action
            }
            Node::React(react) => json!({"act": "react", "key": key(react.key), "emoji": react.emoji}),
            Node::Read(keys) => json!({"act": "read", "keys": keys.into_iter().map(key).collect::<Vec<_>>()}),
            Node::Typing(typing) => json!({"act": "typing", "to": typing.to, "ms": typing.ms}),
            Node::Presence(presence) => json!({"act": "presence", "state": presence.state, "to": presence.to}),
            Node::Delay(ms) => json!({"act": "delay", "ms": ms}),
            Node::Noop => json!({"type": "noop"}),
            Node::Queue(queue) => {
                json!({"act": "queue", "delayMs": queue.delay_ms, "items": self.list(queue.items, depth + 1)?})
            }
            Node::Parallel(items) => json!({"act": "parallel", "items": self.list(items, depth + 1)?}),
            Node::When(when) => json!({
                "act": "when",
                "cond": when.cond,
                "then": self.list(when.then, depth + 1)?,
                "else": self.list(when.otherwise, depth + 1)?,
            }),
            Node::Retry(retry) => json!({
                "act": "retry",
                "attempts": retry.attempts,
                "delayMs": retry.delay_ms,
                "item": self.node(retry.item, depth + 1)?,
                "onFail": self.list(retry.on_fail, depth + 1)?,
            }),
            Node::Action(text) => serde_json::from_str::<Value>(&text)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| invalid(format!("node {index} is not an action in JSON")))?,
        })
    }
}

fn key(key: MessageKey) -> Value {
    json!({
        "remoteJid": key.remote_jid,
        "fromMe": key.from_me,
        "id": key.id,
        "participant": key.participant,
    })
}

/// What a node takes up: its strings, its indices, and itself.
fn bytes(node: &Node) -> usize {
    let key =
        |key: &MessageKey| 32 + key.remote_jid.len() + key.id.len() + key.participant.as_ref().map_or(0, String::len);
    let texts = |texts: &[String]| texts.iter().map(|text| text.len() + 2).sum::<usize>();
    let option = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    16 + match node {
        Node::Text(text) => {
            texts(&text.to) + texts(&text.mentions) + text.text.len() + text.quoted.as_ref().map_or(0, key)
        }
        Node::React(react) => key(&react.key) + react.emoji.len(),
        Node::Read(keys) => keys.iter().map(key).sum(),
        Node::Typing(typing) => option(&typing.to),
        Node::Presence(presence) => presence.state.len() + option(&presence.to),
        Node::Delay(_) | Node::Noop => 0,
        Node::Queue(queue) => 4 * queue.items.len(),
        Node::Parallel(items) => 4 * items.len(),
        Node::When(when) => 4 * (when.then.len() + when.otherwise.len()),
        Node::Retry(retry) => 4 * retry.on_fail.len(),
        Node::Action(text) => text.len(),
    }
}

fn too_large(message: String) -> Fault {
    Fault::fail("plan_too_large", format!("{message}; split the work over several events"))
}

fn invalid(message: String) -> Fault {
    Fault::fail("plan_invalid", format!("the plugin's plan: {message}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::bindings::warest::plugin::types::{QueueAction, RetryAction, TextAction, WhenAction};
    use super::*;

    fn text(text: &str) -> Node {
        Node::Text(TextAction { to: Vec::new(), text: text.into(), mentions: Vec::new(), quoted: None })
    }

    fn queue(items: &[u32]) -> Node {
        Node::Queue(QueueAction { items: items.to_vec(), delay_ms: 5 })
    }

    #[test]
    fn an_arena_becomes_a_tree() {
        let retry = RetryAction { item: 0, attempts: 2, delay_ms: 9, on_fail: vec![1] };
        let when = WhenAction { cond: true, then: vec![3], otherwise: vec![4] };
        let nodes = vec![text("a"), Node::Noop, Node::Retry(retry), Node::Delay(7), queue(&[]), Node::When(when)];
        let leaf = json!({"type": "text", "text": "a", "mentions": []});
        assert_eq!(
            actions(Plan { nodes, roots: vec![2, 5] }).unwrap(),
            json!([
                {"act": "retry", "attempts": 2, "delayMs": 9, "item": leaf, "onFail": [{"type": "noop"}]},
                {"act": "when", "cond": true, "then": [{"act": "delay", "ms": 7}],
                    "else": [{"act": "queue", "delayMs": 5, "items": []}]},
            ])
        );
    }

    #[test]
    fn what_is_not_a_forest_is_refused() {
        for (nodes, roots) in [
            (vec![queue(&[0])], vec![0]),
            (vec![queue(&[1]), queue(&[0])], vec![0]),
            (vec![queue(&[2]), queue(&[2]), Node::Noop], vec![0, 1]),
            (vec![queue(&[1, 1]), Node::Noop], vec![0]),
            (vec![Node::Noop], vec![0, 0]),
            (vec![Node::Noop], vec![1]),
            (vec![queue(&[u32::MAX])], vec![0]),
            (vec![Node::Action("[]".into())], vec![0]),
            (vec![Node::Action("{".into())], vec![0]),
        ] {
            assert_eq!(actions(Plan { nodes, roots }).unwrap_err().code, "plan_invalid");
        }
    }

    #[test]
    fn a_plan_past_its_bounds_is_refused() {
        let chain = (0..100).map(|child| queue(&[child + 1])).chain([Node::Noop]).collect();
        assert_eq!(actions(Plan { nodes: chain, roots: vec![0] }).unwrap_err().code, "plan_too_deep");
        for (nodes, roots) in [
            (vec![Node::Noop; PLAN_NODES + 1], vec![]),
            (vec![], vec![0; PLAN_NODES + 1]),
            (vec![text(&"x".repeat(PLAN_BYTES))], vec![0]),
            (vec![queue(&vec![0; PLAN_BYTES / 4])], vec![0]),
        ] {
            assert_eq!(actions(Plan { nodes, roots }).unwrap_err().code, "plan_too_large");
        }
    }
}
