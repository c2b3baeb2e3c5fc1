//! Files between the real client and the phones, through the media host: byte for byte, large and
//! small, and what goes wrong on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io::Read as _;
use std::sync::Arc;
use support::{ALICE, BOB, network, paired, shown_id, wait_for};
use wacore::download::MediaType;
use wacore_binary::Jid;
use waproto::buffa::MessageField;
use waproto::whatsapp::{self as wa, message::DocumentMessage, message::ImageMessage};
use warest_simnet::{Direction, Fault, FaultKind, MediaFault, SimnetHandle};
use whatsapp_rust::UploadOptions;
use whatsapp_rust::features::{MediaRetryResult, MediaReuploadRequest};
use whatsapp_rust::upload::UploadResponse;

/// Bytes that compress badly and differ everywhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn image(up: &UploadResponse) -> ImageMessage {
    ImageMessage {
        url: Some(up.url.clone()),
        direct_path: Some(up.direct_path.clone()),
        media_key: Some(up.media_key.to_vec()),
        file_sha256: Some(up.file_sha256.to_vec()),
        file_enc_sha256: Some(up.file_enc_sha256.to_vec()),
        file_length: Some(up.file_length),
        mimetype: Some("image/jpeg".into()),
        width: Some(640),
        height: Some(480),
        jpeg_thumbnail: Some(vec![0xff, 0xd8, 0xff, 0xd9]),
        caption: Some("from the companion".into()),
        ..Default::default()
    }
}

fn message(image: ImageMessage) -> wa::Message {
    wa::Message { image_message: MessageField::some(image), ..Default::default() }
}

async fn file(net: &SimnetHandle, phone: &str, id: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    net.media(phone, id).await.unwrap().1.read_to_end(&mut bytes).unwrap();
    bytes
}

async fn problem(net: &SimnetHandle, phone: &str, id: &str) -> String {
    let error = net.media(phone, id).await.expect_err("the phone should not get the file");
    assert_eq!(error.status(), 422, "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_from_a_companion_arrives_byte_for_byte_with_what_was_said_of_it() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let bytes = noise(100_003);
    let client = companion.client();
    let up = client.upload(bytes.clone(), MediaType::Image, UploadOptions::new()).await.unwrap();
    assert!(up.url.starts_with(&format!("https://{}/v/", net.media_host())), "{}", up.url);
    let sent = client.send_message(Jid::pn(BOB), message(image(&up))).await.unwrap();
    let shown = shown_id(&net, BOB, &sent.message_id).await;
    assert_eq!((shown.kind.as_str(), shown.text.as_str()), ("image", "from the companion"));
    assert_eq!(file(&net, BOB, &sent.message_id).await, bytes);
    // The own phone gets it too.
    shown_id(&net, ALICE, &sent.message_id).await;
    assert_eq!(file(&net, ALICE, &sent.message_id).await, bytes);
    let info = net.media_info(BOB, &sent.message_id).await.unwrap();
    assert_eq!((info.width, info.height, info.length, info.thumbnail), (Some(640), Some(480), 100_003, 4));
    assert!(info.problems.is_empty(), "{:?}", info.problems);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_streams_both_ways() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let client = companion.client();
    let bytes = noise(20 << 20);

    let mut sealed = Vec::new();
    let info = wacore::upload::encrypt_media_streaming(bytes.as_slice(), &mut sealed, MediaType::Document).unwrap();
    let sealed: Arc<[u8]> = sealed.into();
    let up = client.upload_stream(sealed, info, MediaType::Document).await.unwrap();
    let document = DocumentMessage {
        direct_path: Some(up.direct_path.clone()),
        media_key: Some(up.media_key.to_vec()),
        file_sha256: Some(up.file_sha256.to_vec()),
        file_enc_sha256: Some(up.file_enc_sha256.to_vec()),
        file_length: Some(up.file_length),
        mimetype: Some("application/pdf".into()),
        file_name: Some("large.pdf".into()),
        ..Default::default()
    };
    let outgoing = wa::Message { document_message: MessageField::some(document), ..Default::default() };
    let sent = client.send_message(Jid::pn(BOB), outgoing).await.unwrap();
    shown_id(&net, BOB, &sent.message_id).await;
    assert!(file(&net, BOB, &sent.message_id).await == bytes);
    assert_eq!(net.media_info(BOB, &sent.message_id).await.unwrap().file_name.as_deref(), Some("large.pdf"));

    let chunks = bytes.chunks(1 << 16).map(|chunk| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(chunk)));
    let draft = net.upload(BOB, futures::stream::iter(chunks.collect::<Vec<_>>())).await.unwrap();
    assert_eq!(draft.bytes, 20 << 20);
    let content = json!({ "upload": draft.upload, "fileName": "back.bin", "mimetype": "application/x-noise" });
    let sent = net.write(BOB, json!({ "to": ALICE, "document": content })).await.unwrap();
    let got = companion.message(&sent.id).await;
    let document = got.message.document_message.as_option().unwrap();
    assert_eq!(document.file_name.as_deref(), Some("back.bin"));
    let written = client.download_to_writer(document, std::io::Cursor::new(Vec::new())).await.unwrap();
    assert!(written.into_inner() == bytes);
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_refuses_a_file_that_is_not_what_the_message_says() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let client = companion.client();
    let up = client.upload(noise(5_000), MediaType::Image, UploadOptions::new()).await.unwrap();
    type Spoil = fn(&mut ImageMessage);
    let cases: [(&str, Spoil); 6] = [
        ("fileSha256", |image| image.file_sha256 = Some(vec![7; 32])),
        ("fileEncSha256", |image| image.file_enc_sha256 = Some(vec![7; 32])),
        ("fileLength", |image| image.file_length = Some(4_999)),
        ("decrypted", |image| image.media_key = Some(vec![7; 32])),
        ("jpegThumbnail", |image| image.jpeg_thumbnail = None),
        ("404", |image| image.direct_path = Some("/v/t62.7118-24/nothing.enc?oh=00&oe=FFFFFFFF".into())),
    ];
    for (expected, spoil) in cases {
        let mut image = image(&up);
        spoil(&mut image);
        let sent = client.send_message(Jid::pn(BOB), message(image)).await.unwrap();
        shown_id(&net, BOB, &sent.message_id).await;
        let reason = problem(&net, BOB, &sent.message_id).await;
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_file_is_uploaded_again_by_the_phone_when_its_companion_asks() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let bytes = noise(40_000);
    let content = json!({ "data": STANDARD.encode(&bytes), "width": 10, "height": 20 });
    let sent = net.write(BOB, json!({ "to": ALICE, "image": content, "caption": "soon gone" })).await.unwrap();
    let got = companion.message(&sent.id).await;
    let client = companion.client();
    let mut image = got.message.image_message.as_option().unwrap().clone();
    assert_eq!(client.download(&image).await.unwrap(), bytes);

    net.expire_media(BOB, &sent.id).await.unwrap();
    let error = client.download(&image).await.expect_err("the file has expired");
    assert!(error.to_string().contains("410"), "{error}");

    shown_id(&net, ALICE, &sent.id).await;
    let chat: Jid = got.chat.parse().unwrap();
    let request = MediaReuploadRequest {
        msg_id: &sent.id,
        chat_jid: &chat,
        media_key: image.media_key.as_deref().unwrap(),
        is_from_me: false,
        participant: None,
    };
    let answer = client.media_reupload().request(&request).await.unwrap();
    let MediaRetryResult::Success { direct_path } = answer else { panic!("{answer:?}") };
    image.direct_path = Some(direct_path);
    assert_eq!(client.download(&image).await.unwrap(), bytes);
    companion.stop().await;
}

fn spoiled(how: MediaFault, direction: Direction, code: Option<u16>) -> Fault {
    Fault { how: Some(how), code, direction: Some(direction), ms: Some(1), ..Fault::new(FaultKind::Media, ALICE, 1) }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_spoil_a_transfer_as_often_as_told() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let client = companion.client();
    let bytes = noise(200_000);
    for fault in
        [spoiled(MediaFault::Status, Direction::Out, Some(507)), spoiled(MediaFault::Truncate, Direction::Out, None)]
    {
        net.add_fault(fault.clone()).await.unwrap();
        let failed = client.upload(bytes.clone(), MediaType::Image, UploadOptions::new()).await;
        assert!(failed.is_err(), "{fault:?}");
    }
    // A token that has run out is asked for again.
    net.add_fault(spoiled(MediaFault::Status, Direction::Out, Some(401))).await.unwrap();
    let up = client.upload(bytes.clone(), MediaType::Image, UploadOptions::new()).await.unwrap();
    let image = image(&up);
    for fault in [
        spoiled(MediaFault::Status, Direction::In, Some(500)),
        spoiled(MediaFault::Truncate, Direction::In, None),
        spoiled(MediaFault::Corrupt, Direction::In, None),
    ] {
        net.add_fault(fault.clone()).await.unwrap();
        assert!(client.download(&image).await.is_err(), "{fault:?}");
    }
    net.add_fault(spoiled(MediaFault::Stall, Direction::In, None)).await.unwrap();
    assert_eq!(client.download(&image).await.unwrap(), bytes);
    assert!(net.faults().await.is_empty());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_broke_off_goes_on_where_it_was() {
    let net = network().await;
    let mut companion = paired(&net, ALICE).await;
    let client = companion.client();
    let bytes = noise(6 << 20);
    net.add_fault(spoiled(MediaFault::Truncate, Direction::Out, None)).await.unwrap();
    let options = UploadOptions::new().with_media_key([9; 32]);
    assert!(client.upload(bytes.clone(), MediaType::Video, options.clone()).await.is_err());
    wait_for("the broken upload", async || {
        (net.stats().await.counters.get("media.broken_off") == Some(&1)).then_some(())
    })
    .await;
    // The same key makes the same ciphertext, so the host knows it again.
    let up = client.upload(bytes.clone(), MediaType::Video, options.clone()).await.unwrap();
    let image = ImageMessage { direct_path: Some(up.direct_path.clone()), ..image(&up) };
    let stored = reqwest_get(&net, image.direct_path.as_deref().unwrap(), "bytes=0-9").await;
    assert_eq!((stored.0, stored.1.len()), (206, 10));
    let again = client.upload(bytes, MediaType::Video, options).await.unwrap();
    assert_eq!(net.stats().await.counters["media.uploads"], 1, "a complete upload is not sent again");
    assert_eq!(again.file_enc_sha256, up.file_enc_sha256);
    companion.stop().await;
}

async fn reqwest_get(net: &SimnetHandle, path: &str, range: &str) -> (u16, Vec<u8>) {
    let client = support::http::client(net.media_certificate());
    let url = format!("https://{}{path}", net.media_host());
    let response = client.get(url).header("range", range).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn nobody_uploads_without_a_token() {
    let net = network().await;
    let client = support::http::client(net.media_certificate());
    let url = format!("https://{}/mms/image/AAAA?auth=491511111111.99999999999.00&token=AAAA", net.media_host());
    let response = client.post(url).body("x").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
}
