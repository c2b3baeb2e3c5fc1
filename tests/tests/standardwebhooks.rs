#![allow(clippy::unwrap_used, missing_docs)]
//! Standard Webhooks' own libraries verify what the real binary delivers.

use reqwest::Method;
use serde_json::json;
use std::process::Command;
use warest_tests::{Engine, EngineOptions, Network, Receiver, eventually};

const BOT: &str = "6281100000001";
const ANA: &str = "6281100000002";

async fn verifiers(secret: &str) -> [Receiver; 2] {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/standardwebhooks");
    let mut node = Command::new("node");
    node.arg("receiver.mjs").current_dir(folder);
    let python = std::env::var("WAREST_VERIFIER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut python = Command::new(python);
    python.arg("receiver.py").current_dir(folder);
    [Receiver::start("node", node, secret).await.unwrap(), Receiver::start("python", python, secret).await.unwrap()]
}

/// Waits until each verifier has verified so many messages of a phone.
async fn verified(network: &Network, phone: &str, verifiers: &[Receiver], count: usize) {
    for verifier in verifiers {
        let text = format!("verified by {}", verifier.language);
        eventually(&format!("{count} times \"{text}\""), || async {
            let shown = network.received(phone).await?;
            let said = shown.iter().filter(|message| message["text"] == text.as_str()).count();
            Ok((said >= count).then_some(()))
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_libraries_verify_deliveries() {
    let network = Network::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The contract's hash is another matter.
    let env = vec![("WAREST_WEBHOOK_SIGNATURE_SHA2".to_owned(), "512".to_owned())];
    let engine = Engine::start(&network, folder.path(), &EngineOptions { env }).unwrap();
    engine.pair(&network, "shop", BOT).await.unwrap();
    for (secret, phone) in [("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ANA), ("a secret in words", "6281100000003")] {
        let verifiers = verifiers(secret).await;
        let urls = [&verifiers[0].url, &verifiers[1].url];
        for url in urls {
            let wrong = json!({"webhookUrl": url, "webhookSecret": "whsec_c2VjcmV0", "preflight": true});
            let refused = engine.api(Method::POST, "/session/shop/config", Some(wrong)).await.unwrap();
            assert!((400..600).contains(&refused.status) && refused.body.to_string().contains("401"), "{refused:?}");
        }
        let config = json!({"webhookUrl": urls, "webhookSecret": secret, "preflight": true});
        let set = engine.api(Method::POST, "/session/shop/config", Some(config)).await.unwrap();
        assert_eq!(set.status, 200, "{set:?}");
        network.phone(phone).await.unwrap();
        network.say(phone, BOT, "ping").await.unwrap();
        verified(&network, phone, &verifiers, 1).await;

        // While a secret is replaced, who knows the one before goes on.
        let targets = engine.api(Method::GET, "/session/shop/targets", None).await.unwrap().body["results"].take();
        for target in targets.as_array().unwrap() {
            let path = format!("/session/shop/targets/{}/rotate", target["id"].as_str().unwrap());
            let rotated = engine.api(Method::POST, &path, Some(json!({}))).await.unwrap();
            assert_eq!(rotated.status, 200, "{rotated:?}");
        }
        network.say(phone, BOT, "ping").await.unwrap();
        verified(&network, phone, &verifiers, 2).await;
    }
}
