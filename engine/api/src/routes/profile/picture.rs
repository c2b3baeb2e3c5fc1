//! `GET|POST|DELETE /profile/picture`: the account's own picture; with `jid`, `GET`
//! shows somebody else's.

use crate::codes;
use crate::envelope::Reply;
use crate::error::ApiResult;
use crate::extract::About;
use crate::faults::Question;
use crate::picture::{PictureField, avatar};
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::jid::Jid;
use warest_pipeline::Account;

/// Whose.
#[derive(Debug, Deserialize)]
pub struct Whose {
    jid: Option<String>,
}

/// Where it can be fetched; null if there is none.
pub async fn get(about: About<Whose>) -> ApiResult {
    let account = about.account()?;
    let of = match about.fields.jid.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => about.address("jid", text)?,
        None => about.own_address()?,
    };
    let full = account.picture(&of, false).await.map_err(|fault| Question::Person.refusal(fault))?;
    Ok(about.done("Profile picture fetched", shown(account.as_ref(), &of, full, None).await))
}

/// Sets it: a data URL, base64, an http(s) URL, or the file of a form.
pub async fn post(mut about: About<PictureField>) -> ApiResult {
    let account = about.account()?;
    let me = about.own_address()?;
    let jpeg = avatar(&mut about).await?;
    let id = account.set_picture(None, Some(jpeg)).await.map_err(|fault| Question::Me.refusal(fault))?;
    // It is set, whether its new address can be had or not.
    let full = account.picture(&me, false).await.ok().flatten();
    Ok(about.done("Profile picture updated", shown(account.as_ref(), &me, full, id).await))
}

/// Removes it.
pub async fn delete(about: About) -> ApiResult {
    about.account()?.set_picture(None, None).await.map_err(|fault| Question::Me.refusal(fault))?;
    Ok(Reply::new(codes::SUCCESS, "Profile picture removed").results(Vec::<Value>::new()))
}

/// Only the answer to a change has the id.
async fn shown(account: &dyn Account, of: &Jid, full: Option<String>, id: Option<String>) -> Value {
    let preview = account.picture(of, true).await.ok().flatten();
    json!({ "jid": of, "url": full, "id": id, "type": "image", "imgFull": full, "imgPreview": preview })
}
