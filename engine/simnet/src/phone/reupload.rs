//! Files that have expired: a companion asks its phone (`server-error` receipt, sealed with the
//! file's key), the phone uploads its copy again, and the companion is told the new path
//! (`mediaretry` notification, sealed the same way).

use super::attachment::{Attachment, attachment};
use crate::account::{Account, Device};
use crate::chance::now;
use crate::media::cipher;
use crate::network::Network;
use crate::server::node;
use wacore::crypto::hkdf_sha256_into;
use wacore::media_retry::decrypt_media_retry_notification;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::crypto::aes_256_gcm_encrypt;
use waproto::buffa::Message as _;
use waproto::whatsapp::{self as wa, media_retry_notification::ResultType};

/// What the key for these notes is derived with.
const PURPOSE: &[u8] = b"WhatsApp Media Retry Notification";

/// Why the phone did not upload again, as clients know it.
#[derive(Clone, Copy)]
enum Refusal {
    NotFound = 2,
    Decryption = 3,
}

/// Answers a companion's request for the file of message `id`.
pub(crate) fn answer(net: &Network, account: &Account, companion: &Device, id: &str, receipt: &Node) {
    let answer = match again(net, account, id, receipt) {
        Ok(sealed) => sealed,
        Err(refusal) => NodeBuilder::new("error").attr("code", refusal as u16).build(),
    };
    net.stats.count("media.retries");
    let mut children = vec![answer];
    children.extend(receipt.get_optional_child("rmr").cloned());
    companion.queue.push(
        NodeBuilder::new("notification")
            .attr("from", account.pn_jid())
            .attr("id", id)
            .attr("type", "mediaretry")
            .attr("t", now())
            .children(children)
            .build(),
    );
}

fn again(net: &Network, account: &Account, id: &str, receipt: &Node) -> Result<Node, Refusal> {
    let shown = account.primary.inbox.find(id).ok_or(Refusal::NotFound)?;
    let message = shown.decoded().ok_or(Refusal::NotFound)?;
    let Attachment { kind, direct_path, media_key, .. } = attachment(&message, false).ok_or(Refusal::NotFound)?;
    let key = media_key.ok_or(Refusal::NotFound)?;
    let sealed = receipt.get_optional_child("encrypt").ok_or(Refusal::Decryption)?;
    let part = |tag| sealed.get_optional_child(tag).and_then(node::bytes).ok_or(Refusal::Decryption);
    // The request is sealed as the answer is.
    decrypt_media_retry_notification(&key, id, part("enc_iv")?, part("enc_p")?).map_err(|_| Refusal::Decryption)?;
    let path = cipher::renew(net, direct_path.as_deref().unwrap_or_default(), kind).ok_or(Refusal::NotFound)?;
    let note = wa::MediaRetryNotification {
        stanza_id: Some(id.to_owned()),
        direct_path: Some(path),
        result: Some(ResultType::SUCCESS),
        ..Default::default()
    };
    seal(net, &key, id, &note.encode_to_vec()).ok_or(Refusal::Decryption)
}

fn seal(net: &Network, media_key: &[u8], id: &str, plain: &[u8]) -> Option<Node> {
    let mut key = [0; 32];
    hkdf_sha256_into(media_key, None, PURPOSE, &mut key).ok()?;
    let iv = net.chance.bytes::<12>();
    let mut sealed = Vec::new();
    aes_256_gcm_encrypt(&key, &iv, id.as_bytes(), plain, &mut sealed).ok()?;
    let parts =
        [NodeBuilder::new("enc_p").bytes(sealed).build(), NodeBuilder::new("enc_iv").bytes(iv.to_vec()).build()];
    Some(NodeBuilder::new("encrypt").children(parts).build())
}
