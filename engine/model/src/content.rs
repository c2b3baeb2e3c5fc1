//! What a message says, before it is a stanza: the one form that REST, actions,
//! flows and plugins compose, and that the link turns into WhatsApp's.
//!
//! It is stored with the plan or the job that sends it, as JSON: fields may be
//! added with a default, and must not change their meaning.

use crate::fault::Fault;
use crate::id::MediaId;
use crate::limits;
use crate::plan::MessageKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where the bytes of a media file come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// `http:`, `https:` or `data:`; fetched when the message is sent.
    Url(String),
    /// In the engine's storage already.
    Stored(MediaId),
}

/// What kind of attachment a file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Whatever the file is: image, video, audio, or else a document.
    Auto,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A short film that plays by itself, without sound.
    Gif,
    /// Sound.
    Audio,
    /// A voice note.
    Voice,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// The contract's `mediaType`, or `None` if it is none of these.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "image" => Self::Image,
            "video" => Self::Video,
            "gif" => Self::Gif,
            "audio" => Self::Audio,
            "voice" | "ptt" => Self::Voice,
            "document" => Self::Document,
            "sticker" => Self::Sticker,
            _ => return None,
        })
    }
}

/// How a picture is made to fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Fills the box and is cropped.
    #[default]
    Cover,
    /// Within the box, which is filled up with background.
    Contain,
    /// Stretched to the box.
    Fill,
    /// Within the box.
    Inside,
    /// At least as large as the box.
    Outside,
}

/// A new size for a picture, in pixels; a side that is absent follows the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resize {
    /// Width.
    pub width: Option<u32>,
    /// Height.
    pub height: Option<u32>,
    /// How it is made to fit.
    pub fit: Fit,
    /// Small pictures stay small.
    pub without_enlargement: bool,
}

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

/// What is done to a picture before it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageWork {
    /// Its size.
    pub resize: Option<Resize>,
    /// Its format; kept if absent.
    pub format: Option<ImageFormat>,
    /// 1 to 100.
    pub quality: Option<u8>,
}

/// What is done to sound or film before it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Transcode {
    /// The container: `mp4`, `mp3`, `ogg`, …
    pub format: Option<String>,
    /// In kbit/s.
    pub audio_bitrate_k: Option<u32>,
    /// In kbit/s.
    pub video_bitrate_k: Option<u32>,
    /// The encoder's preset: `veryfast`, …
    pub preset: Option<String>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// What it becomes.
    pub kind: MediaKind,
    /// Its bytes.
    pub source: MediaSource,
    /// The text beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The name that a document shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Its type, where the sender knows better than the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Shown once only.
    #[serde(default)]
    pub view_once: bool,
    /// Whether it is made smaller first; as configured if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress: Option<bool>,
    /// What is done to a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageWork>,
    /// What is done to sound or film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcode: Option<Transcode>,
}

impl Media {
    /// An attachment that is sent as it is.
    pub fn new(kind: MediaKind, source: MediaSource) -> Self {
        Self {
            kind,
            source,
            caption: None,
            file_name: None,
            mime: None,
            view_once: false,
            compress: None,
            image: None,
            transcode: None,
        }
    }
}

/// One person's card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Card {
    /// The name shown.
    pub full_name: String,
    /// A phone number in any spelling.
    pub phone: Option<String>,
    /// Where they work.
    pub organization: Option<String>,
    /// An address.
    pub email: Option<String>,
    /// A complete vCard, instead of one made from the other fields.
    pub vcard: Option<String>,
}

/// A button of an interactive message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Button {
    /// Sends its id back.
    Reply {
        /// What it says.
        text: String,
        /// What comes back.
        id: String,
    },
    /// Opens a page.
    Url {
        /// What it says.
        text: String,
        /// The page.
        url: String,
    },
    /// Calls a number.
    Call {
        /// What it says.
        text: String,
        /// The number.
        phone: String,
    },
    /// Copies a code.
    Copy {
        /// What it says.
        text: String,
        /// The code.
        code: String,
    },
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// What comes back when it is chosen.
    pub id: String,
    /// What it says.
    pub title: String,
    /// What it says below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Section {
    /// Its heading.
    #[serde(default)]
    pub title: String,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// One list of a list message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Menu {
    /// What the button that opens it says.
    pub button: String,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// A text.
    Text {
        /// The text.
        text: String,
        /// Whether a preview of its first link is shown.
        #[serde(default)]
        preview: bool,
    },
    /// A file of any kind.
    Media(Media),
    /// One or more cards.
    Contacts {
        /// The cards.
        cards: Vec<Card>,
    },
    /// A place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What it is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Where it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// A poll.
    Poll {
        /// What is asked.
        question: String,
        /// The answers, all different.
        options: Vec<String>,
        /// How many may be chosen; 0 means any number.
        selectable: u32,
    },
    /// A text with buttons.
    Buttons {
        /// The text.
        text: String,
        /// Small print.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footer: Option<String>,
        /// A picture above it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<MediaSource>,
        /// The buttons.
        buttons: Vec<Button>,
    },
    /// A text with lists to choose from.
    List {
        /// The heading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The text.
        text: String,
        /// Small print.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footer: Option<String>,
        /// A picture above it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<MediaSource>,
        /// The lists.
        menus: Vec<Menu>,
    },
    /// A message that is known, to others.
    Forward {
        /// Which; it must be in the history.
        key: MessageKey,
    },
    /// A message in WhatsApp's own form (protobuf JSON).
    Raw {
        /// The message.
        message: Value,
        /// Whether it is marked as forwarded.
        #[serde(default)]
        forwarded: bool,
    },
}

impl Content {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), preview: false }
    }

    /// The name of the send action that says this.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Media(media) => match media.kind {
                MediaKind::Document => "document",
                MediaKind::Sticker => "sticker",
                _ => "media",
            },
            Self::Contacts { .. } => "vcard",
            Self::Location { .. } => "location",
            Self::Poll { .. } => "poll",
            Self::Buttons { .. } => "button",
            Self::List { .. } => "list",
            Self::Forward { .. } => "forward",
            Self::Raw { .. } => "raw",
        }
    }

    /// What a person reads in it first: the text, the caption, the question.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } | Self::Buttons { text, .. } | Self::List { text, .. } => Some(text),
            Self::Media(media) => media.caption.as_deref(),
            Self::Poll { question, .. } => Some(question),
            Self::Contacts { .. } | Self::Location { .. } | Self::Forward { .. } | Self::Raw { .. } => None,
        }
    }

    /// The files it needs, in the order in which the link gets them.
    pub fn sources(&self) -> Vec<&MediaSource> {
        match self {
            Self::Media(media) => vec![&media.source],
            Self::Buttons { image, .. } | Self::List { image, .. } => image.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Refuses what WhatsApp would not take, with a code that says which part.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Text { text, .. } => {
                non_empty(text, "text_missing", "`text` is missing or empty")?;
                at_most(text, limits::TEXT_CHARS, "text_too_long", "a text")
            }
            Self::Media(media) => {
                check_source(&media.source)?;
                at_most_opt(media.caption.as_deref(), limits::CAPTION_CHARS, "caption_too_long", "a caption")?;
                at_most_opt(media.file_name.as_deref(), 255, "filename_too_long", "a file name")?;
                check_work(media)
            }
            Self::Contacts { cards } => {
                count(cards.len(), limits::CARDS, "contact_invalid", "contacts")?;
                cards.iter().try_for_each(check_card)
            }
            Self::Location { latitude, longitude, name, address } => {
                let fits = (-90.0..=90.0).contains(latitude) && (-180.0..=180.0).contains(longitude);
                if !fits {
                    return Err(wrong(
                        "location_invalid",
                        "a latitude is between -90 and 90, a longitude between -180 and 180",
                    ));
                }
                at_most_opt(name.as_deref(), limits::CAPTION_CHARS, "location_invalid", "the name of a place")?;
                at_most_opt(address.as_deref(), limits::CAPTION_CHARS, "location_invalid", "an address")
            }
            Self::Poll { question, options, selectable } => check_poll(question, options, *selectable),
            Self::Buttons { text, footer, image, buttons } => {
                non_empty(text, "text_missing", "a message with buttons needs `text`")?;
                at_most(text, limits::CAPTION_CHARS * 4, "text_too_long", "a text with buttons")?;
                at_most_opt(footer.as_deref(), limits::FOOTER_CHARS, "text_too_long", "a footer")?;
                image.iter().try_for_each(check_source)?;
                count(buttons.len(), limits::BUTTONS, "buttons_invalid", "buttons")?;
                buttons.iter().try_for_each(check_button)
            }
            Self::List { title, text, footer, image, menus } => {
                at_most_opt(title.as_deref(), limits::FOOTER_CHARS, "list_invalid", "a title")?;
                at_most(text, limits::CAPTION_CHARS * 4, "text_too_long", "a text with lists")?;
                at_most_opt(footer.as_deref(), limits::FOOTER_CHARS, "text_too_long", "a footer")?;
                image.iter().try_for_each(check_source)?;
                count(menus.len(), limits::BUTTONS, "list_invalid", "lists")?;
                menus.iter().try_for_each(check_menu)
            }
            Self::Forward { .. } => Ok(()),
            Self::Raw { message, .. } => match message {
                Value::Object(fields) if !fields.is_empty() => Ok(()),
                _ => Err(wrong("message_invalid", "`message` is an object in WhatsApp's own form")),
            },
        }
    }
}

/// How long a chat is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mute {
    /// Until a person says otherwise.
    Always,
    /// For this long from when it is done, in milliseconds.
    For(u64),
}

/// What is done to a chat, on all devices of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatChange {
    /// Into the archive, or out of it.
    Archive(bool),
    /// To the top of the list, or back.
    Pin(bool),
    /// Silent, or (`None`) not.
    Mute(Option<Mute>),
    /// Marked as read, or as unread.
    Read(bool),
    /// Its messages go, for this account.
    Clear,
    /// It goes, for this account.
    Delete,
}

impl ChatChange {
    /// The name that the journal and errors show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Archive(true) => "archive",
            Self::Archive(false) => "unarchive",
            Self::Pin(true) => "pin-chat",
            Self::Pin(false) => "unpin-chat",
            Self::Mute(Some(_)) => "mute",
            Self::Mute(None) => "unmute",
            Self::Read(true) => "mark-read",
            Self::Read(false) => "mark-unread",
            Self::Clear => "clear",
            Self::Delete => "delete-chat",
        }
    }
}

fn check_source(source: &MediaSource) -> Result<(), Fault> {
    let MediaSource::Url(url) = source else { return Ok(()) };
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") if url.len() <= limits::URL_BYTES => Ok(()),
        Some("data") => Ok(()),
        Some("http" | "https") => Err(wrong("url_invalid", "the URL is too long")),
        _ => Err(wrong("url_invalid", "a file comes from an http, https or data URL")),
    }
}

fn check_work(media: &Media) -> Result<(), Fault> {
    if let Some(work) = &media.image {
        let side = |side: Option<u32>| side.is_none_or(|side| (1..=limits::IMAGE_SIDE).contains(&side));
        if let Some(resize) = &work.resize
            && !(side(resize.width) && side(resize.height))
        {
            let most = limits::IMAGE_SIDE;
            return Err(wrong("transform_invalid", &format!("`resize` takes widths and heights of 1 to {most}")));
        }
        if work.quality.is_some_and(|quality| !(1..=100).contains(&quality)) {
            return Err(wrong("transform_invalid", "`quality` takes 1 to 100"));
        }
    }
    Ok(())
}

fn check_card(card: &Card) -> Result<(), Fault> {
    if let Some(vcard) = &card.vcard {
        at_most(vcard, limits::VCARD_CHARS, "contact_invalid", "a vCard")?;
    } else {
        non_empty(&card.full_name, "contact_invalid", "a contact needs `fullName`")?;
        if card.phone.as_deref().is_none_or(|phone| phone.trim().is_empty()) {
            return Err(wrong("contact_invalid", "a contact needs `phone`"));
        }
    }
    for part in [Some(&card.full_name), card.phone.as_ref(), card.organization.as_ref(), card.email.as_ref()] {
        at_most_opt(part.map(String::as_str), 255, "contact_invalid", "a part of a contact")?;
    }
    Ok(())
}

fn check_poll(question: &str, options: &[String], selectable: u32) -> Result<(), Fault> {
    non_empty(question, "poll_invalid", "a poll needs a `question`")?;
    at_most(question, 255, "poll_invalid", "a question")?;
    if !(2..=limits::POLL_OPTIONS).contains(&options.len()) {
        return Err(wrong("poll_invalid", &format!("a poll takes 2 to {} options", limits::POLL_OPTIONS)));
    }
    for (index, option) in options.iter().enumerate() {
        non_empty(option, "poll_invalid", "an option is empty")?;
        at_most(option, 100, "poll_invalid", "an option")?;
        if options[..index].contains(option) {
            return Err(wrong("poll_invalid", &format!("the option \"{option}\" is there twice")));
        }
    }
    if usize::try_from(selectable).is_ok_and(|selectable| selectable <= options.len()) {
        Ok(())
    } else {
        Err(wrong("poll_invalid", "`maxSelection` is larger than the number of options"))
    }
}

fn check_button(button: &Button) -> Result<(), Fault> {
    let (text, value, what) = match button {
        Button::Reply { text, id } => (text, id, "`id`"),
        Button::Url { text, url } => (text, url, "`url`"),
        Button::Call { text, phone } => (text, phone, "`phoneNumber`"),
        Button::Copy { text, code } => (text, code, "`copyCode`"),
    };
    non_empty(text, "buttons_invalid", "a button needs `displayText`")?;
    at_most(text, 64, "buttons_invalid", "what a button says")?;
    non_empty(value, "buttons_invalid", &format!("this kind of button needs {what}"))?;
    at_most(value, limits::URL_BYTES, "buttons_invalid", what)?;
    match button {
        Button::Url { url, .. } if !(url.starts_with("https://") || url.starts_with("http://")) => {
            Err(wrong("buttons_invalid", "the `url` of a button begins with https://"))
        }
        _ => Ok(()),
    }
}

fn check_menu(menu: &Menu) -> Result<(), Fault> {
    non_empty(&menu.button, "list_invalid", "a list needs `buttonText`")?;
    at_most(&menu.button, 64, "list_invalid", "`buttonText`")?;
    count(menu.sections.len(), limits::LIST_SECTIONS, "list_invalid", "sections")?;
    let rows: usize = menu.sections.iter().map(|section| section.rows.len()).sum();
    count(rows, limits::LIST_ROWS, "list_invalid", "rows")?;
    for row in menu.sections.iter().flat_map(|section| &section.rows) {
        non_empty(&row.title, "list_invalid", "a row needs `title`")?;
        at_most(&row.title, 255, "list_invalid", "the title of a row")?;
        at_most(&row.id, 255, "list_invalid", "the id of a row")?;
        at_most_opt(row.description.as_deref(), 255, "list_invalid", "the description of a row")?;
    }
    Ok(())
}

fn count(found: usize, most: usize, code: &str, what: &str) -> Result<(), Fault> {
    if (1..=most).contains(&found) { Ok(()) } else { Err(wrong(code, &format!("1 to {most} {what} are allowed"))) }
}

fn non_empty(text: &str, code: &str, message: &str) -> Result<(), Fault> {
    if text.trim().is_empty() { Err(wrong(code, message)) } else { Ok(()) }
}

fn at_most(text: &str, most: usize, code: &str, what: &str) -> Result<(), Fault> {
    // Characters are counted only where bytes do not settle it.
    if text.len() > most && text.chars().count() > most {
        return Err(wrong(code, &format!("{what} may have at most {most} characters")));
    }
    Ok(())
}

fn at_most_opt(text: Option<&str>, most: usize, code: &str, what: &str) -> Result<(), Fault> {
    text.map_or(Ok(()), |text| at_most(text, most, code, what))
}

fn wrong(code: &str, message: &str) -> Fault {
    Fault::fail(code, message)
}
