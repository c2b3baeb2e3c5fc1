//! `POST /misc/base64`: a text, a data URL or the file behind a URL as base64, and
//! back.

use crate::auth::Caller;
use crate::codes;
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Input, Word, required};
use crate::files::{self, File, is_url, strip_prefix};
use crate::routes::misc::output::{Keeping, Output};
use crate::state::ApiState;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

/// What to do with what.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    session_id: Option<String>,
    action: Option<Word<Action>>,
    input: Option<String>,
    output: Option<Word<Form>>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[default]
    Encode,
    Decode,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    String,
    Base64,
    Url,
    File,
}

/// Does it.
pub async fn post(caller: Caller, State(state): State<ApiState>, ask: Input<Ask>) -> ApiResult {
    let ask = ask.fields;
    let text = required("input", ask.input.filter(|input| !input.is_empty()))?;
    match ask.action.unwrap_or_default().0 {
        Action::Encode => encode(&state, &text).await,
        Action::Decode => {
            let keeping = Keeping::of(&caller, &state, ask.session_id.as_deref())?;
            decode(&state, &keeping, &text, ask.output.unwrap_or_default().0).await
        }
    }
}

async fn encode(state: &ApiState, text: &str) -> ApiResult {
    let is_file = is_url(text) || strip_prefix(text, "data:").is_some();
    let given = match is_file {
        true => files::file(state, "input", text).await?,
        false => File { bytes: text.to_owned().into(), mime: Some("text/plain".to_owned()) },
    };
    let meta = json!({ "mode": "string", "mimeType": given.mime, "size": given.bytes.len() });
    let shown = json!({ "data": STANDARD.encode(&given.bytes), "meta": meta });
    Ok(Reply::new(codes::SUCCESS, "Encoded to base64").results(vec![shown]))
}

async fn decode(state: &ApiState, keeping: &Keeping, text: &str, form: Form) -> ApiResult {
    let given = match strip_prefix(text, "data:") {
        Some(rest) => files::data_url("input", rest)?,
        None => {
            let bytes = files::base64(text).ok_or_else(|| ApiError::invalid("`input` is not base64"))?;
            File { bytes: bytes.into(), mime: None }
        }
    };
    let mime = given.mime.as_deref().unwrap_or("application/octet-stream");
    let meta = |mode: &str| json!({ "mode": mode, "mimeType": mime, "size": given.bytes.len() });
    let shown = match form {
        Form::String => {
            let text = String::from_utf8(given.bytes.to_vec());
            let text = text.map_err(|_| ApiError::invalid("what it stands for is no text; ask for `output` base64"))?;
            json!({ "data": text, "meta": meta("string") })
        }
        Form::Base64 => json!({ "data": STANDARD.encode(&given.bytes), "meta": meta("base64") }),
        Form::Url | Form::File => {
            let output = if form == Form::Url { Output::Url } else { Output::File };
            let shown = keeping.answer(state, output, given.bytes.clone(), mime).await?;
            json!({ "data": shown.data, "meta": shown.meta })
        }
    };
    Ok(Reply::new(codes::SUCCESS, "Decoded from base64").results(vec![shown]))
}
