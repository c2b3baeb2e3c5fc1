//! The table: each send action with its REST operation, and what the phone shows.

use super::stage::{ANA, BOT};
use serde_json::{Value, json};
use warest_tests::{Files, data_url};

/// What the phone must find in the file.
pub struct File {
    /// Its bytes, where they are sent as they are.
    pub bytes: Option<Vec<u8>>,
    /// Fields of `…/media/info`.
    pub info: Value,
}

/// A row.
pub struct Row {
    pub name: &'static str,
    /// The operation below `/messages/send/`, and its body without session and
    /// recipient.
    pub rest: (&'static str, Value),
    /// The action, without recipient.
    pub action: Value,
    /// `kind` at the phone.
    pub kind: &'static str,
    pub check: fn(&Value),
    pub file: Option<File>,
}

fn said(name: &'static str, rest: (&'static str, Value), action: Value, kind: &'static str, check: fn(&Value)) -> Row {
    Row { name, rest, action, kind, check, file: None }
}

/// Every row. What the check of a row looks for is what the row says.
pub fn rows(files: &Files) -> Vec<Row> {
    let png = data_url("image/png", &files.png);
    let mp4 = data_url("video/mp4", &files.mp4);
    let with = |row: Row, bytes: Option<&[u8]>, info: Value| Row {
        file: Some(File { bytes: bytes.map(<[u8]>::to_vec), info }),
        ..row
    };
    vec![
        said(
            "text",
            ("text", json!({ "message": "hello @Ana", "mentions": [ANA] })),
            json!({ "type": "text", "text": "hello @Ana", "mentions": [ANA] }),
            "text",
            |shown| {
                assert_eq!(shown["text"], "hello @Ana");
                assert!(shown["message"].to_string().contains("mentioned_jid"), "{shown:#}");
            },
        ),
        with(
            said(
                "image",
                ("media", json!({ "media": png, "caption": "a picture", "compress": false })),
                json!({ "type": "media", "mediaType": "image", "url": png, "caption": "a picture" }),
                "image",
                |shown| assert_eq!(shown["text"], "a picture"),
            ),
            Some(&files.png),
            json!({ "mimetype": "image/png", "width": 64, "height": 48 }),
        ),
        with(
            said(
                "video",
                ("media", json!({ "media": mp4, "caption": "a film", "compress": false })),
                json!({ "type": "media", "mediaType": "video", "url": mp4, "caption": "a film" }),
                "video",
                |shown| assert_eq!(shown["text"], "a film"),
            ),
            Some(&files.mp4),
            json!({ "mimetype": "video/mp4", "width": 64, "height": 48, "seconds": 2 }),
        ),
        with(
            said(
                "gif",
                ("gif", json!({ "gif": data_url("image/gif", &files.gif) })),
                json!({ "type": "media", "mediaType": "gif", "url": data_url("image/gif", &files.gif) }),
                "gif",
                |_| {},
            ),
            None,
            json!({ "mimetype": "video/mp4", "width": 64, "height": 48 }),
        ),
        with(
            said(
                "audio",
                ("audio", json!({ "audio": data_url("audio/mpeg", &files.mp3) })),
                json!({ "type": "media", "mediaType": "audio", "url": data_url("audio/mpeg", &files.mp3) }),
                "audio",
                |_| {},
            ),
            Some(&files.mp3),
            json!({ "mimetype": "audio/mpeg" }),
        ),
        with(
            said(
                "voice",
                ("audio", json!({ "audio": data_url("audio/ogg", &files.ogg), "isVN": true })),
                json!({ "type": "media", "mediaType": "voice", "url": data_url("audio/ogg", &files.ogg) }),
                "ptt",
                |_| {},
            ),
            Some(&files.ogg),
            json!({ "mimetype": "audio/ogg; codecs=opus", "waveform": 64 }),
        ),
        with(
            said(
                "document",
                (
                    "document",
                    json!({ "document": data_url("application/pdf", &files.pdf), "filename": "price list.pdf" }),
                ),
                json!({ "type": "document", "url": data_url("application/pdf", &files.pdf), "filename": "price list.pdf" }),
                "document",
                |shown| assert!(shown["message"].to_string().contains("price list.pdf"), "{shown:#}"),
            ),
            Some(&files.pdf),
            json!({ "mimetype": "application/pdf", "fileName": "price list.pdf" }),
        ),
        with(
            said(
                "sticker",
                ("sticker", json!({ "sticker": png })),
                json!({ "type": "sticker", "imageUrl": png }),
                "sticker",
                |_| {},
            ),
            None,
            json!({ "mimetype": "image/webp", "width": 512, "height": 512 }),
        ),
        said(
            "contact",
            ("contact", json!({ "contact": { "fullName": "Budi, Shop", "phone": "+62 811-2222-3333" } })),
            json!({ "type": "vcard", "contact": { "fullName": "Budi, Shop", "phone": "+62 811-2222-3333" } }),
            "contact",
            |shown| {
                let message = shown["message"].to_string();
                assert!(message.contains("waid=6281122223333"), "{shown:#}");
            },
        ),
        said(
            "location",
            ("location", json!({ "location": { "latitude": -6.25, "longitude": 106.5, "name": "The shop" } })),
            json!({ "type": "location", "lat": -6.25, "lng": 106.5, "name": "The shop" }),
            "location",
            |shown| {
                let message = shown["message"].to_string();
                assert!(message.contains("-6.25") && message.contains("106.5"), "{shown:#}");
            },
        ),
        said(
            "poll",
            ("poll", json!({ "question": "Tea or coffee?", "options": ["Tea", "Coffee"], "maxSelection": 1 })),
            json!({ "type": "poll", "message": { "question": "Tea or coffee?", "options": ["Tea", "Coffee"] } }),
            "poll",
            |shown| assert_eq!(shown["options"], json!(["Tea", "Coffee"])),
        ),
        said(
            "button",
            (
                "button",
                json!({ "text": "Shall we?", "footer": "Shop", "buttons": [
                    { "type": "reply", "displayText": "Yes", "id": "yes" },
                    { "type": "url", "displayText": "Page", "url": "https://shop.example" } ] }),
            ),
            json!({ "type": "button", "text": "Shall we?", "footer": "Shop", "buttons": [
                { "Btype": "reply", "displayText": "Yes", "id": "yes" },
                { "Btype": "url", "displayText": "Page", "url": "https://shop.example" } ] }),
            "interactive",
            |shown| {
                let message = shown["message"].to_string();
                assert!(message.contains("quick_reply") && message.contains("cta_url"), "{shown:#}");
                assert!(message.contains("Shall we?"), "{shown:#}");
            },
        ),
        said(
            "list",
            (
                "list",
                json!({ "text": "Choose", "buttonText": "Menu", "sections": [
                    { "title": "Food", "rows": [{ "id": "r1", "title": "Rice" }] }] }),
            ),
            json!({ "type": "list", "text": "Choose", "buttonText": "Menu", "sections": [
                { "title": "Food", "rows": [{ "id": "r1", "title": "Rice" }] }] }),
            "interactive",
            |shown| {
                let message = shown["message"].to_string();
                assert!(message.contains("single_select") && message.contains("Rice"), "{shown:#}");
            },
        ),
        said(
            "raw",
            ("raw", json!({ "message": { "conversation": "as it is" } })),
            json!({ "type": "raw", "message": { "conversation": "as it is" } }),
            "text",
            |shown| assert_eq!(shown["text"], "as it is"),
        ),
        said(
            "forward",
            (
                "forward",
                json!({ "message": { "key": { "id": "x", "remoteJid": BOT }, "message": { "conversation": "passed on" } } }),
            ),
            json!({ "type": "forward", "message": { "message": { "conversation": "passed on" } } }),
            "text",
            |shown| {
                assert_eq!(shown["text"], "passed on");
                assert!(shown["message"].to_string().contains("is_forwarded"), "{shown:#}");
            },
        ),
    ]
}
