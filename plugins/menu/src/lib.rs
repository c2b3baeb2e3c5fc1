//! A sample plugin that a shop can use without writing one: its configuration
//! says which word is answered with which actions, and which events are reported
//! to whom.
//!
//! ```json
//! {
//!   "answers": {"menu": [{"type": "media", "url": "https://…/menu.jpg"}, {"type": "text", "text": "Enjoy!"}]},
//!   "report": {"to": "6281234567890", "events": ["call", "group_join"], "except": ["6281234567891"]}
//! }
//! ```

use serde_json::{Value, json};
use warest_plugin::{About, Event, Plan, Plugin};

/// The events that can be reported.
const EVENTS: [&str; 21] = [
    "message_received",
    "message_reaction",
    "message_command",
    "message_edited",
    "message_revoked",
    "group_participants",
    "group_join",
    "group_leave",
    "group_update",
    "presence_update",
    "creds_update",
    "call",
    "session_status",
    "message_sent",
    "message_status",
    "poll_vote",
    "chat_update",
    "label_update",
    "contact_update",
    "history_sync",
    "webhook_status",
];

struct Menu;

impl Plugin for Menu {
    fn about() -> About {
        EVENTS.into_iter().fold(About::new("menu", "0.1.0"), About::on)
    }

    fn on_event(event: Event) -> Result<Plan, String> {
        let mut plan = Plan::new();
        if event.name == "message_received" {
            let word = event.text().unwrap_or_default().trim().to_lowercase();
            for action in list(&event.config["answers"][&word]) {
                plan = plan.action(action);
            }
        }
        let report = &event.config["report"];
        let reported = list(&report["events"]).iter().any(|name| *name == event.name);
        // A report is a message that is sent, too: what is about its own chat is not reported.
        let quiet = std::iter::once(&report["to"]).chain(list(&report["except"])).filter_map(Value::as_str);
        let chat = event.data()["chatId"].as_str().unwrap_or_default().to_owned();
        if let Some(to) = report["to"].as_str().filter(|_| reported && !quiet.clone().any(|of| is_of(&chat, of))) {
            let text = format!("{} {}", event.name, event.data());
            plan = plan.action(&json!({ "type": "text", "to": to, "text": text }));
        }
        Ok(plan)
    }
}

/// Whether a chat's address is of a number, or is this address.
fn is_of(chat: &str, of: &str) -> bool {
    chat == of || chat.split_once('@').is_some_and(|(user, _)| user == of)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

warest_plugin::export!(Menu);
