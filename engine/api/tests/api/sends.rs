//! Texts: sent, queued, refused.

use crate::links::{open, waiting_for_scan};
use crate::world::World;
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use futures::FutureExt as _;
use serde_json::json;
use warest_model::fault::Fault;
use warest_model::plan::Effect;

#[tokio::test]
async fn a_text_is_sent_and_answered_as_the_contract_says() {
    let world = World::new().await;
    let letter = json!({ "sessionId": "main", "to": "0812-3456-789", "message": "Hi", "replyMessageId": "AB12" });
    let answer = world.post("/messages/send/text", letter).await;
    assert_eq!(answer.codes(), (200, 1000), "{}", answer.body);
    assert_eq!(answer.header("x-warest-label"), Some("the main one"));
    let result = &answer.body["results"][0];
    assert_eq!(result["phone"], "628999000111");
    assert_eq!((&result["to"], &result["toJid"]), (&"0812-3456-789".into(), &"628123456789@s.whatsapp.net".into()));
    assert_eq!(result["status"], "text success");
    assert_eq!(result["advancedInfo"], json!({ "isForwarded": false, "quotedMessageId": "AB12" }));
    let sent = world.links.sent.lock().unwrap().clone();
    let [(session, Effect::Message { content, quoted, .. }, id)] = sent.as_slice() else { panic!("{sent:?}") };
    let text = content.words().unwrap();
    assert_eq!((session.as_str(), text, id.as_str()), ("main", "Hi", result["messageId"].as_str().unwrap()));
    assert_eq!(quoted.as_ref().unwrap().id, "AB12");
    let job = world.get(&format!("/jobs/{}", result["jobId"].as_str().unwrap())).await;
    assert_eq!(job.body["result"]["state"], "sent");
}

#[tokio::test]
async fn several_recipients_get_one_each_and_the_query_form_works() {
    let world = World::new().await;
    let to = json!(["628111111111", "+62 811 1111 111", "628222222222"]);
    let answer = world.post("/messages/send/text", json!({ "sessionId": "main", "to": to, "message": "x" })).await;
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 2);
    let get = world.get("/messages/send/text?sessionId=main&to=628333333333&message=Hi%20you&presence=true").await;
    assert_eq!(get.codes(), (200, 1000));
    let sent = world.links.sent.lock().unwrap();
    assert_eq!(sent.len(), 4);
    assert!(matches!(&sent[2].1, Effect::Presence { .. }), "typing is shown before the text");
}

#[tokio::test]
async fn a_text_waits_for_a_session_that_is_not_connected() {
    let world = World::new().await;
    world.links.put("main", waiting_for_scan(0));
    let letter = json!({ "sessionId": "main", "to": "628111111111", "message": "later" });
    let answer = world.post("/messages/send/text", letter).await;
    assert_eq!(answer.codes(), (202, 3000));
    let job = format!("/jobs/{}", answer.body["results"][0]["jobId"].as_str().unwrap());
    assert_eq!(world.get(&job).await.body["result"]["state"], "queued");
    world.links.put("main", open());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while world.get(&job).await.body["result"]["state"] != "sent" {
        assert!(tokio::time::Instant::now() < deadline, "it was never sent");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_refusal_by_whatsapp_has_its_code() {
    let world = World::new().await;
    let letter = json!({ "sessionId": "main", "to": "628111111111", "message": "x" });
    for (fault, codes) in [
        (Fault::fail("recipient_not_on_whatsapp", "WhatsApp does not know the recipient"), (400, 3007)),
        (Fault::fail("send_refused", "refused"), (502, 3002)),
    ] {
        *world.links.refuse.lock().unwrap() = Some(fault);
        let answer = world.post("/messages/send/text", letter.clone()).await;
        assert_eq!(answer.codes(), codes, "{}", answer.body);
        assert_eq!(answer.body["results"][0]["status"], "text failed");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_it_is_queued() {
    let world = World::new().await;
    let before = world.written().await;
    for (letter, codes) in [
        (json!({ "to": "628111111111", "message": "x" }), (400, 1100)),
        (json!({ "sessionId": "main", "message": "x" }), (400, 2001)),
        (json!({ "sessionId": "main", "to": [], "message": "x" }), (400, 2001)),
        (json!({ "sessionId": "main", "to": "628111111111" }), (400, 2001)),
        (json!({ "sessionId": "main", "to": "628111111111", "message": "" }), (400, 2001)),
        (json!({ "sessionId": "main", "to": "??", "message": "x" }), (400, 3007)),
        (json!({ "sessionId": "main", "to": ["628111111111", "??"], "message": "x" }), (400, 3007)),
        (
            json!({ "sessionId": "main", "to": "628111111111", "message": "x".repeat(65_537), "presence": true }),
            (400, 3015),
        ),
        (json!({ "sessionId": "main", "to": vec!["628111111111"; 257], "message": "x" }), (400, 2002)),
        (json!({ "sessionId": "a b", "to": "628111111111", "message": "x" }), (400, 2002)),
    ] {
        let answer = world.post("/messages/send/text", letter).await;
        assert_eq!(answer.codes(), codes, "{}", answer.body);
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let world = World::new().await;
    let before = world.written().await;
    for media in ["not a file", "data:image/png,x", "?", "data:image/png;base64,"] {
        let answer = world
            .post("/messages/send/media", json!({ "sessionId": "main", "to": "628111111111", "media": media }))
            .await;
        assert_eq!(answer.codes(), (400, 2002), "{media}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains("takes an http(s) URL"), "{}", answer.body);
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn a_file_that_leads_on_to_a_private_address_is_not_fetched() {
    let private = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}/secret", private.local_addr().unwrap());
    let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = open.local_addr().unwrap().to_string();
    let pages = Router::new()
        .route("/file", get(|| async { "a file" }))
        .route("/on", get(move || async move { Redirect::temporary(&there) }));
    tokio::spawn(async move { axum::serve(open, pages).await.unwrap() });
    let world = World::with_engine(|config| {
        config.egress.allow = vec![host.parse().unwrap()];
        config.egress.ports = "1-65535".parse().unwrap();
    })
    .await;
    let send = async |path: &str| {
        let url = format!("http://{host}{path}");
        let body = json!({ "sessionId": "main", "to": "628111111111", "document": url, "filename": "a.txt" });
        world.post("/messages/send/document", body).await
    };
    let sent = send("/file").await;
    assert_eq!(sent.codes(), (200, 1000), "{}", sent.body);
    let refused = send("/on").await;
    assert_eq!(refused.codes(), (502, 5500), "{}", refused.body);
    assert_eq!(refused.body["results"][0]["error"]["code"], "url_refused");
    let says = refused.body["message"].as_str().unwrap();
    assert!(says.contains("127.0.0.1 is not a public address; name it in WAREST_EGRESS_ALLOW"), "{says}");
    // Whoever connects is in the queue of the socket before the answer comes.
    assert!(private.accept().now_or_never().is_none(), "nobody asked there");
}
