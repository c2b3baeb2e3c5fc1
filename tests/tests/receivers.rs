#![allow(clippy::unwrap_used, missing_docs)]
//! The receivers of `examples/` against the real binary, and against those who
//! would pass for it.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Sha224, Sha256, Sha512};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use warest_tests::{Engine, EngineOptions, LANGUAGES, Network, Receiver, client};

const SECRET: &str = "s3cret";
const ANA: &str = "6281100000002";

/// Every receiver whose runtime is here. `tests/run` installs them all.
async fn receivers(scratch: &Path) -> Vec<Receiver> {
    let mut found = Vec::new();
    for language in LANGUAGES {
        match Receiver::example(language, SECRET, scratch).await.unwrap() {
            Some(receiver) => found.push(receiver),
            None => println!("{language} is not installed"),
        }
    }
    let all = std::env::var("WAREST_RECEIVERS").is_ok_and(|wanted| wanted == "all");
    assert!(!all || found.len() == LANGUAGES.len(), "a runtime is missing");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn they_verify_deliveries_of_every_signature_length() {
    let scratch = tempfile::tempdir().unwrap();
    let receivers = receivers(scratch.path()).await;
    let urls: Vec<&str> = receivers.iter().map(|receiver| receiver.url.as_str()).collect();
    for bits in ["224", "256", "384", "512"] {
        let network = Network::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let env = vec![("WAREST_WEBHOOK_SIGNATURE_SHA2".to_owned(), bits.to_owned())];
        let engine = Engine::start(&network, folder.path(), &EngineOptions { env }).unwrap();
        let bot = "6281100000001";
        engine.pair(&network, "shop", bot).await.unwrap();
        network.phone(ANA).await.unwrap();

        let wrong = json!({"sessionId": "shop", "url": urls, "secret": "another"});
        let refused = engine.api(Method::POST, "/webhook/preflight", Some(wrong)).await.unwrap();
        let results = refused.body["results"].as_array().unwrap();
        assert_eq!(results.len(), receivers.len(), "{refused:?}");
        for (result, receiver) in results.iter().zip(&receivers) {
            assert_eq!(
                (&result["ok"], &result["status"]),
                (&json!(false), &json!(401)),
                "{} {bits}",
                receiver.language
            );
        }

        let config = json!({"webhookUrl": urls, "webhookSecret": SECRET, "preflight": true});
        let set = engine.api(Method::POST, "/session/shop/config", Some(config)).await.unwrap();
        assert_eq!(set.status, 200, "{bits}: {set:?}");
        network.say(ANA, bot, "ping").await.unwrap();
        for receiver in &receivers {
            network.wait_text(ANA, &format!("pong from {}", receiver.language)).await.unwrap();
        }
    }
}

/// A request as the engine would sign it.
struct Forged {
    algorithm: &'static str,
    signature: String,
    stamp: i64,
    body: String,
}

fn mac<M: Mac + KeyInit>(key: &str, body: &str) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

impl Forged {
    fn genuine(id: &str, text: &str) -> Self {
        let data = json!({"eventId": id, "chatId": "x", "text": text});
        let body = json!({"event": "message_received", "data": data, "ts": now_ms()}).to_string();
        let signature = format!("HMAC-SHA256={}", mac::<Hmac<Sha256>>("s3cretadmin", &body));
        Self { algorithm: "HMAC-SHA256", signature, stamp: now_ms(), body }
    }

    async fn post(&self, receiver: &Receiver) -> (u16, Value) {
        let request = client().unwrap().post(&receiver.url).body(self.body.clone());
        let request = request.header("x-warest-signature", &self.signature);
        let request = request.header("x-warest-signature-alg", self.algorithm);
        let answer = request.header("x-warest-timestamp", self.stamp).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }
}

#[tokio::test]
async fn they_refuse_what_is_forged_or_stale_and_repeat_their_answers() {
    let scratch = tempfile::tempdir().unwrap();
    let id = |number: u32| format!("evt_01ARZ3NDEKTSV4RRFFQ69G5{number:03}");
    for receiver in receivers(scratch.path()).await {
        let language = receiver.language;
        let (status, first) = Forged::genuine(&id(1), "ping").post(&receiver).await;
        assert_eq!(status, 200, "{language}");
        assert_eq!(first["actions"][0]["text"], format!("pong from {language}"), "{first}");
        // The same event again, although it reads otherwise now.
        assert_eq!(Forged::genuine(&id(1), "other").post(&receiver).await, (200, first), "{language}");
        let (status, other) = Forged::genuine(&id(2), "other").post(&receiver).await;
        assert_eq!((status, other.get("actions")), (200, None), "{language}");

        let genuine = || Forged::genuine(&id(3), "ping");
        let signed = |signature: String| Forged { signature, ..genuine() };
        let minutes = |minutes: i64| Forged { stamp: now_ms() + minutes * 60_000, ..genuine() };
        let cut = genuine().signature[..40].to_owned();
        let short = mac::<Hmac<Sha224>>("s3cretadmin", &genuine().body);
        let long = format!("HMAC-SHA512={}", mac::<Hmac<Sha512>>("s3cretadmin", &genuine().body));
        for (what, forged) in [
            ("another key", signed(format!("HMAC-SHA256={}", mac::<Hmac<Sha256>>("anotheradmin", &genuine().body)))),
            (
                "the secret without the owner",
                signed(format!("HMAC-SHA256={}", mac::<Hmac<Sha256>>("s3cret", &genuine().body))),
            ),
            ("another body", Forged { body: genuine().body + " ", ..genuine() }),
            ("no signature", signed(String::new())),
            ("a cut signature", signed(cut)),
            ("a signature without digits", signed("HMAC-SHA256=".to_owned())),
            ("the length of another hash", signed(format!("HMAC-SHA256={short}"))),
            ("another hash than announced", signed(long)),
            ("a hash that is not offered", Forged { algorithm: "HMAC-MD5", ..genuine() }),
            ("no hash", Forged { algorithm: "", ..genuine() }),
            ("a property of every object", Forged { algorithm: "constructor", ..genuine() }),
            ("six minutes old", minutes(-6)),
            ("six minutes ahead", minutes(6)),
        ] {
            assert_eq!(forged.post(&receiver).await.0, 401, "{language}: {what}");
        }
        // None of these has marked the event as seen.
        let (status, answer) = genuine().post(&receiver).await;
        assert_eq!((status, answer["actions"].is_array()), (200, true), "{language}");
    }
}
