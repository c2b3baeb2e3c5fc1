//! `GET /profile/info`: what an account shows of itself.

use crate::error::ApiResult;
use crate::extract::About;
use crate::faults::Question;
use crate::people::look;
use crate::view::business_json;
use serde_json::{Value, json};

/// All of it. Only the name is vital: what else cannot be had is null.
pub async fn get(about: About) -> ApiResult {
    let account = about.account()?;
    let me = about.own_address()?;
    let push_name = account.push_name().await.map_err(|fault| Question::Me.refusal(fault))?;
    let seen = look(account.as_ref(), &me).await;
    let business = match &seen.fields["businessProfile"] {
        Value::Null => business_json(&me, None),
        page => page.clone(),
    };
    let (full, preview) = (&seen.fields["picture"]["full"], &seen.fields["picture"]["preview"]);
    let device = account.own_device().await.ok().map(|number| number.to_string());
    Ok(about.done(
        "Profile info fetched",
        json!({
            // Spelt as the contract spells it.
            "verifiendName": seen.profile.verified_name,
            "verifiedName": seen.profile.verified_name,
            "pushName": push_name,
            "about": seen.profile.about,
            "lid": seen.profile.lid,
            "devices": seen.profile.devices,
            "pictureId": null,
            "businessProfile": business,
            "entries": { "User": me.user(), "Agent": 0, "Device": device, "Server": me.server() },
            "profilePicture": { "url": full, "id": null, "type": "image", "imgFull": full, "imgPreview": preview },
        }),
    ))
}
