//! Buttons and lists: native flows of an interactive message. The library adds
//! the nodes by which the server lets them through.

use super::super::upload::Uploaded;
use super::media;
use serde_json::{Value, json};
use wa::message::interactive_message::{
    Body, Footer, Header, InteractiveMessage as Payload, NativeFlowMessage, header,
    native_flow_message::NativeFlowButton,
};
use warest_model::content::{Button, Menu};
use whatsapp_rust::waproto::whatsapp as wa;

/// A text with buttons.
pub(super) fn buttons(text: &str, footer: Option<&str>, image: Option<&Uploaded>, buttons: &[Button]) -> wa::Message {
    interactive(None, text, footer, image, buttons.iter().map(button).collect())
}

/// A text with lists to choose from.
pub(super) fn lists(
    title: Option<&str>,
    text: &str,
    footer: Option<&str>,
    image: Option<&Uploaded>,
    menus: &[Menu],
) -> wa::Message {
    interactive(title, text, footer, image, menus.iter().map(menu).collect())
}

fn interactive(
    title: Option<&str>,
    text: &str,
    footer: Option<&str>,
    image: Option<&Uploaded>,
    buttons: Vec<NativeFlowButton>,
) -> wa::Message {
    let title = title.filter(|title| !title.is_empty());
    let header = (title.is_some() || image.is_some()).then(|| Header {
        title: title.map(str::to_owned),
        has_media_attachment: Some(image.is_some()),
        media: image.map(|file| header::Media::ImageMessage(Box::new(media::image(file, None)))),
        ..Default::default()
    });
    let flow = NativeFlowMessage { buttons, message_params_json: Some("{}".to_owned()), message_version: Some(1) };
    wa::Message {
        interactive_message: wa::message::InteractiveMessage {
            header: header.into(),
            body: Body { text: Some(text.to_owned()) }.into(),
            footer: footer
                .filter(|footer| !footer.is_empty())
                .map(|footer| Footer { text: Some(footer.to_owned()), ..Default::default() })
                .into(),
            interactive_message: Some(Payload::NativeFlowMessage(Box::new(flow))),
            ..Default::default()
        }
        .into(),
        ..Default::default()
    }
}

fn button(button: &Button) -> NativeFlowButton {
    match button {
        Button::Reply { text, id } => named("quick_reply", json!({ "display_text": text, "id": id })),
        Button::Url { text, url } => named("cta_url", json!({ "display_text": text, "url": url, "merchant_url": url })),
        Button::Call { text, phone } => named("cta_call", json!({ "display_text": text, "phone_number": phone })),
        Button::Copy { text, code } => {
            named("cta_copy", json!({ "display_text": text, "id": code, "copy_code": code }))
        }
    }
}

fn menu(menu: &Menu) -> NativeFlowButton {
    let sections: Vec<Value> = menu
        .sections
        .iter()
        .map(|section| {
            let rows: Vec<Value> = section
                .rows
                .iter()
                .map(|row| {
                    json!({
                        "header": "",
                        "title": row.title,
                        "description": row.description.as_deref().unwrap_or_default(),
                        "id": row.id,
                    })
                })
                .collect();
            json!({ "title": section.title, "highlight_label": "", "rows": rows })
        })
        .collect();
    named("single_select", json!({ "title": menu.button, "sections": sections }))
}

fn named(name: &str, params: Value) -> NativeFlowButton {
    NativeFlowButton { name: Some(name.to_owned()), button_params_json: Some(params.to_string()) }
}
