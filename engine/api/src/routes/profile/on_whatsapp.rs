//! `GET /profile/on-whatsapp`: which numbers have accounts, and with `deep` all
//! that may be seen of those.

use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiResult;
use crate::extract::{About, Flag};
use crate::faults::Question;
use crate::people::{DEEP, NUMBERS, look_all, one_or_many, people};
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::people::OnWhatsapp;

/// Which numbers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    check_numbers: Option<String>,
    deep: Option<Flag>,
}

/// Looks them up.
pub async fn get(about: About<Lookup>) -> ApiResult {
    let deep = about.fields.deep.unwrap_or_default().0;
    let most = if deep { DEEP } else { NUMBERS };
    let numbers = people(&about, "checkNumbers", about.fields.check_numbers.as_deref(), most)?;
    let account = about.account()?;
    let found = account.on_whatsapp(&numbers).await.map_err(|fault| Question::Person.refusal(fault))?;
    let mut shown: Vec<Value> = found.iter().map(show).collect();
    if deep {
        let there = found.iter().enumerate().filter(|(_, one)| one.exists);
        let (places, jids): (Vec<usize>, Vec<_>) = there.map(|(place, one)| (place, one.jid.clone())).unzip();
        for (place, seen) in places.into_iter().zip(look_all(&account, jids).await) {
            for (name, value) in seen.as_object().into_iter().flatten() {
                shown[place][name] = value.clone();
            }
        }
    }
    Ok(Reply::new(codes::SUCCESS, "Lookup complete").results(vec![json!({ "data": one_or_many(shown) })]))
}

/// The fields of a deep look are there in any case.
fn show(one: &OnWhatsapp) -> Value {
    json!({
        "jid": one.jid,
        "phone": one.jid.user(),
        "isOnWhatsApp": one.exists,
        "lid": one.lid,
        "isBusiness": one.business,
        "picture": { "full": null, "preview": null },
        "about": null,
        "businessProfile": null,
    })
}
