//! What a message says, written as the send action that says it.

use serde_json::{Map, Value, json};
use warest_model::content::{
    Button, Card, Content, Fit, ImageFormat, ImageWork, Media, MediaKind, MediaSource, Menu, Transcode,
};

/// The send action, without recipients.
pub fn content_json(content: &Content) -> Value {
    let mut action = match content {
        Content::Text { text, preview } => {
            let mut action = json!({ "text": text });
            if *preview {
                action["linkPreview"] = json!(true);
            }
            action
        }
        Content::Media(media) => media_json(media),
        Content::Contacts { cards } => json!({ "contacts": cards.iter().map(card_json).collect::<Vec<_>>() }),
        Content::Location { latitude, longitude, name, address } => {
            json!({ "lat": latitude, "lng": longitude, "name": name, "address": address })
        }
        Content::Poll { question, options, selectable } => {
            json!({ "question": question, "options": options, "maxSelection": selectable })
        }
        Content::Buttons { text, footer, image, buttons } => json!({
            "text": text,
            "footer": footer,
            "image": image.as_ref().map(source_json),
            "buttons": buttons.iter().map(button_json).collect::<Vec<_>>(),
        }),
        Content::List { title, text, footer, image, menus } => json!({
            "title": title,
            "text": text,
            "footer": footer,
            "image": image.as_ref().map(source_json),
            "lists": menus.iter().map(menu_json).collect::<Vec<_>>(),
        }),
        Content::Forward { key } => json!({ "key": key }),
        Content::Raw { message, forwarded } => {
            let mut action = json!({ "message": message });
            if *forwarded {
                action["isForwarded"] = json!(true);
            }
            action
        }
    };
    if let Value::Object(fields) = &mut action {
        fields.retain(|_, value| !value.is_null());
    }
    action["type"] = json!(content.name());
    action
}

fn source_json(source: &MediaSource) -> Value {
    match source {
        MediaSource::Url(url) => json!({ "url": url }),
        MediaSource::Stored(id) => json!({ "mediaId": id }),
    }
}

fn media_json(media: &Media) -> Value {
    let mut action = source_json(&media.source);
    let kind = match media.kind {
        MediaKind::Auto => Some("auto"),
        MediaKind::Image => Some("image"),
        MediaKind::Video => Some("video"),
        MediaKind::Gif => Some("gif"),
        MediaKind::Audio => Some("audio"),
        MediaKind::Voice => Some("voice"),
        // These have actions of their own.
        MediaKind::Document | MediaKind::Sticker => None,
    };
    for (name, value) in [
        ("mediaType", json!(kind)),
        ("caption", json!(media.caption)),
        ("filename", json!(media.file_name)),
        ("mimetype", json!(media.mime)),
        ("viewOnce", json!(media.view_once.then_some(true))),
        ("compress", json!(media.compress)),
        ("transform", json!(media.image.as_ref().map(|work| json!({ "sharp": work_json(work) })))),
        ("transcode", json!(media.transcode.as_ref().map(transcode_json))),
    ] {
        action[name] = value;
    }
    action
}

fn work_json(work: &ImageWork) -> Value {
    let mut sharp = Map::new();
    if let Some(resize) = work.resize {
        let fit = match resize.fit {
            Fit::Cover => "cover",
            Fit::Contain => "contain",
            Fit::Fill => "fill",
            Fit::Inside => "inside",
            Fit::Outside => "outside",
        };
        sharp.insert(
            "resize".to_owned(),
            json!({
                "width": resize.width,
                "height": resize.height,
                "fit": fit,
                "withoutEnlargement": resize.without_enlargement,
            }),
        );
    }
    if let Some(format) = work.format {
        let name = match format {
            ImageFormat::Jpeg => "jpeg",
            ImageFormat::Png => "png",
            ImageFormat::Webp => "webp",
        };
        sharp.insert(name.to_owned(), json!({ "quality": work.quality }));
    }
    Value::Object(sharp)
}

fn transcode_json(transcode: &Transcode) -> Value {
    let bitrate = |kbits: Option<u32>| kbits.map(|kbits| format!("{kbits}k"));
    json!({
        "format": transcode.format,
        "audioBitrate": bitrate(transcode.audio_bitrate_k),
        "videoBitrate": bitrate(transcode.video_bitrate_k),
        "preset": transcode.preset,
    })
}

fn card_json(card: &Card) -> Value {
    json!({
        "fullName": card.full_name,
        "phone": card.phone,
        "org": card.organization,
        "email": card.email,
        "vcard": card.vcard,
    })
}

fn button_json(button: &Button) -> Value {
    match button {
        Button::Reply { text, id } => json!({ "Btype": "reply", "displayText": text, "id": id }),
        Button::Url { text, url } => json!({ "Btype": "url", "displayText": text, "url": url }),
        Button::Call { text, phone } => json!({ "Btype": "call", "displayText": text, "phoneNumber": phone }),
        Button::Copy { text, code } => json!({ "Btype": "copy", "displayText": text, "copyCode": code }),
    }
}

fn menu_json(menu: &Menu) -> Value {
    json!({ "buttonText": menu.button, "sections": menu.sections })
}
