//! `POST /messages/send/{contact,location,poll,button,list,forward,raw}`: what is
//! said without a file.

use super::letter::{Letter, content};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Json, written_source};
use crate::idempotency::RequestBirths;
use crate::state::ApiState;
use axum::extract::State;
use serde_json::{Map, Value, json};
use warest_model::content::MediaSource;

type Fields = Map<String, Value>;

/// What must be there, by any of its names. Whether it is right is another question.
const NEEDED: &[(&str, &[&str])] = &[
    ("poll", &["question", "name", "poll"]),
    ("poll", &["options", "values", "poll"]),
    ("button", &["text", "message"]),
    ("button", &["buttons"]),
    ("location", &["location", "latitude", "lat"]),
    ("vcard", &["contact", "contacts"]),
];

fn has(fields: &Fields, names: &[&str]) -> bool {
    names.iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_null()))
}

async fn send(
    caller: Caller,
    state: ApiState,
    births: RequestBirths,
    fields: Fields,
    action: &str,
    kind: &'static str,
) -> ApiResult {
    let mut fields = fields;
    let letter = Letter::read(&caller, &state, &fields)?;
    let missing = NEEDED.iter().filter(|(one, _)| *one == action).find(|(_, names)| !has(&fields, names));
    if let Some((_, names)) = missing {
        return Err(ApiError::missing(names[0]));
    }
    // A picture may be bytes, too; a job only names them.
    if let Some(Value::String(image)) = fields.get("image").filter(|_| action == "button" || action == "list") {
        let image = match written_source(&state, &letter.entry, "image", image).await? {
            MediaSource::Url(url) => json!({ "url": url }),
            MediaSource::Stored(id) => json!({ "mediaId": id }),
        };
        fields.insert("image".to_owned(), image);
    }
    let said = content(&state, action, &fields)?;
    letter.send(&state, &births.0, vec![said.into()], kind).await
}

/// One card or several. `name` and `phone` beside `contact` make one, too.
pub async fn contact(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(mut fields): Json<Fields>,
) -> ApiResult {
    let is_card = has(&fields, &["name", "phone", "vcard"]);
    if is_card && !has(&fields, &["contact", "contacts"]) {
        let card = json!({ "name": fields.get("name"), "phone": fields.get("phone"), "vcard": fields.get("vcard") });
        fields.insert("contact".to_owned(), card);
    }
    send(caller, state, births, fields, "vcard", "contact").await
}

/// A place: an object, or `[latitude, longitude]`.
pub async fn location(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(mut fields): Json<Fields>,
) -> ApiResult {
    match fields.remove("location") {
        Some(Value::Object(place)) => fields.extend(place),
        Some(Value::Array(place)) => {
            for (name, degrees) in ["latitude", "longitude"].into_iter().zip(place) {
                fields.insert(name.to_owned(), degrees);
            }
        }
        _ => {}
    }
    send(caller, state, births, fields, "location", "location").await
}

/// A poll.
pub async fn poll(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    send(caller, state, births, fields, "poll", "poll").await
}

/// A text with buttons.
pub async fn button(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    send(caller, state, births, fields, "button", "button").await
}

/// A text with lists.
pub async fn list(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    send(caller, state, births, fields, "list", "list").await
}

/// A message of the history, or one in WhatsApp's own form, as a forward.
pub async fn forward(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    send(caller, state, births, fields, "forward", "forward").await
}

/// A message in WhatsApp's own form.
pub async fn raw(
    caller: Caller,
    State(state): State<ApiState>,
    births: RequestBirths,
    Json(fields): Json<Fields>,
) -> ApiResult {
    send(caller, state, births, fields, "raw", "raw").await
}
