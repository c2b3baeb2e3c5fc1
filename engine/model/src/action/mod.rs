//! Actions: the JSON form in which every reactor says what it wants done, and
//! the one place where that becomes a [`Plan`](crate::plan::Plan).
//!
//! Webhook answers, flow functions, plugin arenas and `POST …/actions` all end
//! here, so that an action means the same wherever it was written. The grammar
//! is the wire contract's: an entry with `act` or `action` is a control action;
//! else `type` names one or a send action.

mod send;

use crate::content::{ChatChange, Content, Mute};
use crate::fault::Fault;
use crate::jid::Jid;
use crate::limits;
use crate::plan::{Effect, MessageKey, Node, Path, PresenceState};
use serde_json::{Map, Value};

/// What an action list is read with.
#[derive(Debug, Clone)]
pub struct ActionContext {
    /// Digits that stand in for a leading `0` of phone numbers.
    pub country_code: String,
    /// The chat that is meant where an action names none.
    pub chat: Option<Jid>,
}

/// Reads a list of actions.
///
/// # Errors
/// A [`Fault`] of kind *fail* that names the path of the first entry that is
/// wrong. Nothing of a list with a wrong entry is ever performed.
pub fn parse_actions(actions: &Value, context: &ActionContext) -> Result<Vec<Node>, Fault> {
    let reader = Reader { context };
    let mut nodes = Vec::new();
    for (index, action) in items_of(actions).into_iter().enumerate() {
        nodes.push(reader.node(action, &Path::root(index), 1)?);
        if nodes.len() > limits::PLAN_NODES {
            return Err(wrong("plan_too_large", &Path::root(index), "too many actions in one list"));
        }
    }
    Ok(nodes)
}

/// Reads what the send action `name` says, without who it is said to.
///
/// # Errors
/// A [`Fault`] of kind *fail* that names the field.
pub fn parse_content(name: &str, fields: &Map<String, Value>, context: &ActionContext) -> Result<Content, Fault> {
    let nowhere = Path::root(0);
    let content = Reader { context }.content(name, fields, &nowhere).and_then(|(content, _)| {
        content.check()?;
        Ok(content)
    });
    content.map_err(|fault| match fault.message.strip_prefix(&format!("action {nowhere}: ")) {
        Some(rest) => Fault { message: rest.to_owned(), ..fault },
        None => fault,
    })
}

struct Reader<'a> {
    context: &'a ActionContext,
}

type Fields = Map<String, Value>;

impl Reader<'_> {
    fn node(&self, action: &Value, path: &Path, depth: usize) -> Result<Node, Fault> {
        if depth > limits::PLAN_DEPTH {
            return Err(wrong("plan_too_deep", path, "nested too deeply; flatten queues and branches"));
        }
        let Value::Object(fields) = action else {
            return Err(wrong("action_invalid", path, "an action is an object with `type` or `act`"));
        };
        let name = text_of(fields, &["act", "action", "type"])
            .ok_or_else(|| wrong("action_invalid", path, "an action needs `type` or `act`"))?;
        match name.as_str() {
            "text" | "media" | "document" | "location" | "sticker" | "vcard" | "button" | "list" | "poll"
            | "forward" | "raw" => self.send(&name, fields, path),
            "noop" => Ok(Node::Noop),
            "react" => self.react(fields, path),
            "read" => self.read(fields, path),
            "star" | "unstar" => {
                let (key, on) = (self.key_of(fields, path)?, name == "star");
                Ok(Node::Effect { effect: Effect::Star { key, on } })
            }
            "delete" => {
                let with_media = flag(fields, &["deleteMedia", "withMedia"]).unwrap_or(true);
                Ok(Node::Effect { effect: Effect::Delete { key: self.key_of(fields, path)?, with_media } })
            }
            "revoke" => self.revoke(fields, path),
            "edit" => self.edit(fields, path),
            "pin" | "unpin" => self.pin(fields, path, name == "pin"),
            "archive" => self.chat_change(fields, path, ChatChange::Archive(true)),
            "unarchive" => self.chat_change(fields, path, ChatChange::Archive(false)),
            "mute" => {
                let ms = duration(fields, path, &["ms"], 1)?;
                let ms = ms.map_or_else(|| duration(fields, path, &["seconds", "sec"], 1_000), |ms| Ok(Some(ms)))?;
                self.chat_change(fields, path, ChatChange::Mute(Some(ms.map_or(Mute::Always, Mute::For))))
            }
            "unmute" => self.chat_change(fields, path, ChatChange::Mute(None)),
            "pin-chat" => self.chat_change(fields, path, ChatChange::Pin(true)),
            "unpin-chat" => self.chat_change(fields, path, ChatChange::Pin(false)),
            "mark-read" => self.chat_change(fields, path, ChatChange::Read(true)),
            "mark-unread" => self.chat_change(fields, path, ChatChange::Read(false)),
            "clear" => self.chat_change(fields, path, ChatChange::Clear),
            "delete-chat" => self.chat_change(fields, path, ChatChange::Delete),
            "typing" => {
                let to = self.chat(fields, path)?;
                let ms = duration(fields, path, &["ms", "delayMs"], 1)?.unwrap_or(1_000);
                Ok(shown_while(PresenceState::Composing, to, ms))
            }
            "presence" => self.presence(fields, path),
            "delay" => self.delay(fields, path),
            "queue" => Ok(Node::Queue {
                items: self.list(fields.get("items"), path, None, depth)?,
                delay_ms: duration(fields, path, &["delayMs"], 1)?.unwrap_or(0),
            }),
            "parallel" => Ok(Node::Parallel { items: self.list(fields.get("items"), path, None, depth)? }),
            "when" => Ok(Node::When {
                cond: truthy(fields.get("cond").or_else(|| fields.get("condition"))),
                then: self.list(first(fields, &["then", "do", "items"]), path, Some("then"), depth)?,
                otherwise: self.list(first(fields, &["else", "otherwise"]), path, Some("else"), depth)?,
            }),
            "retry" => self.retry(fields, path, depth),
            other => Err(wrong(
                "action_unknown",
                path,
                &format!("`{}` is not an action", other.chars().take(64).collect::<String>()),
            )),
        }
    }

    fn list(&self, value: Option<&Value>, path: &Path, branch: Option<&str>, depth: usize) -> Result<Vec<Node>, Fault> {
        let base = branch.map_or_else(|| path.clone(), |name| path.child(name));
        let Some(value) = value else { return Ok(Vec::new()) };
        items_of(value)
            .into_iter()
            .enumerate()
            .map(|(index, item)| self.node(item, &base.child(index), depth + 1))
            .collect()
    }

    fn revoke(&self, fields: &Fields, path: &Path) -> Result<Node, Fault> {
        let key = self.key_of(fields, path)?;
        let revoke = Node::Effect { effect: Effect::Revoke { key: key.clone() } };
        if !flag(fields, &["deleteForMe"]).unwrap_or(false) {
            return Ok(revoke);
        }
        let delete = Node::Effect { effect: Effect::Delete { key, with_media: true } };
        Ok(Node::Queue { items: vec![revoke, delete], delay_ms: 0 })
    }

    fn edit(&self, fields: &Fields, path: &Path) -> Result<Node, Fault> {
        let key = self.key_of(fields, path)?;
        let content = self.new_content(fields, path)?;
        Ok(Node::Effect { effect: Effect::Edit { key, content } })
    }

    fn pin(&self, fields: &Fields, path: &Path, on: bool) -> Result<Node, Fault> {
        let key = self.key_of(fields, path)?;
        let seconds = number(fields, path, &["seconds", "sec"])?.unwrap_or(f64::from(PIN_SECONDS));
        if !(1.0..=f64::from(30 * PIN_SECONDS)).contains(&seconds) {
            return Err(wrong("duration_invalid", path, "a message is pinned for 1 second to 210 days"));
        }
        Ok(Node::Effect { effect: Effect::Pin { key, seconds: on.then_some(seconds as u32) } })
    }

    fn chat_change(&self, fields: &Fields, path: &Path, change: ChatChange) -> Result<Node, Fault> {
        Ok(Node::Effect { effect: Effect::Chat { chat: self.chat(fields, path)?, change } })
    }

    fn react(&self, fields: &Fields, path: &Path) -> Result<Node, Fault> {
        let key = self.key_of(fields, path)?;
        let emoji = text_of(fields, &["emoji", "text", "reaction"]).unwrap_or_default();
        if emoji.chars().count() > 32 {
            return Err(wrong("emoji_invalid", path, "`emoji` takes one emoji, or \"\" to take it off"));
        }
        let to = self.chat(fields, path).unwrap_or_else(|_| key.remote_jid.clone());
        Ok(Node::Effect { effect: Effect::React { to, key, emoji } })
    }

    fn read(&self, fields: &Fields, path: &Path) -> Result<Node, Fault> {
        let keys = match fields.get("keys") {
            None | Some(Value::Null) => vec![self.key_of(fields, path)?],
            Some(value) => items_of(value)
                .into_iter()
                .take(limits::READ_KEYS + 1)
                .map(|key| self.key(key, path))
                .collect::<Result<Vec<_>, _>>()?,
        };
        if keys.is_empty() || keys.len() > limits::READ_KEYS {
            return Err(wrong("keys_invalid", path, &format!("`keys` takes 1 to {} keys", limits::READ_KEYS)));
        }
        // One stanza names one chat; keys of several chats become several.
        let mut chats: Vec<Vec<MessageKey>> = Vec::new();
        for key in keys {
            match chats.iter_mut().find(|chat| chat[0].remote_jid == key.remote_jid) {
                Some(chat) => chat.push(key),
                None => chats.push(vec![key]),
            }
        }
        let mut reads = chats.into_iter().map(|keys| Node::Effect { effect: Effect::Read { keys } });
        match (reads.next(), reads.len()) {
            (Some(only), 0) => Ok(only),
            (head, _) => Ok(Node::Parallel { items: head.into_iter().chain(reads).collect() }),
        }
    }

    fn presence(&self, fields: &Fields, path: &Path) -> Result<Node, Fault> {
        let state = text_of(fields, &["state", "status"]).and_then(|name| presence_state(&name)).ok_or_else(|| {
            wrong("presence_invalid", path, "`state` is one of available, unavailable, composing, recording, paused")
        })?;
        let named = first(fields, RECIPIENT).is_some();
        let in_chat = matches!(state, PresenceState::Composing | PresenceState::Recording | PresenceState::Paused);
        let to = if named || in_chat { Some(self.chat(fields, path)?) } else { None };
        Ok(Node::Effect { effect: Effect::Presence { state, to } })
    }

    fn delay(&self, fields: &Fields, path: &Path) -> Result<Node, Fault> {
        let ms = match duration(fields, path, &["ms", "delayMs"], 1)? {
            Some(ms) => ms,
            None => duration(fields, path, &["seconds", "sec"], 1_000)?
                .ok_or_else(|| wrong("delay_missing", path, "`delay` needs `ms` or `seconds`"))?,
        };
        match text_of(fields, &["state"]).and_then(|name| presence_state(&name)) {
            Some(state @ (PresenceState::Composing | PresenceState::Recording)) => {
                Ok(shown_while(state, self.chat(fields, path)?, ms))
            }
            _ => Ok(Node::Delay { ms }),
        }
    }

    fn retry(&self, fields: &Fields, path: &Path, depth: usize) -> Result<Node, Fault> {
        let item = fields
            .get("item")
            .or_else(|| fields.get("items").and_then(|items| items.get(0)))
            .ok_or_else(|| wrong("retry_item_missing", path, "`retry` needs `item`"))?;
        let attempts = number(fields, path, &["attempts", "times"])?.unwrap_or(3.0);
        if !(1.0..=f64::from(limits::RETRY_ATTEMPTS)).contains(&attempts) {
            return Err(wrong("attempts_invalid", path, &format!("`attempts` takes 1 to {}", limits::RETRY_ATTEMPTS)));
        }
        Ok(Node::Retry {
            item: Box::new(self.node(item, &path.child("item"), depth + 1)?),
            attempts: attempts as u32,
            delay_ms: duration(fields, path, &["delayMs", "backoffMs"], 1)?.unwrap_or(500),
            on_fail: self.list(fields.get("onFail"), path, Some("onFail"), depth)?,
        })
    }

    fn recipients(&self, fields: &Fields, path: &Path) -> Result<Vec<Jid>, Fault> {
        match first(fields, RECIPIENT) {
            Some(value) => self.addresses(value, path),
            None => Ok(vec![self.context.chat.clone().ok_or_else(|| no_recipient(path))?]),
        }
    }

    fn chat(&self, fields: &Fields, path: &Path) -> Result<Jid, Fault> {
        self.recipients(fields, path)?.into_iter().next().ok_or_else(|| no_recipient(path))
    }

    fn addresses(&self, value: &Value, path: &Path) -> Result<Vec<Jid>, Fault> {
        let values = items_of(value);
        if values.len() > limits::RECIPIENTS {
            return Err(wrong("too_many_recipients", path, &format!("at most {} in one action", limits::RECIPIENTS)));
        }
        let mut jids = Vec::with_capacity(values.len());
        for value in values {
            let text = scalar(value).ok_or_else(|| no_recipient(path))?;
            let jid = Jid::parse(&text, &self.context.country_code)
                .map_err(|error| wrong("recipient_invalid", path, &error.to_string()))?;
            if !jids.contains(&jid) {
                jids.push(jid);
            }
        }
        Ok(jids)
    }

    fn key_of(&self, fields: &Fields, path: &Path) -> Result<MessageKey, Fault> {
        let key =
            fields.get("key").ok_or_else(|| wrong("key_missing", path, "`key` {remoteJid, id, fromMe} is missing"))?;
        self.key(key, path)
    }

    fn key(&self, value: &Value, path: &Path) -> Result<MessageKey, Fault> {
        let bad = |what: &str| wrong("key_invalid", path, what);
        let fields = value.as_object().ok_or_else(|| bad("`key` is an object {remoteJid, id, fromMe}"))?;
        let id = text_of(fields, &["id"])
            .filter(|id| (1..=128).contains(&id.len()))
            .ok_or_else(|| bad("`key.id` is missing"))?;
        let address = |name: &str| {
            text_of(fields, &[name])
                .map(|text| Jid::parse(&text, &self.context.country_code))
                .transpose()
                .map_err(|error| bad(&error.to_string()))
        };
        Ok(MessageKey {
            remote_jid: address("remoteJid")?
                .or_else(|| self.context.chat.clone())
                .ok_or_else(|| bad("`key.remoteJid` is missing"))?,
            from_me: fields.get("fromMe").and_then(Value::as_bool).unwrap_or(false),
            id,
            participant: address("participant")?,
        })
    }
}

const RECIPIENT: &[&str] = &["to", "chat", "jid"];

/// How long a pinned message stays unless said otherwise: 7 days, as in the apps.
pub const PIN_SECONDS: u32 = 7 * 24 * 3_600;

fn shown_while(state: PresenceState, to: Jid, ms: u64) -> Node {
    let show = |state| Node::Effect { effect: Effect::Presence { state, to: Some(to.clone()) } };
    Node::Queue { items: vec![show(state), Node::Delay { ms }, show(PresenceState::Paused)], delay_ms: 0 }
}

fn presence_state(name: &str) -> Option<PresenceState> {
    Some(match name {
        "available" => PresenceState::Available,
        "unavailable" => PresenceState::Unavailable,
        "composing" => PresenceState::Composing,
        "recording" => PresenceState::Recording,
        "paused" => PresenceState::Paused,
        _ => return None,
    })
}

/// The falsy values of `when`, as the contract lists them.
pub fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::Number(value)) => value.as_f64() != Some(0.0),
        Some(Value::String(text)) => {
            !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "null" | "undefined" | "no")
        }
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

fn items_of(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn first<'a>(fields: &'a Fields, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| fields.get(*name).filter(|value| !value.is_null()))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text_of(fields: &Fields, names: &[&str]) -> Option<String> {
    first(fields, names).and_then(scalar)
}

/// A yes or no; forms send it as a text.
fn flag(fields: &Fields, names: &[&str]) -> Option<bool> {
    first(fields, names).map(|value| truthy(Some(value)))
}

fn number(fields: &Fields, path: &Path, names: &[&str]) -> Result<Option<f64>, Fault> {
    let Some(value) = first(fields, names) else { return Ok(None) };
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number.filter(|number| number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => Err(wrong("number_invalid", path, &format!("`{}` takes a number", names[0]))),
    }
}

/// A duration in milliseconds, from a field counted in units of `unit_ms`.
fn duration(fields: &Fields, path: &Path, names: &[&str], unit_ms: u32) -> Result<Option<u64>, Fault> {
    let Some(value) = number(fields, path, names)? else { return Ok(None) };
    let ms = value * f64::from(unit_ms);
    if (0.0..=limits::DELAY_MS as f64).contains(&ms) {
        Ok(Some(ms as u64))
    } else {
        Err(wrong("delay_invalid", path, &format!("`{}` takes 0 to 30 days", names[0])))
    }
}

fn no_recipient(path: &Path) -> Fault {
    wrong("recipient_missing", path, "`to` is missing; give a phone number or a JID")
}

fn wrong(code: &str, path: &Path, message: &str) -> Fault {
    Fault::fail(code, format!("action {path}: {message}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn parse(actions: Value) -> Result<Vec<Node>, Fault> {
        let chat = Jid::parse("62811111111", "62").unwrap();
        parse_actions(&actions, &ActionContext { country_code: "62".into(), chat: Some(chat) })
    }

    #[test]
    fn the_seeds_example_answer_becomes_a_plan() {
        let nodes = parse(json!([
            {"act": "read", "keys": [{"remoteJid": "6281234567890@s.whatsapp.net", "id": "3EB0EC4E", "fromMe": false}]},
            {"act": "delay", "ms": 1200, "state": "composing", "to": "6281234567890@s.whatsapp.net"},
            {"type": "text", "to": "6281234567890", "text": "Balasan otomatis dari webhook."}
        ]))
        .unwrap();
        assert!(matches!(&nodes[0], Node::Effect { effect: Effect::Read { keys } } if keys.len() == 1));
        assert!(matches!(&nodes[1], Node::Queue { items, .. } if items[1] == Node::Delay { ms: 1200 }));
        assert!(
            matches!(&nodes[2], Node::Effect { effect: Effect::Message { to, .. } } if to.user() == "6281234567890")
        );
    }

    #[test]
    fn the_contracts_falsy_values_take_the_else_branch() {
        for cond in [json!(false), json!(0), json!(null), json!(""), json!("NO"), json!("undefined"), json!("False")] {
            let nodes = parse(json!({"act": "when", "cond": cond, "then": {"type": "noop"}})).unwrap();
            assert!(matches!(nodes[0], Node::When { cond: false, .. }), "{cond}");
        }
        let nodes = parse(json!([{"type": "when", "condition": "yes", "do": [{"type": "noop"}]}])).unwrap();
        assert!(matches!(&nodes[0], Node::When { cond: true, then, .. } if then.len() == 1));
    }

    #[test]
    fn several_recipients_become_parallel_sends_without_repeats() {
        let nodes = parse(json!([{"type": "text", "to": ["62811", 62812345, "+62 811"], "text": "x"}])).unwrap();
        assert!(matches!(&nodes[0], Node::Parallel { items } if items.len() == 2));
    }

    #[test]
    fn a_wrong_entry_is_named_by_its_path() {
        for (actions, code, path) in [
            (json!([{"type": "noop"}, {"type": "text"}]), "text_missing", "action 1:"),
            (
                json!([{"act": "when", "cond": 1, "then": [{"type": "text", "to": "x y", "text": "t"}]}]),
                "recipient_invalid",
                "action 0.then.0:",
            ),
            (json!([{"act": "retry", "item": {"type": "nope"}}]), "action_unknown", "action 0.item:"),
            (json!([{"type": "media"}]), "url_missing", "action 0:"),
            (json!([{"type": "poll", "question": "?", "options": ["a", "a"]}]), "poll_invalid", "action 0:"),
            (json!([{"type": "media", "url": "file:///etc/passwd"}]), "url_invalid", "action 0:"),
            (json!([3]), "action_invalid", "action 0:"),
            (json!([{"act": "delay", "ms": -1}]), "delay_invalid", "action 0:"),
            (json!([{"act": "delay", "ms": "soon"}]), "number_invalid", "action 0:"),
            (json!([{"act": "retry", "attempts": 1000, "item": {"type": "noop"}}]), "attempts_invalid", "action 0:"),
        ] {
            let fault = parse(actions).unwrap_err();
            assert_eq!(fault.code, code);
            assert!(fault.message.starts_with(path), "{}", fault.message);
        }
    }

    #[test]
    fn an_endless_nest_is_refused() {
        let mut action = json!({"type": "noop"});
        for _ in 0..100 {
            action = json!({"act": "queue", "items": [action]});
        }
        assert_eq!(parse(json!([action])).unwrap_err().code, "plan_too_deep");
    }
}
