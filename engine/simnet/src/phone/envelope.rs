//! What a message's stanza says of its content beside the ciphertext: the `type`, the `edit`
//! attribute, the `mediatype` of each copy and the `<meta>` child. It follows from the content
//! alone, whoever the recipients are.

use super::store::Sealed;
use wacore::send::{media_type_from_message, should_hide_decrypt_fail_for_send, stanza_type_from_message};
use wacore::types::message::EditAttribute;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

/// The outside of a message.
pub(crate) struct Envelope {
    /// The stanza's `type`.
    pub(crate) kind: &'static str,
    /// The stanza's `edit`.
    pub(crate) edit: Option<String>,
    media: Option<&'static str>,
    hidden: bool,
    meta: Option<Node>,
}

impl Envelope {
    /// The outside of `message`.
    pub(crate) fn of(message: &wa::Message) -> Self {
        let edit = EditAttribute::infer_from_message(message);
        Self {
            kind: stanza_type_from_message(message),
            media: media_type_from_message(message),
            hidden: should_hide_decrypt_fail_for_send(edit.as_ref(), message),
            meta: meta(message),
            edit: edit.map(|edit| edit.to_string_val().to_owned()).filter(|edit| !edit.is_empty()),
        }
    }

    /// One device's copy: its `<enc>`, marked as the answer to retry `count`, and the `<meta>`.
    pub(crate) fn copy(&self, sealed: Sealed, count: u64) -> Vec<Node> {
        std::iter::once(self.enc(sealed, count)).chain(self.meta.clone()).collect()
    }

    /// The `<meta>`.
    pub(crate) fn meta(&self) -> Option<&Node> {
        self.meta.as_ref()
    }

    /// An `<enc>`, marked as the answer to retry `count`.
    pub(crate) fn enc(&self, sealed: Sealed, count: u64) -> Node {
        let mut enc = NodeBuilder::new("enc").attr("v", "2").attr("type", sealed.kind);
        if let Some(media) = self.media {
            enc = enc.attr("mediatype", media);
        }
        if self.hidden {
            enc = enc.attr("decrypt-fail", "hide");
        }
        if count > 0 {
            enc = enc.attr("count", count);
        }
        enc.bytes(sealed.bytes).build()
    }
}

fn meta(message: &wa::Message) -> Option<Node> {
    let polls = message.poll_creation_message.is_set()
        || message.poll_creation_message_v2.is_set()
        || message.poll_creation_message_v3.is_set();
    let vote = message.poll_update_message.as_option().is_some_and(|update| update.vote.is_set());
    let meta = NodeBuilder::new("meta");
    if polls {
        return Some(meta.attr("polltype", "creation").build());
    }
    if vote {
        return Some(meta.attr("polltype", "vote").build());
    }
    super::describe::unwrap(message).view_once.then(|| meta.attr("view_once", "true").build())
}
