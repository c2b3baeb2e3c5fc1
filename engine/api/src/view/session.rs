//! Sessions as the contract shows them.

use super::iso;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Luma};
use qrcode::QrCode;
use serde_json::{Map, Value, json};
use std::io::Cursor;
use warest_model::clock::Millis;
use warest_model::session::SessionState;
use warest_model::target::Target;
use warest_pipeline::directory::SessionEntry;

/// Smallest side of a QR picture, in pixels.
const QR_SIDE: u32 = 264;

/// A session, as lists show it.
pub fn session_json(entry: &SessionEntry, state: SessionState, me: Option<&str>, push_name: Option<&str>) -> Value {
    let session = &entry.session;
    json!({
        "id": session.id,
        "status": state,
        "me": me.map(|id| json!({ "id": id })),
        "pushName": push_name,
        "lastConn": null,
        "label": session.label,
        "enabled": session.enabled,
        "registryUser": entry.owner.id,
        "username": entry.owner.username,
        "createdAt": iso(session.created_ms),
    })
}

/// `webhookUrl` (a text, or a list if there are several) and `webhookSecret`,
/// which only the session's owner gets to see.
pub fn webhook_fields(targets: &[Target]) -> Map<String, Value> {
    let urls: Vec<&str> = targets.iter().map(|target| target.url.as_str()).collect();
    let url = match urls.as_slice() {
        [] => json!(""),
        [one] => json!(one),
        many => json!(many),
    };
    let secret = targets.first().map_or("", |target| target.secret.as_str());
    Map::from_iter([("webhookUrl".to_owned(), url), ("webhookSecret".to_owned(), json!(secret))])
}

/// `qrString`, `qr` and `qrDuration` (whole seconds until the next code).
pub fn qr_fields(text: &str, expires_ms: Millis, now_ms: Millis) -> Map<String, Value> {
    let seconds = ((expires_ms - now_ms).max(0) + 999) / 1_000;
    Map::from_iter([
        ("qrString".to_owned(), json!(text)),
        ("qr".to_owned(), json!(qr_picture(text))),
        ("qrDuration".to_owned(), json!(seconds)),
    ])
}

/// Draws `text` as a QR code: a PNG data URL. `None` if it is too long for one.
fn qr_picture(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let picture = code.render::<Luma<u8>>().min_dimensions(QR_SIDE, QR_SIDE).build();
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(png.into_inner())))
}
