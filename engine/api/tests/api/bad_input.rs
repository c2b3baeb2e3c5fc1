//! Every endpoint with every kind of bad input: the contract's error, never a
//! 5xx, and nothing written.

use crate::misc::vote;
use crate::world::{ALICE, Answer, World};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

const RUN: &str = "run_01HF5QZVQSK3T1SH4Z2RCB2DQB";
const FLOW: &str = "flw_01HF5QZVQSK3T1SH4Z2RCB2DQB";
const EVENT: &str = "evt_01HF5QZVQSK3T1SH4Z2RCB2DQB";
const JOB: &str = "job_01HF5QZVQSK3T1SH4Z2RCB2DQB";
const DELIVERY: &str = "dlv_01HF5QZVQSK3T1SH4Z2RCB2DQB";
const TARGET: &str = "tgt_01HF5QZVQSK3T1SH4Z2RCB2DQB";
const BULK: &str = "blk_01HF5QZVQSK3T1SH4Z2RCB2DQB";

/// An endpoint: method, path, and a body it would take. `main` stands for the
/// session in both.
fn endpoints() -> Vec<(&'static str, String, Option<Value>)> {
    let flow = json!({ "name": "f", "sessionId": "main", "on": ["message_received"], "script": "", "enabled": true });
    let letter = json!({ "sessionId": "main", "to": "628111111111", "message": "x", "replyMessageId": "A", "presence": true,
            "scheduleAt": "2020-01-01T00:00:00Z" });
    let bulk = json!({ "sessionId": "main", "to": ["628111111111"], "message": "x", "scheduleAt": 1_700_000_000_000_i64,
        "messages": [{ "to": "628111111111", "message": "x" }] });
    let named = json!({ "sessionId": "main" });
    let target = json!({
        "url": "https://example.com/", "secret": "x", "events": ["message_received"], "payload": "node",
        "order": "none", "concurrency": 2, "enabled": true, "preflight": false,
    });
    let mut more = account_endpoints();
    let mut all = vec![
        ("GET", "/server/storage".into(), None),
        ("GET", "/server/ping".into(), None),
        ("GET", "/server/healthz".into(), None),
        ("GET", "/server/ready".into(), None),
        ("GET", "/session/list".into(), None),
        ("GET", "/session/main".into(), None),
        ("GET", "/session/create?sessionId=main".into(), None),
        ("POST", "/session/create".into(), Some(json!({ "sessionId": "main", "label": "x" }))),
        ("GET", "/session/reconnect?sessionId=main".into(), None),
        ("POST", "/session/reconnect".into(), Some(named.clone())),
        ("GET", "/session/logout?sessionId=main".into(), None),
        ("POST", "/session/logout".into(), Some(named.clone())),
        ("DELETE", "/session/delete?sessionId=main".into(), None),
        ("POST", "/session/delete".into(), Some(named.clone())),
        (
            "POST",
            "/session/main/config".into(),
            Some(json!({ "webhookUrl": "https://example.com/", "webhookSecret": "x", "preflight": false })),
        ),
        ("POST", "/session/main/actions".into(), Some(json!({ "actions": [{ "type": "noop" }] }))),
        ("POST", "/session/main/actions".into(), Some(json!({ "script": "", "chat": "628111111111" }))),
        ("GET", "/session/main/guards".into(), None),
        (
            "PUT",
            "/session/main/guards".into(),
            Some(json!({
                "cooldown": { "enabled": true }, "quota": { "max": 5 }, "pacing": null, "newChats": { "perDay": 9 },
                "quietHours": { "from": "22:00" }, "optOut": { "confirmation": "Bye" },
            })),
        ),
        ("GET", "/optouts?sessionId=main".into(), None),
        ("POST", "/optouts".into(), Some(json!({ "sessionId": "main", "to": "628111111111" }))),
        ("DELETE", "/optouts/628111111111?sessionId=main".into(), None),
        ("PUT", "/session/main/plugins/echo".into(), Some(json!({ "enabled": true, "config": {} }))),
        ("GET", "/messages/send/text?sessionId=main&to=628111111111&message=x".into(), None),
        ("POST", "/messages/send/text".into(), Some(letter)),
        ("POST", "/messages/send/bulk".into(), Some(bulk)),
        ("GET", format!("/messages/send/bulk/{BULK}"), None),
        ("DELETE", format!("/messages/send/bulk/{BULK}"), None),
        (
            "POST",
            "/webhook/preflight".into(),
            Some(json!({ "sessionId": "main", "url": "https://example.com/", "secret": "x" })),
        ),
        ("GET", "/session/main/targets".into(), None),
        ("POST", "/session/main/targets".into(), Some(target.clone())),
        ("GET", format!("/session/main/targets/{TARGET}"), None),
        ("PATCH", format!("/session/main/targets/{TARGET}"), Some(target)),
        ("DELETE", format!("/session/main/targets/{TARGET}"), None),
        ("POST", format!("/session/main/targets/{TARGET}/test"), None),
        ("POST", format!("/session/main/targets/{TARGET}/rotate"), Some(json!({ "secret": "x", "overlapSec": 60 }))),
        ("POST", format!("/session/main/targets/{TARGET}/resume"), None),
        ("GET", "/deliveries?session=main".into(), None),
        ("GET", format!("/deliveries/{DELIVERY}"), None),
        ("POST", format!("/deliveries/{DELIVERY}/replay"), None),
        (
            "POST",
            "/deliveries/replay".into(),
            Some(json!({ "sessionId": "main", "target": TARGET, "state": "dead", "from": 1, "to": 2 })),
        ),
        ("GET", "/flows".into(), None),
        ("POST", "/flows".into(), Some(flow.clone())),
        ("GET", format!("/flows/{FLOW}"), None),
        ("PUT", format!("/flows/{FLOW}"), Some(flow)),
        ("DELETE", format!("/flows/{FLOW}"), None),
        ("GET", "/plugins".into(), None),
        ("POST", "/plugins".into(), None),
        ("DELETE", "/plugins/echo".into(), None),
        ("GET", "/events?session=main".into(), None),
        ("GET", format!("/events/{EVENT}"), None),
        ("GET", "/stream?session=main".into(), None),
        ("GET", "/ws?session=main".into(), None),
        ("GET", "/runs?session=main".into(), None),
        ("GET", format!("/runs/{RUN}"), None),
        ("GET", "/jobs?session=main".into(), None),
        ("GET", format!("/jobs/{JOB}"), None),
        ("PATCH", format!("/jobs/{JOB}"), Some(json!({ "scheduleAt": 1_700_000_000_000_i64 }))),
        ("DELETE", format!("/jobs/{JOB}"), None),
        ("POST", format!("/jobs/{JOB}/unwedge"), None),
        ("POST", "/jobs/unwedge".into(), Some(named)),
    ];
    all.append(&mut more);
    all
}

/// Those that ask the account behind a session.
fn account_endpoints() -> Vec<(&'static str, String, Option<Value>)> {
    let group = json!("120363111111111111@g.us");
    let with = |fields: Value| {
        let mut body = json!({ "sessionId": "main" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Some(body)
    };
    let of_group = |fields: Value| {
        let mut body = with(fields).unwrap();
        body["groupId"] = group.clone();
        Some(body)
    };
    let members = || of_group(json!({ "participants": ["6281100000001"] }));
    let words = || with(json!({ "newsletterId": "120363333333333333@newsletter" }));
    let tag = || with(json!({ "labelId": "7", "to": "628111111111" }));
    let person = || with(json!({ "to": "628111111111" }));
    let community = || with(json!({ "communityId": group.clone(), "groupIds": [group.clone()] }));
    let get = |path: &str| ("GET", format!("{path}?sessionId=main"), None);
    let get_group = |path: &str| ("GET", format!("{path}?sessionId=main&groupId=120363111111111111@g.us"), None);
    let post = |path: &str, body| ("POST", path.to_owned(), body);
    vec![
        get("/session/devices"),
        ("GET", "/session/create/pair-code?sessionId=main&phone=628111111111".into(), None),
        post("/session/create/pair-code", with(json!({ "phone": "628111111111", "label": "x" }))),
        get("/groups"),
        get_group("/group/info"),
        get_group("/group/participants"),
        get_group("/group/participants/requests"),
        get_group("/group/invite"),
        get_group("/group/picture"),
        post("/group/picture", of_group(json!({ "picture": "data:image/png;base64,AAAA" }))),
        ("DELETE", "/group/picture".into(), of_group(json!({}))),
        post(
            "/group/create",
            with(
                json!({ "groupName": "x", "groupDescription": "y", "communityId": group.clone(), "participants": ["628111"] }),
            ),
        ),
        post("/group/leave", of_group(json!({}))),
        ("DELETE", "/group/delete".into(), of_group(json!({}))),
        post("/group/name", of_group(json!({ "groupName": "x" }))),
        post("/group/description", of_group(json!({ "groupDescription": "x" }))),
        post("/group/locked", of_group(json!({ "locked": true }))),
        post("/group/announcement", of_group(json!({ "announcement": true }))),
        post("/group/member-add-mode", of_group(json!({ "memberAddMode": true }))),
        post("/group/approval", of_group(json!({ "approval": true }))),
        post("/group/ephemeral", of_group(json!({ "seconds": 86_400 }))),
        post("/group/invite/revoke", of_group(json!({}))),
        ("GET", "/group/join-via-link?sessionId=main&inviteLink=AbCdEf".into(), None),
        post("/group/join-via-link", with(json!({ "inviteLink": "AbCdEf" }))),
        post("/group/participants/add", members()),
        ("DELETE", "/group/participants/remove".into(), members()),
        post("/group/participants/promote", members()),
        post("/group/participants/demote", members()),
        post("/group/participants/request/approve", members()),
        post("/group/participants/request/reject", members()),
        get("/communities"),
        post("/communities", with(json!({ "name": "x", "description": "y" }))),
        ("GET", "/community/groups?sessionId=main&communityId=120363111111111111@g.us".into(), None),
        post("/community/groups", community()),
        ("DELETE", "/community/groups".into(), community()),
        get("/profile/info"),
        get("/profile/picture"),
        post("/profile/picture", with(json!({ "picture": "data:image/png;base64,AAAA" }))),
        ("DELETE", "/profile/picture".into(), with(json!({}))),
        get("/profile/privacy"),
        post("/profile/privacy", with(json!({ "lastSeen": "none", "groupAdd": "contacts" }))),
        ("GET", "/profile/on-whatsapp?sessionId=main&checkNumbers=628111111111".into(), None),
        ("GET", "/profile/business-profile?sessionId=main&checkNumbers=628111111111".into(), None),
        post("/profile/about", with(json!({ "about": "x" }))),
        post("/profile/name", with(json!({ "name": "x" }))),
        post("/profile/disappearing", with(json!({ "seconds": 0 }))),
        get("/profile/blocklist"),
        post("/profile/block", person()),
        post("/profile/unblock", person()),
        post("/profile/presence/subscribe", person()),
        post("/labels", with(json!({ "labelId": "7", "name": "x", "color": 1 }))),
        ("DELETE", "/labels".into(), with(json!({ "labelId": "7" }))),
        post("/labels/chats", tag()),
        ("DELETE", "/labels/chats".into(), tag()),
        get("/newsletters"),
        ("GET", "/newsletter/info?sessionId=main&newsletterId=0029Va".into(), None),
        ("GET", "/newsletter/posts?sessionId=main&newsletterId=120363333333333333@newsletter".into(), None),
        post("/newsletter/create", with(json!({ "name": "x", "description": "y" }))),
        post("/newsletter/follow", words()),
        post("/newsletter/unfollow", words()),
        post(
            "/newsletter/react",
            with(json!({ "newsletterId": "120363333333333333@newsletter", "serverId": 1, "emoji": "x" })),
        ),
        post("/misc/convert-string-toqr/png", Some(json!({ "string": "x", "encoding": "utf8" }))),
        post("/misc/base64", Some(json!({ "action": "encode", "input": "x", "output": "string" }))),
        post("/misc/crypto/hash", Some(json!({ "algo": "sha1", "input": "x", "output": "hex" }))),
        post("/misc/crypto/hmac", Some(json!({ "algo": "sha1", "key": "x", "input": "x", "output": "hex" }))),
        post("/misc/media/thumbnail", with(json!({ "file": "AAAA", "type": "image", "width": 8, "output": "base64" }))),
        post("/misc/media/image", with(json!({ "file": "AAAA", "actions": {}, "output": "base64" }))),
        post("/contacts", with(json!({ "to": "628111111111", "fullName": "x", "firstName": "x" }))),
        get("/profile/list-contacts"),
        get("/labels"),
        ("GET", "/labels/chats?sessionId=main&labelId=4".into(), None),
        post("/misc/uuid/generate", Some(json!({ "type": "uuid", "version": "v4", "count": 1, "format": "x" }))),
        post("/misc/uuid/validate", Some(json!({ "type": "uuid", "value": "x" }))),
        post("/misc/whatsapp/file-decrypt", Some(json!({ "mediaKey": "x", "file": "x", "mimeType": "x" }))),
        post("/misc/whatsapp/poll-update-vote", with(json!({ "pollUpdateVote": vote(), "pollMsgId": "x" }))),
        post("/misc/whatsapp/validate/phone", with(json!({ "phone": "628111111111", "country": "ID" }))),
        post("/misc/whatsapp/validate/jid", with(json!({ "jid": "628111111111" }))),
        post("/misc/whatsapp/resolve/jid-or-lid", with(json!({ "input": "628111111111" }))),
        post("/call/reject", with(json!({ "callId": "A", "from": "628111111111" }))),
    ]
}

/// The largest body that a file may come in.
const FILE_BODY: usize = (16 << 20) / 3 * 4 + (64 << 10);

/// The largest body that an endpoint reads.
fn most_bytes(path: &str) -> usize {
    match path {
        "/messages/send/bulk" => 8 << 20,
        "/group/picture" | "/profile/picture" | "/misc/whatsapp/file-decrypt" | "/misc/base64" => FILE_BODY,
        "/misc/crypto/hash" | "/misc/crypto/hmac" | "/misc/media/thumbnail" | "/misc/media/image" => FILE_BODY,
        _ => 1 << 20,
    }
}

async fn raw(world: &World, key: Option<&str>, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}")).header("content-type", kind);
    if let Some(key) = key {
        request = request.header("x-warest-api-key", key);
    }
    world.send(request.body(Body::from(body)).unwrap()).await
}

fn check_refusal(answer: &Answer, what: &str) {
    assert!(answer.status.is_client_error(), "{what}: {answer:?}");
    assert_eq!(answer.body["status"], false, "{what}");
    assert!(answer.body["code"].as_u64().is_some_and(|code| code >= 1_000), "{what}: {}", answer.body);
    assert!(answer.body["message"].as_str().is_some_and(|text| !text.is_empty() && text.len() < 2_100), "{what}");
}

fn with_session(value: &str, session: &str) -> String {
    value
        .replace("=main", &format!("={session}"))
        .replace("/main", &format!("/{session}"))
        .replace("\"sessionId\":\"main\"", &format!("\"sessionId\":\"{session}\""))
}

#[tokio::test]
async fn keys_and_sessions_that_are_not_the_callers_are_refused_everywhere() {
    let world = World::new().await;
    let before = world.written().await;
    for (method, path, body) in endpoints() {
        let text = body.map(|body| body.to_string()).unwrap_or_default();
        let call = async |key: Option<&str>, path: &str, text: &str| {
            raw(&world, key, method, path, "application/json", text.into()).await
        };
        let what = format!("{method} {path} {text}");
        for (key, codes) in [(None, (401, 2200)), (Some(""), (401, 2200)), (Some("wrong"), (401, 2204))] {
            let answer = call(key, &path, &text).await;
            check_refusal(&answer, &what);
            assert_eq!(answer.codes(), codes, "{what}");
        }
        let is_about_a_session = with_session(&path, "") != path || with_session(&text, "") != text;
        if !is_about_a_session {
            continue;
        }
        for (session, codes) in [("unknown", (404, 1101)), ("theirs", (403, 2201)), ("b!d", (400, 2002))] {
            if session == "unknown" && path.starts_with("/session/create") {
                continue;
            }
            let answer = call(Some(ALICE), &with_session(&path, session), &with_session(&text, session)).await;
            check_refusal(&answer, &what);
            assert_eq!(answer.codes(), codes, "{what} for {session}: {}", answer.body);
        }
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_everywhere() {
    let world = World::new().await;
    let before = world.written().await;
    for (method, path, body) in endpoints() {
        let Some(body) = body else { continue };
        let call = async |kind: &str, body: Vec<u8>| raw(&world, Some(ALICE), method, &path, kind, body).await;
        let what = format!("{method} {path}");
        let json = "application/json";
        for (case, kind, bytes, codes) in [
            ("cut off", json, b"{\"a\":".to_vec(), (400, 2008)),
            ("not JSON", json, b"{bad json".to_vec(), (400, 2008)),
            ("trailing", json, format!("{body} x").into_bytes(), (400, 2008)),
            ("not UTF-8", json, b"{\"sessionId\": \"\xff\"}".to_vec(), (400, 2008)),
            ("too deep", json, [b"{\"a\":".to_vec(), vec![b'['; 10_000]].concat(), (400, 2008)),
            ("array", json, b"[\"main\", \"x\", \"y\"]".to_vec(), (400, 2002)),
            ("string", json, b"\"hello\"".to_vec(), (400, 2002)),
            ("no JSON type", "text/plain", body.to_string().into_bytes(), (415, 2007)),
            ("too large", json, vec![b' '; most_bytes(&path) + 1], (413, 2006)),
        ] {
            let answer = call(kind, bytes).await;
            check_refusal(&answer, &format!("{what}: {case}"));
            assert_eq!(answer.codes(), codes, "{what}: {case}: {}", answer.body);
        }
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn fields_of_a_wrong_type_or_length_are_refused_by_name() {
    let world = World::new().await;
    let before = world.written().await;
    for (method, path, body) in endpoints() {
        let Some(body) = body else { continue };
        let fields = body.as_object().unwrap().clone();
        for (name, good) in &fields {
            let mut wrongs = vec![json!(12.5), json!([{ "x": [] }])];
            // The small tools take texts of any length.
            if good.is_string() && !path.starts_with("/misc/") {
                wrongs.push(json!("x".repeat(300_000)));
            }
            for wrong in wrongs {
                let mut bad = body.clone();
                bad[name] = wrong.clone();
                let answer = world.call(ALICE, method, &path, Some(bad)).await;
                let shown: String = wrong.to_string().chars().take(20).collect();
                let what = format!("{method} {path} {name}={shown}");
                check_refusal(&answer, &what);
                // What is long may be base64, of what is no picture.
                let statuses: &[u16] = if path.ends_with("/picture") { &[400, 415] } else { &[400, 422] };
                assert!(statuses.contains(&answer.status.as_u16()), "{what}: {}", answer.body);
                if wrong == json!(12.5) && name != "actions" {
                    let message = answer.body["message"].as_str().unwrap();
                    assert!(message.contains(&format!("`{name}`")), "{what}: {message}");
                }
            }
        }
    }
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn ids_and_filters_of_a_wrong_shape_are_refused() {
    let world = World::new().await;
    let long = "x".repeat(10_000);
    for path in [
        "/events?limit=0",
        "/events?limit=501",
        "/events?limit=many",
        "/events?before=run_1",
        "/events?event=nope",
        "/events?event=adhoc",
        "/events?chat=%3F%3F",
        "/events?limit=1&limit=2",
        "/stream?event=nope",
        "/stream?event=message_received,adhoc",
        "/stream?after=nope",
        "/stream?after=run_01HF5QZVQSK3T1SH4Z2RCB2DQB",
        "/stream?lastEventId=1",
        "/stream?chat=%3F%3F",
        "/ws?event=nope",
        "/ws?after=nope",
        "/ws",
        "/optouts?before=first",
        "/optouts?limit=0",
        "/runs?state=nope",
        "/runs?event=nope",
        "/runs?before=' OR 1=1",
        "/deliveries?state=nope",
        "/deliveries?target=nope",
        "/deliveries?event=nope",
        "/deliveries?since=yesterday",
        "/deliveries?before=run_1",
        "/deliveries/nope",
        "/session/main/targets/nope",
        "/runs/nope",
        "/events/nope",
        "/jobs/nope",
        "/jobs?state=nope",
        "/jobs?bulk=nope",
        "/jobs?chat=%3F%3F",
        "/jobs?before=run_1",
        "/messages/send/bulk/nope",
        "/messages/send/text?sessionId=main&to=628111111111&message=x&scheduleAt=tomorrow",
        "/flows/nope",
        "/flows/%ff",
        "/session/%ff",
        "/messages/send/text?sessionId=main&to=628111111111&message=x&presence=perhaps",
        &format!("/runs/{long}"),
        &format!("/session/{long}"),
        &format!("/messages/send/text?sessionId=main&to={long}&message=x"),
    ] {
        let answer = world.get(&path.replace(' ', "%20")).await;
        check_refusal(&answer, path);
        assert_eq!(answer.status.as_u16(), 400, "{path}: {}", answer.body);
    }
    for (path, code) in [
        (format!("/runs/{RUN}"), 2600),
        (format!("/events/{EVENT}"), 2600),
        (format!("/jobs/{JOB}"), 7005),
        (format!("/deliveries/{DELIVERY}"), 2600),
        (format!("/session/main/targets/{TARGET}"), 2600),
    ] {
        assert_eq!(world.get(&path).await.codes(), (404, code));
    }
}
