//! Send actions: what a message says, from the contract's fields.

use super::{Fields, Reader, first, flag, items_of, number, scalar, text_of, wrong};
use crate::content::{
    Button, Card, Content, Fit, ImageFormat, ImageWork, Media, MediaKind, MediaSource, Menu, Resize, Row, Section,
    Transcode,
};
use crate::fault::Fault;
use crate::limits;
use crate::plan::{Effect, Node, Path};
use serde_json::{Map, Value};

impl Reader<'_> {
    /// One message to each recipient.
    pub(super) fn send(&self, name: &str, fields: &Fields, path: &Path) -> Result<Node, Fault> {
        let (content, forwarded) = self.content(name, fields, path)?;
        content.check().map_err(|fault| at(fault, path))?;
        let options = fields.get("options").and_then(Value::as_object);
        let quoted = first(fields, &["quoted"]).or_else(|| options.and_then(|options| first(options, &["quoted"])));
        let quoted = quoted.map(|value| self.key(value.get("key").unwrap_or(value), path)).transpose()?;
        let mentions = first(fields, &["mentions"]).map_or(Ok(Vec::new()), |value| self.addresses(value, path))?;
        let mut sends = self.recipients(fields, path)?.into_iter().map(|to| {
            let (content, mentions, quoted) = (content.clone(), mentions.clone(), quoted.clone());
            Node::Effect { effect: Effect::Message { to, content, mentions, quoted, forwarded } }
        });
        match (sends.next(), sends.len()) {
            (Some(only), 0) => Ok(only),
            (Some(head), _) => Ok(Node::Parallel { items: std::iter::once(head).chain(sends).collect() }),
            (None, _) => Err(wrong("recipient_missing", path, "`to` names nobody")),
        }
    }

    /// What an edited message says from now on.
    pub(super) fn new_content(&self, fields: &Fields, path: &Path) -> Result<Content, Fault> {
        let content = match first(fields, &["text", "message"]) {
            Some(Value::Object(message)) => match message.get("text") {
                Some(Value::String(text)) => Content::text(text.clone()),
                _ => raw(message, false, path)?,
            },
            Some(value) => Content::text(scalar(value).unwrap_or_default()),
            None => return Err(wrong("text_missing", path, "`edit` needs `text`")),
        };
        content.check().map_err(|fault| at(fault, path))?;
        Ok(content)
    }

    pub(super) fn content(&self, name: &str, fields: &Fields, path: &Path) -> Result<(Content, bool), Fault> {
        let forwarded = flag(fields, &["isForwarded", "forwarded"]).unwrap_or(false);
        let content = match name {
            "text" => {
                let text = text_of(fields, &["text"]).unwrap_or_default();
                Content::Text { text, preview: flag(fields, &["linkPreview", "preview"]).unwrap_or(false) }
            }
            "media" => Content::Media(media(fields, path)?),
            "document" => Content::Media(Media {
                caption: text_of(fields, &["caption"]),
                file_name: text_of(fields, &["filename", "fileName"]),
                mime: text_of(fields, &["mimetype"]),
                ..Media::new(MediaKind::Document, source(fields, &["url", "mediaId"], path)?)
            }),
            "sticker" => {
                let source = source(fields, &["webpUrl", "imageUrl", "url", "mediaId"], path)?;
                Content::Media(Media::new(MediaKind::Sticker, source))
            }
            "location" => location(fields, path)?,
            "vcard" => Content::Contacts { cards: cards(fields, path)? },
            "poll" => poll(part(fields, "message"), path)?,
            "button" => match fields.get("message") {
                Some(Value::Object(message)) => raw(message, forwarded, path)?,
                _ => buttons(fields, path)?,
            },
            "list" => match fields.get("message") {
                Some(Value::Object(message)) => raw(message, forwarded, path)?,
                _ => list(fields, path)?,
            },
            "forward" => return Ok((self.forward(fields, path)?, true)),
            _ => raw(part(fields, "message"), forwarded, path)?,
        };
        Ok((content, forwarded))
    }

    /// A message by its key, or by all that it holds.
    fn forward(&self, fields: &Fields, path: &Path) -> Result<Content, Fault> {
        let message = fields.get("message").and_then(Value::as_object);
        if let Some(inner) = message.and_then(|message| message.get("message")).and_then(Value::as_object) {
            return raw(inner, true, path);
        }
        let key = fields.get("key").or_else(|| message.and_then(|message| message.get("key")));
        match (key, message) {
            (Some(key), _) => Ok(Content::Forward { key: self.key(key, path)? }),
            (None, Some(message)) => raw(message, true, path),
            (None, None) => Err(wrong("message_missing", path, "`forward` needs the `key` of a message, or `message`")),
        }
    }
}

/// The action's own fields, or those of the object that it wraps them in.
fn part<'a>(fields: &'a Fields, name: &str) -> &'a Fields {
    fields.get(name).and_then(Value::as_object).unwrap_or(fields)
}

fn at(fault: Fault, path: &Path) -> Fault {
    Fault { message: format!("action {path}: {}", fault.message), ..fault }
}

fn source(fields: &Fields, names: &[&str], path: &Path) -> Result<MediaSource, Fault> {
    for name in names {
        let Some(text) = text_of(fields, &[name]) else { continue };
        if *name == "mediaId" {
            let id = text.parse().map_err(|_| wrong("media_id_invalid", path, "`mediaId` looks like med_<ULID>"))?;
            return Ok(MediaSource::Stored(id));
        }
        return Ok(MediaSource::Url(text));
    }
    Err(wrong("url_missing", path, &format!("`{}` is missing", names[0])))
}

fn media(fields: &Fields, path: &Path) -> Result<Media, Fault> {
    let named = text_of(fields, &["mediaType"]).unwrap_or_else(|| "auto".to_owned());
    let mut kind = MediaKind::from_name(&named).ok_or_else(|| {
        wrong("media_type_invalid", path, "`mediaType` is one of image, video, gif, audio, voice, document, sticker")
    })?;
    if kind == MediaKind::Audio && flag(fields, &["ptt", "isVN"]).unwrap_or(false) {
        kind = MediaKind::Voice;
    }
    let transform = fields.get("transform").and_then(|transform| transform.get("sharp")).and_then(Value::as_object);
    let transcode = fields.get("transcode").and_then(Value::as_object);
    Ok(Media {
        caption: text_of(fields, &["caption"]),
        file_name: text_of(fields, &["filename", "fileName"]),
        mime: text_of(fields, &["mimetype"]),
        view_once: flag(fields, &["viewOnce"]).unwrap_or(false),
        compress: flag(fields, &["compress"]),
        image: transform.map(|transform| image_work(transform, path)).transpose()?,
        transcode: transcode.map(|transcode| transcoded(transcode, path)).transpose()?,
        ..Media::new(kind, source(fields, &["url", "mediaId"], path)?)
    })
}

fn image_work(fields: &Fields, path: &Path) -> Result<ImageWork, Fault> {
    let mut work = ImageWork::default();
    if let Some(Value::Object(resize)) = fields.get("resize") {
        work.resize = Some(Resize {
            width: whole(resize, path, "width")?,
            height: whole(resize, path, "height")?,
            fit: match text_of(resize, &["fit"]).as_deref() {
                None | Some("cover") => Fit::Cover,
                Some("contain") => Fit::Contain,
                Some("fill") => Fit::Fill,
                Some("inside") => Fit::Inside,
                Some("outside") => Fit::Outside,
                Some(_) => {
                    let message = "`fit` is one of cover, contain, fill, inside, outside";
                    return Err(wrong("transform_invalid", path, message));
                }
            },
            without_enlargement: flag(resize, &["withoutEnlargement"]).unwrap_or(false),
        });
    }
    let formats = [("webp", ImageFormat::Webp), ("jpeg", ImageFormat::Jpeg), ("png", ImageFormat::Png)];
    if let Some((format, options)) = formats.into_iter().find_map(|(name, format)| Some((format, fields.get(name)?))) {
        work.format = Some(format);
        if let Some(options) = options.as_object() {
            work.quality = whole(options, path, "quality")?.map(|quality| u8::try_from(quality).unwrap_or(u8::MAX));
        }
    }
    Ok(work)
}

fn transcoded(fields: &Fields, path: &Path) -> Result<Transcode, Fault> {
    if fields.contains_key("extraArgs") {
        return Err(wrong("transcode_invalid", path, "`extraArgs` is not taken; use format, bitrates and preset"));
    }
    Ok(Transcode {
        format: text_of(fields, &["format"]),
        audio_bitrate_k: bitrate(fields, path, "audioBitrate")?,
        video_bitrate_k: bitrate(fields, path, "videoBitrate")?,
        preset: text_of(fields, &["preset"]),
    })
}

/// kbit/s, from a number of them or from ffmpeg's spelling: `96`, `"96k"`, `"2M"`.
fn bitrate(fields: &Fields, path: &Path, name: &str) -> Result<Option<u32>, Fault> {
    let Some(text) = text_of(fields, &[name]) else { return Ok(None) };
    let (digits, unit) = match text.trim() {
        text if text.ends_with(['k', 'K']) => (&text[..text.len() - 1], 1),
        text if text.ends_with(['m', 'M']) => (&text[..text.len() - 1], 1_000),
        text => (text, 1),
    };
    match digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(kbits @ 8..=50_000) => Ok(Some(kbits)),
        _ => Err(wrong("transcode_invalid", path, &format!("`{name}` takes 8k to 50M"))),
    }
}

fn location(fields: &Fields, path: &Path) -> Result<Content, Fault> {
    let degrees = |names: &[&str]| {
        number(fields, path, names)?
            .ok_or_else(|| wrong("location_invalid", path, &format!("`{}` is missing", names[0])))
    };
    Ok(Content::Location {
        latitude: degrees(&["lat", "latitude"])?,
        longitude: degrees(&["lng", "lon", "longitude"])?,
        name: text_of(fields, &["name"]),
        address: text_of(fields, &["address"]),
    })
}

fn cards(fields: &Fields, path: &Path) -> Result<Vec<Card>, Fault> {
    let given = first(fields, &["contacts", "contact"]).map_or_else(Vec::new, items_of);
    if given.is_empty() {
        return Err(wrong("contact_invalid", path, "`contact` {fullName, phone} is missing"));
    }
    given
        .into_iter()
        .take(limits::CARDS + 1)
        .map(|card| {
            let card = card.as_object().ok_or_else(|| wrong("contact_invalid", path, "a contact is an object"))?;
            Ok(Card {
                full_name: text_of(card, &["fullName", "name", "displayName"]).unwrap_or_default(),
                phone: text_of(card, &["phone"]),
                organization: text_of(card, &["org", "organization"]),
                email: text_of(card, &["email"]),
                vcard: text_of(card, &["vcard"]),
            })
        })
        .collect()
}

fn poll(fields: &Fields, path: &Path) -> Result<Content, Fault> {
    // Baileys wraps it once more, and calls its parts otherwise.
    let fields = part(fields, "poll");
    let options = first(fields, &["options", "values"]).map_or_else(Vec::new, items_of);
    Ok(Content::Poll {
        question: text_of(fields, &["question", "name"]).unwrap_or_default(),
        options: options
            .into_iter()
            .take(limits::POLL_OPTIONS + 1)
            .map(|one| scalar(one).unwrap_or_default())
            .collect(),
        selectable: whole(fields, path, "maxSelection")?.or(whole(fields, path, "selectableCount")?).unwrap_or(1),
    })
}

fn buttons(fields: &Fields, path: &Path) -> Result<Content, Fault> {
    let given = first(fields, &["buttons"]).map_or_else(Vec::new, items_of);
    let buttons = given.into_iter().take(limits::BUTTONS + 1).map(|one| button(one, path)).collect::<Result<_, _>>()?;
    Ok(Content::Buttons {
        text: text_of(fields, &["text", "message"]).unwrap_or_default(),
        footer: text_of(fields, &["footer"]),
        image: image_of(fields),
        buttons,
    })
}

fn button(value: &Value, path: &Path) -> Result<Button, Fault> {
    let fields = value.as_object().ok_or_else(|| wrong("buttons_invalid", path, "a button is an object"))?;
    let text = text_of(fields, &["displayText", "text"]).unwrap_or_default();
    let value = |names: &[&str]| text_of(fields, names).unwrap_or_default();
    Ok(match text_of(fields, &["Btype", "type"]).as_deref() {
        None | Some("reply") => {
            let id = text_of(fields, &["id"]).unwrap_or_else(|| text.clone());
            Button::Reply { text, id }
        }
        Some("url") => Button::Url { text, url: value(&["url"]) },
        Some("call") => Button::Call { text, phone: value(&["phoneNumber", "phone", "id"]) },
        Some("copy") => Button::Copy { text, code: value(&["copyCode", "code", "id"]) },
        Some(_) => return Err(wrong("buttons_invalid", path, "`Btype` is one of reply, url, call, copy")),
    })
}

fn list(fields: &Fields, path: &Path) -> Result<Content, Fault> {
    // `lists` is several, `list` one, and the parts of one may stand by themselves.
    let lists = first(fields, &["lists", "list"]).map_or_else(Vec::new, items_of);
    let is_section = |value: &&Value| value.get("rows").is_some() && value.get("sections").is_none();
    let menus = if lists.is_empty() {
        vec![menu(fields, path)?]
    } else if lists.iter().all(is_section) {
        // What some call lists are the sections of one.
        vec![menu_of(fields, lists, path)?]
    } else {
        lists
            .into_iter()
            .take(limits::BUTTONS + 1)
            .map(|list| match list {
                Value::Object(list) => menu(list, path),
                _ => Err(wrong("list_invalid", path, "a list is an object {buttonText, sections}")),
            })
            .collect::<Result<_, _>>()?
    };
    // One list may have all that is said around it within itself.
    let within = first(fields, &["list"]).and_then(Value::as_object);
    let said = |names: &[&str]| text_of(fields, names).or_else(|| text_of(within?, names));
    Ok(Content::List {
        title: said(&["title"]),
        text: said(&["text", "message"]).unwrap_or_default(),
        footer: said(&["footer"]),
        image: image_of(fields),
        menus,
    })
}

fn menu(fields: &Map<String, Value>, path: &Path) -> Result<Menu, Fault> {
    menu_of(fields, first(fields, &["sections"]).map_or_else(Vec::new, items_of), path)
}

fn menu_of(fields: &Map<String, Value>, sections: Vec<&Value>, path: &Path) -> Result<Menu, Fault> {
    let bad = |what: &str| wrong("list_invalid", path, what);
    let sections = sections
        .into_iter()
        .take(limits::LIST_SECTIONS + 1)
        .map(|section| {
            let section = section.as_object().ok_or_else(|| bad("a section is an object {title, rows}"))?;
            let rows = first(section, &["rows"]).map_or_else(Vec::new, items_of);
            let rows = rows.into_iter().take(limits::LIST_ROWS + 1).map(row).collect();
            Ok(Section { title: text_of(section, &["title"]).unwrap_or_default(), rows })
        })
        .collect::<Result<_, Fault>>()?;
    Ok(Menu { button: text_of(fields, &["buttonText", "button", "title"]).unwrap_or_default(), sections })
}

/// A row is an object, or what it says.
fn row(value: &Value) -> Row {
    match value {
        Value::Object(fields) => {
            let title = text_of(fields, &["title"]).unwrap_or_default();
            Row {
                id: text_of(fields, &["id", "rowId"]).unwrap_or_else(|| title.clone()),
                description: text_of(fields, &["description"]),
                title,
            }
        }
        other => {
            let title = scalar(other).unwrap_or_default();
            Row { id: title.clone(), title, description: None }
        }
    }
}

/// A picture: a URL, or an object with one.
fn image_of(fields: &Fields) -> Option<MediaSource> {
    match first(fields, &["image"])? {
        Value::String(url) => Some(MediaSource::Url(url.clone())),
        Value::Object(image) => match (text_of(image, &["url"]), text_of(image, &["mediaId"])) {
            (Some(url), _) => Some(MediaSource::Url(url)),
            (None, id) => Some(MediaSource::Stored(id?.parse().ok()?)),
        },
        _ => None,
    }
}

fn raw(message: &Fields, forwarded: bool, path: &Path) -> Result<Content, Fault> {
    let message = Value::Object(message.clone());
    // What is written is at least as long as what is held.
    if message.to_string().len() > limits::RAW_BYTES {
        let most = limits::RAW_BYTES >> 10;
        return Err(wrong("message_too_large", path, &format!("a raw message may have at most {most} KiB")));
    }
    Ok(Content::Raw { message, forwarded })
}

fn whole(fields: &Fields, path: &Path, name: &str) -> Result<Option<u32>, Fault> {
    match number(fields, path, &[name])? {
        None => Ok(None),
        Some(number) if (0.0..=f64::from(u32::MAX)).contains(&number) => Ok(Some(number.round() as u32)),
        Some(_) => Err(wrong("number_invalid", path, &format!("`{name}` takes a number that is not negative"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{ActionContext, parse_actions};
    use super::*;
    use crate::jid::Jid;
    use serde_json::json;

    fn content(action: Value) -> Result<Content, Fault> {
        let chat = Jid::parse("62811111111", "62").unwrap();
        let context = ActionContext { country_code: "62".into(), chat: Some(chat) };
        match parse_actions(&action, &context)?.remove(0) {
            Node::Effect { effect: Effect::Message { content, .. } } => Ok(content),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_send_action_of_the_contract_is_read() {
        let media = content(json!({
            "type": "media", "mediaType": "image", "url": "https://a.example/1.png", "caption": "look",
            "transform": {"sharp": {"resize": {"width": 640, "fit": "inside", "withoutEnlargement": true},
                          "webp": {"quality": 80}}},
        }))
        .unwrap();
        let Content::Media(media) = media else { panic!("{media:?}") };
        let work = media.image.unwrap();
        assert_eq!((work.format, work.quality), (Some(ImageFormat::Webp), Some(80)));
        let resize = work.resize.unwrap();
        assert_eq!((resize.width, resize.height, resize.fit), (Some(640), None, Fit::Inside));
        for (action, name) in [
            (json!({"type": "text", "text": "hi"}), "text"),
            (json!({"type": "media", "mediaType": "audio", "url": "https://a.example/1.mp3", "ptt": true}), "media"),
            (json!({"type": "document", "url": "https://a.example/1.pdf", "filename": "1.pdf"}), "document"),
            (json!({"type": "location", "lat": -6.2, "lng": 106.8, "name": "Jakarta"}), "location"),
            (json!({"type": "sticker", "webpUrl": "https://a.example/1.webp"}), "sticker"),
            (json!({"type": "vcard", "contact": {"fullName": "Ana", "phone": "0811"}}), "vcard"),
            (json!({"type": "button", "text": "?", "buttons": [{"displayText": "Yes", "id": "y"}]}), "button"),
            (
                json!({"type": "list", "text": "?", "buttonText": "Go", "sections": [{"title": "A", "rows": ["x"]}]}),
                "list",
            ),
            (json!({"type": "poll", "message": {"question": "?", "options": ["a", "b"]}}), "poll"),
            (json!({"type": "forward", "key": {"id": "A", "fromMe": true}}), "forward"),
            (json!({"type": "raw", "message": {"conversation": "hi"}}), "raw"),
        ] {
            assert_eq!(content(action).unwrap().name(), name);
        }
    }

    #[test]
    fn the_nodes_spellings_of_buttons_and_lists_are_read() {
        let Content::Buttons { buttons, .. } = content(json!({"type": "button", "text": "?", "buttons": [
            {"Btype": "url", "displayText": "Open", "url": "https://a.example"},
            {"Btype": "call", "displayText": "Call", "phoneNumber": "+62811"},
            {"Btype": "copy", "displayText": "Copy", "copyCode": "X1"},
            {"Btype": "reply", "displayText": "Yes"},
        ]}))
        .unwrap() else {
            panic!("no buttons")
        };
        assert_eq!(buttons[3], Button::Reply { text: "Yes".into(), id: "Yes".into() });
        let Content::List { menus, .. } = content(json!({"type": "list", "text": "?", "lists": [
            {"buttonText": "One", "sections": [{"rows": [{"id": "1", "title": "x", "description": "y"}]}]},
            {"buttonText": "Two", "sections": [{"title": "B", "rows": ["z"]}]},
        ]}))
        .unwrap() else {
            panic!("no list")
        };
        assert_eq!((menus.len(), menus[1].sections[0].rows[0].id.as_str()), (2, "z"));
    }

    #[test]
    fn a_list_is_the_same_however_its_parts_are_written() {
        let sections = json!([{"title": "Fruits", "rows": [{"id": "apple", "title": "Apple"}]}]);
        for fields in [
            json!({"text": "Choose", "buttonText": "Fruits", "sections": sections}),
            json!({"text": "Choose", "buttonText": "Fruits", "lists": sections}),
            json!({"list": {"text": "Choose", "buttonText": "Fruits", "sections": sections}}),
            json!({"lists": [{"buttonText": "Fruits", "sections": sections}], "text": "Choose"}),
        ] {
            let mut action = fields.clone();
            action["type"] = json!("list");
            let Content::List { text, menus, .. } = content(action).unwrap() else { panic!("no list") };
            assert_eq!((text.as_str(), menus.len(), menus[0].button.as_str()), ("Choose", 1, "Fruits"), "{fields}");
            assert_eq!(menus[0].sections[0].rows[0].id, "apple", "{fields}");
        }
    }

    #[test]
    fn what_whatsapp_would_not_take_is_refused_with_its_code() {
        let many: Vec<_> = (0..13).map(|n| n.to_string()).collect();
        for (action, code) in [
            (json!({"type": "poll", "question": "?", "options": many}), "poll_invalid"),
            (json!({"type": "poll", "question": "?", "options": ["a", "b"], "maxSelection": 3}), "poll_invalid"),
            (json!({"type": "location", "lat": 91, "lng": 0}), "location_invalid"),
            (json!({"type": "vcard", "contact": {"fullName": "Ana"}}), "contact_invalid"),
            (json!({"type": "button", "text": "?", "buttons": []}), "buttons_invalid"),
            (
                json!({"type": "button", "text": "?", "buttons": [{"Btype": "url", "displayText": "x", "url": "javascript:1"}]}),
                "buttons_invalid",
            ),
            (json!({"type": "list", "text": "?", "sections": []}), "list_invalid"),
            (json!({"type": "media", "url": "https://a.example", "mediaType": "hologram"}), "media_type_invalid"),
            (json!({"type": "media", "url": "https://a.example", "caption": "x".repeat(1_025)}), "caption_too_long"),
            (
                json!({"type": "media", "url": "https://a.example", "transcode": {"extraArgs": ["-f"]}}),
                "transcode_invalid",
            ),
            (json!({"type": "raw", "message": {}}), "message_invalid"),
            (json!({"type": "raw", "message": {"conversation": "x".repeat(300 << 10)}}), "message_too_large"),
            (json!({"type": "text", "text": " "}), "text_missing"),
        ] {
            assert_eq!(content(action.clone()).unwrap_err().code, code, "{action}");
        }
    }
}
