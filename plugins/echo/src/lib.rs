//! The sample plugin: `!ping`, `!echo some text` and `!count`.

use warest_plugin::{About, Event, Plan, Plugin, kv};

struct Echo;

impl Plugin for Echo {
    fn about() -> About {
        About::new("echo", "0.1.0").on("message_received")
    }

    fn on_event(event: Event) -> Result<Plan, String> {
        let text = event.text().unwrap_or_default().trim();
        let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        Ok(match (command, rest.trim()) {
            ("!ping", _) => Plan::new().reply("pong from a plugin"),
            ("!echo", rest) if !rest.is_empty() => Plan::new().reply(rest),
            ("!count", _) => {
                let count = kv::get("count").and_then(|count| count.parse::<u64>().ok()).unwrap_or(0) + 1;
                kv::set("count", &count.to_string())?;
                Plan::new().reply(format!("you have counted to {count}"))
            }
            _ => Plan::new(),
        })
    }
}

warest_plugin::export!(Echo);
