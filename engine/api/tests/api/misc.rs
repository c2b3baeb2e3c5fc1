//! Small tools: what they answer, to what, and what they refuse.

use crate::account::{ANNA, ME, MY_LID, NEWSLETTER, NOBODY, SQUAD, jid};
use crate::links::waiting_for_scan;
use crate::world::{ADMIN, BOB, World};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Cursor;
use tower::ServiceExt as _;
use warest_model::history::{Change, Contact, Label, Message, MessageStatus};
use warest_model::plan::MessageKey;
use warest_store::History as _;

/// A picture of one pixel as WhatsApp seals it, its key, and its hash.
pub const SEALED: &str = "xLnt3e0AT49HuHN54qAkY4qLjNAb5ZV1FXipZtAk/IyXR/KT49MQXtuNbCgMRFeUhHGIbM2V98OaPoDXrD/VIbgpYWDqf9dF0/EH8Ly2Yer6o05/X0i86nTN";
pub const SEALED_KEY: &str = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=";
pub const OPENED_SHA256: &str = "a3+kNPkqi4CqsC2b8aEuSf/K5CTkATocT2i2fj0rvNA=";

/// Messages of the history, in the chat with Anna.
pub const MINE: &str = "3EB0AAAAAAAAAA01";
pub const THEIRS: &str = "3EB0AAAAAAAAAA02";

/// A vote for `Green` in a poll with this key.
pub const POLL_KEY: &str = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=";

pub fn vote() -> Value {
    json!({
        "pollCreationMessageKey": {
            "id": "3EB0C2C010FFEE0",
            "remoteJid": "120363111111111111@g.us",
            "participant": "6281122334455@s.whatsapp.net",
        },
        "key": { "participant": "6281133344455@s.whatsapp.net" },
        "vote": {
            "encPayload": "RGcwXyoF0OWt0yMiXJVj41Se+tLxnhzv0bsgDOpJitoru9mQno98+z4Mbi7ITeRoomU=",
            "encIv": "YWJjZGVmZ2hpamts",
        },
        "senderTimestampMs": 1_714_552_200_123_i64,
    })
}

/// Puts the poll of that vote and a contact into the history.
pub async fn remember(world: &World) {
    let field = |number: u32, bytes: &[u8]| -> Vec<u8> {
        let tag = number << 3 | 2;
        let tag = if tag < 128 { vec![tag as u8] } else { vec![(tag & 127) as u8 | 128, (tag >> 7) as u8] };
        [tag, vec![bytes.len() as u8], bytes.to_vec()].concat()
    };
    let option = |name: &str| field(3, &field(1, name.as_bytes()));
    // One of two may be chosen.
    let poll = [field(2, b"Colour?"), option("Red"), option("Green"), vec![4 << 3, 1]].concat();
    let body = [field(49, &poll), field(35, &field(3, &[b'1'; 32]))].concat();
    let key = MessageKey {
        remote_jid: jid("120363111111111111@g.us"),
        from_me: false,
        id: "3EB0C2C010FFEE0".to_owned(),
        participant: Some(jid("6281122334455")),
    };
    let message = Message {
        sender: jid("6281122334455"),
        key,
        push_name: None,
        ts_ms: 1_700_000_000_000,
        content_type: "poll".to_owned(),
        text: "Colour?".to_owned(),
        body,
        media: None,
        quoted: None,
        mentions: Vec::new(),
        status: MessageStatus::Received,
        starred: false,
        edited_ms: None,
        revoked_ms: None,
        pinned_until_ms: None,
    };
    let text = |id: &str, from_me: bool| Message {
        key: MessageKey { remote_jid: jid(ANNA), from_me, id: id.to_owned(), participant: None },
        sender: jid(if from_me { ME } else { ANNA }),
        content_type: "text".to_owned(),
        text: "hello".to_owned(),
        ts_ms: world.engine.clock().now_ms(),
        // `conversation`.
        body: field(1, b"hello"),
        ..message.clone()
    };
    let (mine, theirs) = (text(MINE, true), text(THEIRS, false));
    let contact = Contact {
        jid: Some(jid(ANNA)),
        lid: Some(jid("111000@lid")),
        name: Some("Anna".to_owned()),
        verified_name: Some("Anna's Store".to_owned()),
        ..Contact::default()
    };
    let label = Label { id: "4".to_owned(), name: "Paid".to_owned(), color: 2 };
    let labelled = Change::Labelled { label: "4".to_owned(), chat: jid(ANNA), message: None, on: true };
    let changes = vec![
        Change::Message { message: Box::new(message), live: false },
        Change::Message { message: Box::new(mine), live: false },
        Change::Message { message: Box::new(theirs), live: true },
        Change::Contact(Box::new(contact)),
        Change::Label(label),
        labelled,
    ];
    world.store.apply(&"main".parse().unwrap(), changes).await.unwrap();
}

async fn data(world: &World, path: &str, body: Value) -> Value {
    let answer = world.post(&format!("/misc/{path}"), body).await;
    assert_eq!(answer.codes(), (200, 1000), "{path}: {}", answer.body);
    answer.body["results"][0]["data"].clone()
}

#[tokio::test]
async fn hashes_and_codes_are_those_that_clients_know() {
    let world = World::new().await;
    // As the contract's server answers them: what could be base64 is.
    for (path, body, expected) in [
        (
            "crypto/hash",
            json!({ "input": "hello" }),
            "d189b04b7cc2cb48b53e78045bc3bcd2e75718de0d18987123b9abd0b6c898a1",
        ),
        (
            "crypto/hash",
            json!({ "input": "hello", "algo": "sha512", "output": "base64" }),
            "h3A0Qke9NIyhdEAbe/MyNtJeDzC94St8qoXFxScgfWbe6PtWn5uRBVqQAyaOYwye/DwvAtCjbNm2ujIF8UuHuQ==",
        ),
        (
            "crypto/hash",
            json!({ "input": "hello", "output": "base64url" }),
            "0YmwS3zCy0i1PngEW8O80udXGN4NGJhxI7mr0LbImKE",
        ),
        (
            "crypto/hash",
            json!({ "input": "data:text/plain;base64,aGVsbG8=" }),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ),
        (
            "crypto/hash",
            json!({ "input": "hello", "encoding": "utf8" }),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ),
        ("crypto/hash", json!({ "input": "hello world", "algo": "md5" }), "5eb63bbbe01eeed093cb22bb8f5acdc3"),
        (
            "crypto/hmac",
            json!({ "input": "hello", "key": "k" }),
            "cf4aacd378d64ffe9a029314410e47e1b75b43384b12ac8dca736b2443899836",
        ),
        (
            "crypto/hmac",
            json!({ "input": "hello", "key": "k", "algo": "sha1", "output": "base64" }),
            "4IFzZg6PEWB87XijxhhNckOScBc=",
        ),
        ("base64", json!({ "input": "hello" }), "aGVsbG8="),
        ("base64", json!({ "action": "decode", "input": "aGVsbG8=" }), "hello"),
        (
            "base64",
            json!({ "action": "decode", "input": "aGVsbG8gd29ybGQhISE=", "output": "base64" }),
            "aGVsbG8gd29ybGQhISE=",
        ),
    ] {
        assert_eq!(data(&world, path, body.clone()).await, expected, "{path} {body}");
    }
    for (path, body, codes, message) in [
        ("crypto/hash", json!({}), (400, 2001), "input is required"),
        ("crypto/hash", json!({ "input": "x", "algo": "nope" }), (400, 2002), "Unsupported hash algorithm"),
        ("crypto/hmac", json!({ "input": "x" }), (400, 2001), "input and key are required"),
        ("base64", json!({}), (400, 2001), "input is required"),
        ("base64", json!({ "action": "decode", "input": "***" }), (400, 2002), "not base64"),
        ("base64", json!({ "action": "decode", "input": "/w==" }), (400, 2002), "no text"),
        ("crypto/hash", json!({ "input": "http://127.0.0.1/" }), (400, 2002), "public"),
        ("crypto/hash", json!({ "input": "https://example.com:22/" }), (400, 2002), "WAREST_EGRESS_PORTS"),
    ] {
        let answer = world.post(&format!("/misc/{path}"), body.clone()).await;
        assert_eq!(answer.codes(), codes, "{path} {body}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(message), "{}", answer.body);
    }
}

#[tokio::test]
async fn identifiers_are_made_and_told_apart() {
    let world = World::new().await;
    let made = async |body: Value| data(&world, "uuid/generate", body).await;
    let check = async |value: &Value| data(&world, "uuid/validate", json!({ "value": value })).await;
    for version in ["v1", "v4"] {
        let ids = made(json!({ "version": version, "count": 3 })).await;
        assert_eq!(ids.as_array().unwrap().len(), 3);
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
        assert_eq!(check(&ids[0]).await, json!({ "isValid": true, "type": "uuid", "version": version }));
    }
    let dns = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    let v5 = made(json!({ "version": "v5", "namespace": dns, "name": "warest" })).await;
    assert_eq!(v5[0], "2ecc32da-31e3-5676-bdfe-a8e492682ab5");
    let v3 = made(json!({ "version": "v3", "namespace": "dns", "name": "www.widgets.com" })).await;
    assert_eq!(v3[0], "3d813cbb-47fb-32ba-91df-831e1593ac29", "as RFC 9562 has it");
    assert_eq!(made(json!({ "version": "nil" })).await[0], "00000000-0000-0000-0000-000000000000");
    let ulid = made(json!({ "type": "ulid" })).await;
    assert_eq!(check(&ulid[0]).await, json!({ "isValid": true, "type": "ulid", "version": null }));
    let shaped = made(json!({ "type": "ulid", "format": "xxxx-XXXX_xx" })).await;
    let shape: String =
        shaped[0].as_str().unwrap().chars().map(|c| if c.is_ascii_alphanumeric() { 'x' } else { c }).collect();
    assert_eq!(shape, "xxxx-xxxx_xx");
    assert_eq!(check(&json!("nope")).await, json!({ "isValid": false, "type": "uuid", "version": null }));

    for body in [
        json!({ "count": 0 }),
        json!({ "count": 1_001 }),
        json!({ "version": "v3" }),
        json!({ "version": "v5", "namespace": "bad", "name": "n" }),
        json!({ "version": "v9" }),
        json!({ "format": "x".repeat(33) }),
    ] {
        assert_eq!(world.post("/misc/uuid/generate", body.clone()).await.codes(), (400, 2002), "{body}");
    }
    assert_eq!(world.post("/misc/uuid/validate", json!({})).await.codes(), (400, 2001));
}

/// What is behind a URL of the storage.
async fn stored(world: &World, url: &str) -> (String, Vec<u8>) {
    let request = Request::get(url).body(Body::empty()).unwrap();
    let response = world.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
}

#[tokio::test]
async fn a_text_is_drawn_as_a_code_in_every_format() {
    let world = World::new().await;
    let post = async |target: &str, body: Value| world.post(&format!("/misc/convert-string-toqr/{target}"), body).await;
    let inline = post("base64", json!({ "string": "hello warest" })).await;
    assert_eq!(inline.body["message"], "String converted to QR-friendly PNG (base64 data URI)");
    assert!(inline.body["results"][0]["data"].as_str().unwrap().starts_with("data:image/png;base64,iVBORw0KGgo"));
    assert_eq!(inline.body["results"][0]["meta"]["mode"], "dataurl");
    for (target, mime, start) in [
        ("png", "image/png", &b"\x89PNG"[..]),
        ("jpg", "image/jpeg", b"\xff\xd8\xff"),
        ("jpeg", "image/jpeg", b"\xff\xd8\xff"),
        ("webp", "image/webp", b"RIFF"),
        ("svg", "image/svg+xml", b"<?xml"),
    ] {
        let drawn = post(target, json!({ "string": "hello warest" })).await;
        let result = &drawn.body["results"][0];
        assert_eq!((&result["meta"]["mode"], &result["meta"]["temporary"]), (&json!("url"), &json!(true)), "{target}");
        let (kind, bytes) = stored(&world, result["data"].as_str().unwrap()).await;
        assert_eq!(kind, mime, "{target}");
        assert!(bytes.starts_with(start), "{target}");
    }
    // An administrator without a session has no place for files.
    let nowhere = world.call(ADMIN, "POST", "/misc/convert-string-toqr/png", Some(json!({ "string": "x" }))).await;
    assert!(nowhere.body["results"][0]["data"].as_str().unwrap().starts_with("data:image/png"));

    let gif = post("gif", json!({ "string": "x" })).await;
    assert_eq!(gif.codes(), (400, 2002));
    assert_eq!(gif.body["message"], "Unsupported target format; use base64, svg, png, jpg, jpeg, or webp");
    assert_eq!(post("png", json!({})).await.codes(), (400, 2001));
    assert_eq!(post("png", json!({ "string": "x".repeat(2_954) })).await.codes(), (400, 2002));
    assert_eq!(post("png", json!({ "string": "zz", "encoding": "hex" })).await.codes(), (400, 2002));
    assert_eq!(post("png", json!({ "string": "x", "sessionId": "theirs" })).await.codes(), (403, 2201));
}

#[tokio::test]
async fn what_is_kept_is_behind_a_url_or_an_id_of_ones_own() {
    let world = World::new().await;
    let decode = async |output: &str| {
        let body = json!({ "action": "decode", "input": "aGVsbG8gd29ybGQhISE=", "output": output });
        let answer = world.post("/misc/base64", body).await;
        assert_eq!(answer.codes(), (200, 1000), "{}", answer.body);
        answer.body["results"][0].clone()
    };
    let by_url = decode("url").await;
    assert_eq!(by_url["meta"]["url"], by_url["data"]);
    assert_eq!(stored(&world, by_url["data"].as_str().unwrap()).await.1, b"hello world!!!");
    let by_id = decode("file").await;
    let path = format!("/media/{}", by_id["data"].as_str().unwrap());
    assert_eq!(world.get(&path).await.body, "hello world!!!");
    assert_eq!(world.call(BOB, "GET", &path, None).await.codes(), (403, 2201));
    let body = json!({ "action": "decode", "input": "aGk=", "output": "url" });
    assert_eq!(world.call(ADMIN, "POST", "/misc/base64", Some(body)).await.codes(), (400, 2005));
}

/// A picture, as a data URL.
fn picture(width: u32, height: u32) -> String {
    let picture = image::RgbImage::from_pixel(width, height, image::Rgb([20, 200, 40]));
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    format!("data:image/png;base64,{}", STANDARD.encode(png.into_inner()))
}

fn opened(data: &Value) -> image::DynamicImage {
    let bytes = data.as_str().unwrap().split_once(";base64,").unwrap().1;
    image::load_from_memory(&STANDARD.decode(bytes).unwrap()).unwrap()
}

#[tokio::test]
async fn images_are_made_small_and_changed() {
    let world = World::new().await;
    let small =
        data(&world, "media/thumbnail", json!({ "file": picture(800, 400), "type": "image", "width": 64 })).await;
    let shown = opened(&small[0]["thumbnail"]);
    assert_eq!((shown.width(), shown.height()), (64, 32));
    assert_eq!(small[0]["meta"]["mimetype"], "image/jpeg");
    assert_eq!((&small[0]["meta"]["width"], &small[0]["meta"]["height"]), (&json!(64), &json!(32)));

    let actions = json!({ "convert": "webp", "resize": { "width": 100, "height": 100, "fit": "cover" }, "compress": { "quality": 50 } });
    let changed = world.post("/misc/media/image", json!({ "file": picture(800, 400), "actions": actions })).await;
    assert_eq!(changed.codes(), (200, 1000), "{}", changed.body);
    let result = &changed.body["results"][0];
    assert_eq!((&result["details"]["format"], &result["details"]["width"]), (&json!("webp"), &json!(100)));
    assert_eq!(result["actionsPerformed"], json!({ "converted": true, "resized": true, "compressed": true }));
    assert_eq!(opened(&result["data"]).height(), 100);
    let kept = world.post("/misc/media/image", json!({ "file": picture(8, 4), "output": "url" })).await;
    let kept = &kept.body["results"][0];
    assert_eq!(kept["actionsPerformed"]["converted"], false);
    assert_eq!(stored(&world, kept["data"].as_str().unwrap()).await.0, "image/png");

    for (path, body, codes) in [
        ("thumbnail", json!({ "file": picture(8, 8) }), (400, 2002)),
        ("thumbnail", json!({ "type": "image" }), (400, 2001)),
        ("thumbnail", json!({ "file": picture(8, 8), "type": "video" }), (400, 2002)),
        ("thumbnail", json!({ "file": picture(8, 8), "type": "image", "width": 0 }), (400, 2002)),
        ("thumbnail", json!({ "file": picture(8, 8), "type": "image", "count": 11 }), (400, 2002)),
        ("image", json!({}), (400, 2001)),
        ("image", json!({ "file": "not an image" }), (415, 5502)),
        ("image", json!({ "file": "no.image" }), (400, 2002)),
        ("image", json!({ "file": "AAAAAAAA" }), (415, 5502)),
        ("image", json!({ "file": picture(8, 8), "actions": { "convert": "exe" } }), (400, 2002)),
        ("image", json!({ "file": picture(8, 8), "actions": { "compress": { "quality": 101 } } }), (400, 2002)),
        ("image", json!({ "file": picture(8, 8), "actions": { "resize": { "width": 9_000 } } }), (400, 2002)),
        ("image", json!({ "file": picture(8, 8), "actions": { "resize": { "width": 5, "fit": "odd" } } }), (400, 2002)),
    ] {
        let answer = world.post(&format!("/misc/media/{path}"), body.clone()).await;
        assert_eq!(answer.codes(), codes, "{path} {body}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_sealed_file_is_opened_with_its_key_alone() {
    let world = World::new().await;
    let body = json!({ "mediaKey": SEALED_KEY, "file": SEALED, "fileSha256": OPENED_SHA256 });
    let opened = world.post("/misc/whatsapp/file-decrypt", body).await;
    assert_eq!(opened.codes(), (200, 1000), "{}", opened.body);
    let result = &opened.body["results"][0];
    let bytes = result["data"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
    assert!(STANDARD.decode(bytes).unwrap().starts_with(b"\x89PNG"));
    assert_eq!((&result["meta"]["mimeType"], &result["meta"]["size"]), (&json!("image/png"), &json!(70)));
    let mut broken = SEALED.to_owned();
    broken.replace_range(0..1, "y");
    for (body, codes, message) in [
        (json!({ "mediaKey": "AAAA" }), (400, 2001), "Encrypted file is required"),
        (json!({ "file": "AAAA" }), (400, 2001), "mediaKey is required"),
        (json!({ "mediaKey": "MDAwMDAwMDA=", "file": "AAAA" }), (400, 2002), "mediaKey is invalid"),
        (json!({ "mediaKey": SEALED_KEY, "file": "AAAA" }), (400, 2002), "Encrypted payload is too small"),
        (json!({ "mediaKey": SEALED_KEY, "file": broken }), (400, 2002), "does not open this file"),
        (json!({ "mediaKey": SEALED_KEY, "file": SEALED, "fileSha256": SEALED_KEY }), (400, 2002), "SHA-256"),
        (json!({ "mediaKey": SEALED_KEY, "file": "/etc/hostname..." }), (400, 2002), "data URL"),
    ] {
        let answer = world.post("/misc/whatsapp/file-decrypt", body.clone()).await;
        assert_eq!(answer.codes(), codes, "{body}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(message), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_vote_is_opened_with_the_polls_key() {
    let world = World::new().await;
    let path = "/misc/whatsapp/poll-update-vote";
    for who in [json!({ "sessionId": "main" }), json!({ "sessionPhone": ME })] {
        let mut body = who;
        body["pollEncKey"] = json!(POLL_KEY);
        body["pollUpdateVote"] = vote();
        let opened = world.post(path, body).await;
        assert_eq!(opened.codes(), (200, 1000), "{}", opened.body);
        let result = &opened.body["results"][0];
        assert_eq!(
            result["votedOptionHashes"],
            json!(["d486dfbd5fb578340bccbdd0a662527eab38550648d5f44517e5ac71b8824703"])
        );
        assert_eq!(result["voterJid"], "6281133344455@s.whatsapp.net");
        assert_eq!(result["timestampMs"], 1_714_552_200_123.0);
    }
    let unknown = json!({ "sessionId": "main", "pollUpdateVote": vote() });
    assert_eq!(world.post(path, unknown.clone()).await.codes(), (404, 2601));
    remember(&world).await;
    let named = world.post(path, unknown).await;
    let result = &named.body["results"][0];
    assert_eq!((&result["pollTitle"], &result["selectableOptionsCount"]), (&json!("Colour?"), &json!(1)));
    assert_eq!((&result["votedOptionIndexes"], &result["votedOptionNames"]), (&json!([1]), &json!(["Green"])));
    assert_eq!(result["pollOptions"][0], json!({ "index": 0, "name": "Red" }));

    let mut other = vote();
    other["key"]["participant"] = json!(ANNA);
    for (body, codes) in [
        (json!({}), (400, 2001)),
        (json!({ "pollUpdateVote": { "vote": { "encPayload": "AAAA", "encIv": "AAAA" } } }), (400, 2002)),
        (json!({ "pollUpdateVote": vote() }), (400, 2001)),
        (json!({ "sessionId": "main", "pollUpdateVote": vote(), "pollMsgId": "UNKNOWN" }), (404, 2601)),
        (json!({ "sessionId": "main", "pollUpdateVote": other, "pollEncKey": POLL_KEY }), (400, 2002)),
        (json!({ "sessionId": "main", "pollUpdateVote": vote(), "pollEncKey": "AAAA" }), (400, 2002)),
        (json!({ "sessionPhone": "628000000", "pollUpdateVote": vote() }), (404, 1101)),
        (json!({ "sessionId": "theirs", "pollUpdateVote": vote() }), (403, 2201)),
    ] {
        assert_eq!(world.post(path, body.clone()).await.codes(), codes, "{body}");
    }
}

#[tokio::test]
async fn numbers_and_addresses_are_looked_up_by_any_open_account() {
    let world = World::new().await;
    let phone = data(&world, "whatsapp/validate/phone", json!({ "phone": "0811-0000-0001" })).await;
    assert_eq!(
        (&phone["exists"], &phone["e164"], &phone["country"]),
        (&json!(true), &json!("+6281100000001"), &json!("ID"))
    );
    assert_eq!((&phone["jid"], &phone["lid"]), (&json!("6281100000001@s.whatsapp.net"), &json!("111000@lid")));
    let german = data(&world, "whatsapp/validate/phone", json!({ "phone": "0151 23456789", "country": "DE" })).await;
    assert_eq!(
        (&german["e164"], &german["country"], &german["isValid"]),
        (&json!("+4915123456789"), &json!("DE"), &json!(true))
    );
    let nobody = data(&world, "whatsapp/validate/phone", json!({ "phone": NOBODY, "sessionId": "main" })).await;
    assert_eq!(nobody["exists"], false);

    for (jid, exists, kind) in [
        (format!("{ANNA}@s.whatsapp.net"), true, "user"),
        (NOBODY.to_owned(), false, "user"),
        ("111000@lid".to_owned(), true, "lid"),
        ("5@lid".to_owned(), false, "lid"),
        (SQUAD.to_owned(), true, "group"),
        ("1@g.us".to_owned(), false, "group"),
        (NEWSLETTER.to_owned(), true, "newsletter"),
        ("status@broadcast".to_owned(), true, "status"),
        ("nonsense".to_owned(), false, "unknown"),
    ] {
        let found = data(&world, "whatsapp/validate/jid", json!({ "jid": jid })).await;
        assert_eq!(found, json!({ "exists": exists, "type": kind }), "{jid}");
    }
    for (input, jid, lid, kind) in [
        (ME, json!(format!("{ME}@s.whatsapp.net")), json!(MY_LID), "jid"),
        ("lid:111000", json!(format!("{ANNA}@s.whatsapp.net")), json!("111000@lid"), "lid"),
        ("5@lid", Value::Null, json!("5@lid"), "lid"),
        (SQUAD, json!(SQUAD), Value::Null, "group"),
        ("lid:abcd", Value::Null, Value::Null, "unknown"),
    ] {
        let found = data(&world, "whatsapp/resolve/jid-or-lid", json!({ "input": input })).await;
        assert_eq!((&found["jid"], &found["lid"], &found["type"]), (&jid, &lid, &json!(kind)), "{input}");
        assert_eq!(found["isValid"], kind != "unknown");
    }
}

#[tokio::test]
async fn without_an_open_session_of_ones_own_nobody_is_asked() {
    let world = World::new().await;
    world.links.put("main", waiting_for_scan(i64::MAX / 2));
    for (path, field, value) in
        [("validate/phone", "phone", ANNA), ("validate/jid", "jid", ANNA), ("resolve/jid-or-lid", "input", ANNA)]
    {
        let path = format!("/misc/whatsapp/{path}");
        let unnamed = world.post(&path, json!({ field: value })).await;
        assert_eq!(unnamed.codes(), (404, 1101), "{path}: bob's is open, but not alice's");
        assert_eq!(unnamed.body["message"], "No active session available");
        let named = world.post(&path, json!({ field: value, "sessionId": "main" })).await;
        assert_eq!((named.codes(), &named.body["message"]), ((409, 1106), &json!("Session is not ready")), "{path}");
        assert_eq!(world.post(&path, json!({ field: value, "sessionId": "unknown" })).await.codes(), (404, 1101));
        assert_eq!(world.post(&path, json!({})).await.codes(), (400, 2001), "{path}");
        let his = world.call(BOB, "POST", &path, Some(json!({ field: value }))).await;
        assert_eq!(his.codes(), (200, 1000), "{path}");
    }
    let abc = world.post("/misc/whatsapp/validate/phone", json!({ "phone": "abc" })).await;
    assert_eq!(abc.codes(), (400, 2002));
}
