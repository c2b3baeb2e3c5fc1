//! Looking people up: numbers as clients write them, and all that one may see of
//! a person, asked a few at a time.

use crate::error::ApiError;
use crate::extract::{About, required};
use crate::view::business_json;
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use warest_model::jid::Jid;
use warest_model::people::Profile;
use warest_pipeline::Account;

/// Most numbers of one request.
pub const NUMBERS: usize = 256;
/// Most people of one request that are looked up in depth.
pub const DEEP: usize = 50;
/// People that are looked up at once.
const AT_ONCE: usize = 4;

/// The people of a field: numbers or addresses, with commas between.
pub fn people<T>(about: &About<T>, field: &str, text: Option<&str>, most: usize) -> Result<Vec<Jid>, ApiError> {
    let mut people = Vec::new();
    for text in text.unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let jid = about.person(field, text)?;
        if !people.contains(&jid) {
            people.push(jid);
        }
        if people.len() > most {
            return Err(ApiError::invalid(format!("`{field}` takes at most {most} numbers here")));
        }
    }
    required(field, (!people.is_empty()).then_some(people))
}

/// What may be seen of somebody. What cannot be had is null.
#[derive(Debug)]
pub struct Seen {
    /// Their profile.
    pub profile: Profile,
    /// `picture`, `about`, `verifiedName`, `businessProfile`.
    pub fields: Value,
}

/// Looks somebody up in depth.
pub async fn look(account: &dyn Account, of: &Jid) -> Seen {
    let (profile, full, preview, business) =
        tokio::join!(account.profile(of), account.picture(of, false), account.picture(of, true), account.business(of));
    let profile = profile.unwrap_or_default();
    let business = business.ok().flatten();
    let fields = json!({
        "verifiedName": profile.verified_name,
        "picture": { "full": full.ok().flatten(), "preview": preview.ok().flatten() },
        "about": profile.about,
        "businessProfile": business.as_ref().map(|business| business_json(of, Some(business))),
    });
    Seen { profile, fields }
}

/// Looks several people up, in their order.
pub async fn look_all(account: &Arc<dyn Account>, people: Vec<Jid>) -> Vec<Value> {
    let looks = people.into_iter().map(|jid| {
        let account = account.clone();
        async move { look(account.as_ref(), &jid).await.fields }
    });
    futures::stream::iter(looks).buffered(AT_ONCE).collect().await
}

/// One value alone, several as a list: how the contract answers lookups.
pub fn one_or_many(mut values: Vec<Value>) -> Value {
    match values.len() {
        1 => values.remove(0),
        _ => Value::Array(values),
    }
}
