//! People, businesses and newsletters as the contract shows them.

use serde_json::{Map, Value, json};
use warest_model::jid::Jid;
use warest_model::people::{Business, Newsletter, NewsletterPost};

/// A business's page; all of it is null if there is none.
pub fn business_json(jid: &Jid, business: Option<&Business>) -> Value {
    let (timezone, hours) = business.map(|business| opening(&business.hours)).unwrap_or_default();
    json!({
        "jid": jid,
        "phone": jid.user(),
        "isBusiness": business.is_some(),
        "description": business.and_then(|business| business.description.as_deref()),
        "email": business.and_then(|business| business.email.as_deref()),
        "address": business.and_then(|business| business.address.as_deref()),
        "categories": business.map(|business| business.categories.as_slice()).unwrap_or_default(),
        "businessHoursTimezone": timezone,
        "businessHours": hours,
        "websites": business.map(|business| business.websites.as_slice()).unwrap_or_default(),
        // `profile/info` calls it so.
        "website": business.map(|business| business.websites.as_slice()).unwrap_or_default(),
        "wid": business.is_some().then_some(jid),
    })
}

/// The time zone and the days of WhatsApp's own form.
fn opening(hours: &Value) -> (Option<String>, Vec<Value>) {
    let timezone = hours["timezone"].as_str().map(str::to_owned);
    let days = ["business_config", "businessConfig", "config"].iter().find_map(|name| hours[name].as_array());
    let days = days.into_iter().flatten().filter_map(Value::as_object).map(day);
    (timezone, days.collect())
}

fn day(day: &Map<String, Value>) -> Value {
    let text = |name: &str| match day.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    json!({
        "day_of_week": text("day_of_week"),
        "mode": text("mode"),
        "open_time": text("open_time"),
        "close_time": text("close_time"),
    })
}

/// A newsletter.
pub fn newsletter_json(newsletter: &Newsletter) -> Value {
    let link = newsletter.invite.as_ref().map(|code| format!("https://whatsapp.com/channel/{code}"));
    json!({
        "id": newsletter.id,
        "name": newsletter.name,
        "description": newsletter.description,
        "subscribers": newsletter.subscribers,
        "verified": newsletter.verified,
        "role": newsletter.role,
        "inviteCode": newsletter.invite,
        "inviteLink": link,
        "createdAt": newsletter.created_ms,
    })
}

/// A message of a newsletter.
pub fn post_json(post: &NewsletterPost) -> Value {
    let reactions: Vec<Value> =
        post.reactions.iter().map(|(emoji, count)| json!({ "emoji": emoji, "count": count })).collect();
    json!({
        "serverId": post.server_id,
        "id": post.id,
        "timestamp": post.ts_ms / 1_000,
        "type": post.content_type,
        "text": post.text,
        "views": post.views,
        "reactions": reactions,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn opening_hours_are_shown_as_texts() {
        let hours = json!({ "timezone": "Asia/Jakarta", "business_config": [
            { "day_of_week": "mon", "mode": "specific_hours", "open_time": 480, "close_time": 1020 },
            { "day_of_week": "sun", "mode": "open_24h", "open_time": null, "close_time": null },
        ] });
        let jid = Jid::parse("628111111111", "62").unwrap();
        let shown = business_json(&jid, Some(&Business { hours, ..Business::default() }));
        assert_eq!(shown["businessHoursTimezone"], "Asia/Jakarta");
        let monday =
            json!({ "day_of_week": "mon", "mode": "specific_hours", "open_time": "480", "close_time": "1020" });
        assert_eq!(shown["businessHours"][0], monday);
        assert_eq!(shown["businessHours"][1]["open_time"], Value::Null);
        assert_eq!(business_json(&jid, None)["isBusiness"], false);
    }
}
