//! What the operations are tried with. An operation of another resource needs its
//! prefix in [`COVERED`] and a sample for each field that is not here yet.

use crate::account::{ANNA, INVITE, ME, SQUAD};
use crate::misc::{MINE, OPENED_SHA256, POLL_KEY, SEALED, SEALED_KEY, THEIRS, vote};
use serde_json::{Value, json};

/// Paths whose operations are tried.
pub const COVERED: &[&str] =
    &["/session/", "/messages/", "/chats", "/groups", "/group/", "/profile/", "/server/", "/misc/"];

/// Operations under those that are tried later.
pub const LATER: &[&str] =
    &["GET /server/info", "GET /server/cpu-history", "POST /server/restart", "POST /server/restart/scheduled"];

/// Lists that are empty in an answer by design.
pub const EMPTY: &[&str] = &[
    "GET /chats/{chatId}/messages .result.data[].mentionedJids",
    "GET /chats/{chatId}/messages .result.data[].reactions",
    "DELETE /group/delete .results[].failedToRemove",
    "POST /group/participants/add .results[].failedToAdd",
    "DELETE /group/participants/remove .results[].failedToRemove",
    "POST /group/participants/request/approve .results[].failedToApprove",
    "DELETE /profile/picture .results",
];

/// Fields that the document demands and that may be left out all the same.
pub const OPTIONAL: &[(&str, &str)] = &[
    ("POST /session/{sessionId}/config", "webhookUrl"),
    ("POST /session/{sessionId}/config", "webhookSecret"),
    // It has a default, which the document gives.
    ("POST /misc/base64", "action"),
];

/// Fields that may be left out only if others stand for them.
pub const NEEDED: &[(&str, &[&str])] = &[
    ("POST /messages/send/files", &["files"]),
    ("POST /messages/send/contact", &["contact"]),
    ("POST /messages/send/location", &["location"]),
    ("POST /messages/send/list", &["text", "buttonText", "sections"]),
];

/// What an answer need not have: the document's schema and its example, which
/// clients follow, differ.
pub const EXCUSED: &[&str] = &["POST /misc/media/image .results[].actionsPerformed is no list"];

/// Where a missing field has another code than its own.
pub const MISSING: &[(&str, &str, u64)] =
    &[("POST /misc/whatsapp/poll-update-vote", "sessionId", 2001), ("POST /misc/media/thumbnail", "type", 2002)];

/// Operations about an account, which cannot be asked while its session is closed.
pub fn asks_an_account(path: &str) -> bool {
    path.starts_with("/group") || path.starts_with("/profile")
}

/// A picture of one pixel.
pub const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A moment of silence.
const MP3: &str = "data:audio/mpeg;base64,//uQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA//uQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA//uQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA//uQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A picture that moves.
fn moving() -> String {
    use base64::Engine as _;
    use image::{Frame, Rgba, RgbaImage, codecs::gif::GifEncoder};
    let mut gif = Vec::new();
    let frames = [0, 255].map(|shade| Frame::new(RgbaImage::from_pixel(16, 16, Rgba([shade, shade, shade, 255]))));
    GifEncoder::new(&mut gif).encode_frames(frames).unwrap();
    format!("data:image/gif;base64,{}", base64::engine::general_purpose::STANDARD.encode(gif))
}

/// The value of a field.
pub fn sample(operation: &str, field: &str) -> Value {
    match (operation, field) {
        ("GET /session/create/pair-code", "sessionId") => json!("paircode"),
        ("GET /session/create", "sessionId") => json!("fresh"),
        (_, "sessionId") => json!("main"),
        (_, "groupId") => json!(SQUAD),
        (_, "participants") => json!([ANNA]),
        (_, "picture") => json!(PIXEL),
        (_, "groupName") => json!("New Squad"),
        (_, "groupDescription") => json!("Internal chat"),
        (_, "locked" | "announcement" | "deep") => json!(true),
        (_, "inviteLink") => json!(format!("https://chat.whatsapp.com/{INVITE}")),
        ("GET /profile/business-profile", "checkNumbers") => json!(ME),
        (_, "checkNumbers") => json!(ANNA),
        (_, "messageId") if operation.contains("/edit") || operation.contains("/revoke") => json!(MINE),
        (_, "messageId" | "replyMessageId") => json!(THEIRS),
        (_, "chatId") => json!(format!("{ANNA}@s.whatsapp.net")),
        (_, "to") => json!(ANNA),
        (_, "message" | "text" | "caption" | "footer" | "title" | "buttonText" | "question") => json!("hello"),
        (_, "presence" | "isForwarded" | "compress" | "withMedia" | "deleteForMe" | "pin") => json!(true),
        (_, "viewOnce" | "hasMedia" | "mediaOnly" | "isFromMe") => json!(false),
        (_, "files") => json!([{ "file": PIXEL, "caption": "x", "filename": "x.png" }]),
        (_, "media" | "sticker" | "image") => json!(PIXEL),
        (_, "audio") => json!(MP3),
        (_, "gif") => json!(moving()),
        (_, "isVN") => json!(false),
        (_, "document") => json!("data:text/plain;base64,aGVsbG8="),
        (_, "filename") => json!("hello.txt"),
        (_, "contact") => json!({ "name": "Anna", "fullName": "Anna B.", "phone": ANNA, "organization": "Acme" }),
        (_, "location") => json!({ "latitude": -6.2, "longitude": 106.8, "name": "Monas", "address": "Jakarta" }),
        (_, "options") => json!(["Yes", "No"]),
        (_, "maxSelection") => json!(1),
        (_, "buttons") => json!([{ "type": "reply", "displayText": "Yes", "id": "yes" }]),
        (_, "sections") => json!([{ "title": "Fruits", "rows": [{ "id": "apple", "title": "Apple" }] }]),
        (_, "list") => {
            json!({ "buttonText": "Choose", "sections": [{ "title": "Fruits", "rows": [{ "id": "apple", "title": "Apple" }] }] })
        }
        (_, "lists") => json!([{ "title": "Fruits", "rows": [{ "id": "apple", "title": "Apple" }] }]),
        (_, "emoji") => json!("\u{1F44D}"),
        (_, "duration") => json!(60),
        (_, "offset") => json!(0),
        (_, "sortBy") => json!("lastMessage"),
        (_, "sortOrder") => json!("desc"),
        ("GET /chats", "search") => json!("Anna"),
        (_, "search") => json!("hello"),
        (_, "startTime") => json!(1_600_000_000),
        (_, "endTime") => json!(1_800_000_000),
        (_, "messages" | "days") => json!(5),
        (_, "period") => json!("1h"),
        (_, "interval") => json!("5m"),
        (_, "schedule") => json!("02:30"),
        (_, "timezone") => json!("Asia/Jakarta"),
        ("GET /profile/list-contacts", "type") => json!("contacts"),
        (_, "groupIds") => json!(SQUAD),
        (_, "limit") => json!(5),
        ("POST /misc/media/thumbnail" | "POST /misc/media/image", "file") => json!(PIXEL),
        ("POST /misc/media/thumbnail", "type") => json!("image"),
        (_, "width" | "height") => json!(16),
        (_, "actions") => json!({ "convert": "webp", "resize": { "width": 8 }, "compress": { "quality": 50 } }),
        ("POST /misc/media/thumbnail", "count") => json!(1),
        (_, "phone") => json!("+62 811-0000-0009"),
        (_, "webhookUrl") => json!("https://hooks.example.com/warest"),
        (_, "webhookSecret") => json!("s3cret!!"),
        (_, "preflight") => json!(false),
        (_, "target") => json!("base64"),
        (_, "string" | "name") => json!("hello"),
        (_, "encoding") => json!("utf8"),
        (_, "mediaKey") => json!(SEALED_KEY),
        ("POST /misc/whatsapp/file-decrypt", "file") => json!(SEALED),
        (_, "mimeType") => json!("image/png"),
        (_, "fileSha256") => json!(OPENED_SHA256),
        ("POST /misc/crypto/hash" | "POST /misc/crypto/hmac", "output") => json!("base64"),
        ("POST /misc/base64", "output") => json!("string"),
        (_, "output") => json!("base64"),
        (_, "pollEncKey") => json!(POLL_KEY),
        (_, "pollMsgId") => json!("3EB0C2C010FFEE0"),
        (_, "pollCreatorJid") => json!("6281122334455@s.whatsapp.net"),
        (_, "voterJid") => json!("6281133344455@s.whatsapp.net"),
        (_, "pollUpdateVote") => vote(),
        (_, "country") => json!("ID"),
        (_, "jid") => json!(SQUAD),
        ("POST /misc/whatsapp/resolve/jid-or-lid", "input") => json!("111000@lid"),
        (_, "input" | "key") => json!("hello"),
        ("POST /misc/uuid/validate", "type") => json!("uuid"),
        ("POST /misc/uuid/generate", "type") => json!("uuid"),
        (_, "version") => json!("v5"),
        (_, "namespace") => json!("dns"),
        (_, "format") => json!("xxxx-xxxx"),
        (_, "count") => json!(2),
        (_, "value") => json!("f47ac10b-58cc-4372-a567-0e02b2c3d479"),
        (_, "algo") => json!("sha512"),
        (_, "action") => json!("encode"),
        other => panic!("a sample for {other:?} is needed"),
    }
}
