//! What a plugin wants done, as a tree; it crosses to the host as an arena.

use crate::bindings;
use crate::bindings::warest::plugin::types as wit;
use serde_json::Value;

/// Names one WhatsApp message.
pub type Key = wit::MessageKey;

/// What should be done, in order. Plans nest: `queue`, `parallel`, `when` and
/// `retry` take plans.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    actions: Vec<Action>,
}

#[derive(Debug, Clone)]
enum Action {
    Leaf(wit::Node),
    Queue { delay_ms: u64, items: Plan },
    Parallel(Plan),
    When { cond: bool, then: Plan, otherwise: Plan },
    Retry { attempts: u32, delay_ms: u64, item: Plan, on_fail: Plan },
}

impl Plan {
    /// Nothing, so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Sends a text to the chat of the event.
    pub fn reply(self, text: impl Into<String>) -> Self {
        self.send(Vec::new(), text.into(), None)
    }

    /// Sends a text to the chat of the event, quoting a message.
    pub fn reply_to(self, key: Key, text: impl Into<String>) -> Self {
        self.send(Vec::new(), text.into(), Some(key))
    }

    /// Sends a text to a phone number or JID.
    pub fn text(self, to: impl Into<String>, text: impl Into<String>) -> Self {
        self.send(vec![to.into()], text.into(), None)
    }

    /// Reacts to a message; an empty emoji takes the reaction off.
    pub fn react(self, key: Key, emoji: impl Into<String>) -> Self {
        self.leaf(wit::Node::React(wit::ReactAction { key, emoji: emoji.into() }))
    }

    /// Marks messages as read.
    pub fn read(self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.leaf(wit::Node::Read(keys.into_iter().collect()))
    }

    /// Shows "typing…" in the chat of the event for so long.
    pub fn typing(self, ms: u64) -> Self {
        self.leaf(wit::Node::Typing(wit::TypingAction { to: None, ms }))
    }

    /// Shows a presence: `available`, `unavailable`, `composing`, `recording` or
    /// `paused`.
    pub fn presence(self, state: &str, to: Option<&str>) -> Self {
        self.leaf(wit::Node::Presence(wit::PresenceAction { state: state.into(), to: to.map(Into::into) }))
    }

    /// Waits.
    pub fn delay(self, ms: u64) -> Self {
        self.leaf(wit::Node::Delay(ms))
    }

    /// Does nothing.
    pub fn noop(self) -> Self {
        self.leaf(wit::Node::Noop)
    }

    /// Any action in the JSON form of a webhook answer.
    pub fn action(self, action: &Value) -> Self {
        self.leaf(wit::Node::Action(action.to_string()))
    }

    /// In order, stopping at the first that fails, `delay_ms` apart.
    pub fn queue(self, delay_ms: u64, items: Plan) -> Self {
        self.push(Action::Queue { delay_ms, items })
    }

    /// All at once.
    pub fn parallel(self, items: Plan) -> Self {
        self.push(Action::Parallel(items))
    }

    /// One of two plans; the run shows which one was not taken.
    pub fn when(self, cond: bool, then: Plan, otherwise: Plan) -> Self {
        self.push(Action::When { cond, then, otherwise })
    }

    /// Up to `attempts` times until it succeeds, `delay_ms` apart, then `on_fail`.
    pub fn retry(self, attempts: u32, delay_ms: u64, item: Plan, on_fail: Plan) -> Self {
        self.push(Action::Retry { attempts, delay_ms, item, on_fail })
    }

    fn send(self, to: Vec<String>, text: String, quoted: Option<Key>) -> Self {
        self.leaf(wit::Node::Text(wit::TextAction { to, text, mentions: Vec::new(), quoted }))
    }

    fn leaf(self, node: wit::Node) -> Self {
        self.push(Action::Leaf(node))
    }

    fn push(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    pub(crate) fn flatten(self) -> bindings::Plan {
        let mut nodes = Vec::new();
        let roots = self.into_nodes(&mut nodes);
        bindings::Plan { nodes, roots }
    }

    /// Puts its actions into the arena, children first; returns their indices.
    fn into_nodes(self, nodes: &mut Vec<wit::Node>) -> Vec<u32> {
        self.actions.into_iter().map(|action| action.into_node(nodes)).collect()
    }

    /// One action that stands for all of them.
    fn into_one(mut self) -> Action {
        match (self.actions.pop(), self.actions.is_empty()) {
            (None, _) => Action::Leaf(wit::Node::Noop),
            (Some(only), true) => only,
            (Some(last), false) => Action::Queue { delay_ms: 0, items: self.push(last) },
        }
    }
}

impl Action {
    fn into_node(self, nodes: &mut Vec<wit::Node>) -> u32 {
        let node = match self {
            Self::Leaf(node) => node,
            Self::Queue { delay_ms, items } => {
                wit::Node::Queue(wit::QueueAction { items: items.into_nodes(nodes), delay_ms })
            }
            Self::Parallel(items) => wit::Node::Parallel(items.into_nodes(nodes)),
            Self::When { cond, then, otherwise } => wit::Node::When(wit::WhenAction {
                cond,
                then: then.into_nodes(nodes),
                otherwise: otherwise.into_nodes(nodes),
            }),
            Self::Retry { attempts, delay_ms, item, on_fail } => wit::Node::Retry(wit::RetryAction {
                item: item.into_one().into_node(nodes),
                attempts,
                delay_ms,
                on_fail: on_fail.into_nodes(nodes),
            }),
        };
        nodes.push(node);
        (nodes.len() - 1) as u32
    }
}
