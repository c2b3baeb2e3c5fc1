//! What an account shows of itself and knows of others, and how it is paired by a
//! code.

use crate::account::{ANNA, ME, NEWSLETTER, NOBODY, SHY, SQUAD};
use crate::links::{open, waiting_for_scan};
use crate::misc::remember;
use crate::world::{ALICE, World};
use serde_json::{Value, json};
use warest_model::fault::Fault;

fn changes(world: &World) -> Vec<String> {
    world.links.account.changed.lock().unwrap().clone()
}

#[tokio::test]
async fn a_profile_is_shown_with_its_business_page() {
    let world = World::new().await;
    let info = world.get("/profile/info?sessionId=main").await;
    assert_eq!(info.codes(), (200, 1000));
    let result = &info.body["results"][0];
    assert_eq!((&result["phone"], &result["pushName"]), (&json!(ME), &json!("The Shop")));
    assert_eq!(result["verifiendName"], "Customer Store");
    assert_eq!(result["entries"]["User"], ME);
    assert_eq!(result["businessProfile"]["website"], json!(["https://example.com"]));
    assert_eq!(result["businessProfile"]["businessHours"][0]["open_time"], "480");
    assert!(result["profilePicture"]["imgPreview"].as_str().unwrap().contains("preview"));
}

#[tokio::test]
async fn numbers_are_looked_up_one_or_many_shallow_or_deep() {
    let world = World::new().await;
    let one = world.get(&format!("/profile/on-whatsapp?sessionId=main&checkNumbers={ANNA}")).await;
    assert_eq!(one.codes(), (200, 1000));
    let data = &one.body["results"][0]["data"];
    assert_eq!((&data["isOnWhatsApp"], &data["about"]), (&json!(true), &Value::Null));
    let path = format!("/profile/on-whatsapp?sessionId=main&checkNumbers={NOBODY},{ANNA}&deep=true");
    let many = world.get(&path).await;
    let data = &many.body["results"][0]["data"];
    assert_eq!((&data[0]["isOnWhatsApp"], &data[0]["about"]), (&json!(false), &Value::Null));
    assert_eq!((&data[1]["phone"], &data[1]["about"]), (&json!(ANNA), &json!("Fast response")));
    assert!(data[1]["picture"]["preview"].as_str().unwrap().contains(ANNA), "each has their own");

    let page = world.get(&format!("/profile/business-profile?sessionId=main&checkNumbers={ME}")).await;
    assert_eq!(page.body["results"][0]["data"]["email"], "hi@example.com");
    let none = world.get(&format!("/profile/business-profile?sessionId=main&checkNumbers={ANNA}")).await;
    assert_eq!(none.body["results"][0]["data"]["isBusiness"], false);

    let most: Vec<String> = (0..257).map(|n| format!("62811000{n:04}")).collect();
    let path = format!("/profile/on-whatsapp?sessionId=main&checkNumbers={}", most.join(","));
    assert_eq!(world.get(&path).await.codes(), (400, 2002));
    assert_eq!(world.get("/profile/on-whatsapp?sessionId=main&checkNumbers=abc").await.codes(), (400, 2002));
    assert_eq!(world.get("/profile/on-whatsapp?sessionId=main&checkNumbers=,").await.codes(), (400, 2001));
}

#[tokio::test]
async fn privacy_is_shown_and_changed_by_the_contracts_names() {
    let world = World::new().await;
    let shown = world.get("/profile/privacy?sessionId=main").await;
    let result = &shown.body["results"][0];
    assert_eq!((&result["lastSeen"], &result["readReceipts"]), (&json!("contacts"), &json!("all")));
    assert_eq!(result["stickers"], Value::Null, "WhatsApp does not tell it");
    let body = json!({ "sessionId": "main", "lastSeen": "none", "groupAdd": "contact_blacklist" });
    assert_eq!(world.post("/profile/privacy", body).await.codes(), (200, 1000));
    assert_eq!(changes(&world), ["privacy last none", "privacy groupadd contact_blacklist"]);
    for (fields, named) in [
        (json!({}), "callAdd, messages is required"),
        (json!({ "lastSeen": "No One" }), "`lastSeen`"),
        (json!({ "readReceipts": "none", "lastSeen": "foo" }), "`lastSeen`"),
        (json!({ "online": "none" }), "`online`"),
        (json!({ "stickers": "all" }), "`stickers`"),
    ] {
        let mut body = fields;
        body["sessionId"] = json!("main");
        let refused = world.post("/profile/privacy", body).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body["message"].as_str().unwrap().contains(named), "{}", refused.body);
    }
    assert_eq!(changes(&world).len(), 2);
}

#[tokio::test]
async fn the_account_changes_itself_and_blocks_others() {
    let world = World::new().await;
    for (path, fields, change) in [
        ("/profile/about", json!({ "about": "Open until 9" }), "about Open until 9"),
        ("/profile/name", json!({ "name": "Shop" }), "name Shop"),
        ("/profile/disappearing", json!({ "seconds": "86400" }), "disappearing 86400"),
        ("/profile/block", json!({ "to": ANNA }), "block true 6281100000001@s.whatsapp.net"),
        ("/profile/unblock", json!({ "to": ANNA }), "block false 6281100000001@s.whatsapp.net"),
        ("/profile/presence/subscribe", json!({ "to": ANNA }), "watch 6281100000001@s.whatsapp.net"),
        ("/labels", json!({ "labelId": "7", "name": "Paid", "color": 3 }), "label 7 Paid 3"),
        ("/labels/chats", json!({ "labelId": "7", "to": ANNA }), "label 7 6281100000001@s.whatsapp.net true"),
        ("/call/reject", json!({ "callId": "C1", "from": ANNA }), "reject C1 6281100000001@s.whatsapp.net"),
        ("/newsletter/follow", json!({ "newsletterId": NEWSLETTER }), &format!("follow true {NEWSLETTER}")),
        (
            "/newsletter/react",
            json!({ "newsletterId": NEWSLETTER, "serverId": 5, "emoji": "" }),
            &format!("react {NEWSLETTER} 5 "),
        ),
    ] {
        let mut body = fields;
        body["sessionId"] = json!("main");
        let answer = world.post(path, body).await;
        assert_eq!(answer.codes(), (200, 1000), "{path}: {}", answer.body);
        assert_eq!(changes(&world).last().unwrap(), change);
    }
    let blocked = world.get("/profile/blocklist?sessionId=main").await;
    assert_eq!(blocked.body["results"][0]["data"], json!([format!("{SHY}@s.whatsapp.net")]));
    let gone = json!({ "sessionId": "main", "labelId": "7", "to": ANNA });
    assert_eq!(world.call(ALICE, "DELETE", "/labels/chats", Some(gone.clone())).await.codes(), (200, 1000));
    assert_eq!(world.call(ALICE, "DELETE", "/labels", Some(gone)).await.codes(), (200, 1000));
    assert_eq!(changes(&world).last().unwrap(), "no label 7");

    *world.links.account.refuse.lock().unwrap() = Some(Fault::fail("not_allowed", "no"));
    let refused = world.post("/profile/block", json!({ "sessionId": "main", "to": ANNA })).await;
    assert_eq!(refused.codes(), (403, 2201));
}

#[tokio::test]
async fn newsletters_are_listed_found_by_link_and_read() {
    let world = World::new().await;
    let listed = world.get("/newsletters?sessionId=main").await;
    assert_eq!(listed.body["results"][0]["data"][0]["id"], NEWSLETTER);
    let link = "https%3A%2F%2Fwhatsapp.com%2Fchannel%2F0029Va";
    let found = world.get(&format!("/newsletter/info?sessionId=main&newsletterId={link}")).await;
    assert_eq!(found.body["results"][0]["data"]["name"], "News");
    let path = format!("/newsletter/posts?sessionId=main&newsletterId={NEWSLETTER}&count=2&before=50");
    let posts = world.get(&path).await;
    let data = posts.body["results"][0]["data"].as_array().unwrap().clone();
    assert_eq!((data.len(), &data[0]["serverId"]), (2, &json!(49)));
    assert_eq!(data[0]["reactions"][0], json!({ "emoji": "👍", "count": 2 }));
    let made = world.post("/newsletter/create", json!({ "sessionId": "main", "name": "Ours" })).await;
    assert_eq!(made.body["results"][0]["newsletterId"], NEWSLETTER);
    assert_eq!(world.get("/newsletter/info?sessionId=main&newsletterId=nope").await.codes(), (404, 2600));
}

#[tokio::test]
async fn contacts_come_from_the_history_or_from_groups() {
    let world = World::new().await;
    let list = async |query: &str| world.get(&format!("/profile/list-contacts?sessionId=main{query}")).await;
    let nobody = list("").await;
    assert_eq!((nobody.codes(), &nobody.body["results"][0]["data"]), ((200, 1000), &json!([])));
    remember(&world).await;
    let known = list("").await;
    let anna = &known.body["results"][0]["data"][0];
    assert_eq!((&anna["phone"], &anna["name"], &anna["lid"]), (&json!(ANNA), &json!("Anna"), &json!("111000@lid")));
    assert_eq!((&anna["about"], &known.body["results"][0]["total"]), (&Value::Null, &json!(1)));
    let deep = list("&deep=true&search=ann").await;
    let anna = &deep.body["results"][0]["data"][0];
    assert_eq!((&anna["about"], &anna["name"]), (&json!("Fast response"), &json!("Anna")));
    assert!(anna["picture"]["full"].as_str().unwrap().contains(ANNA));

    let members = list(&format!("&type=groups&groupIds={SQUAD}&limit=2&offset=1")).await;
    let data = &members.body["results"][0]["data"];
    assert_eq!((&data[0]["name"], &members.body["results"][0]["total"]), (&json!("Anna"), &json!(3)));
    assert_eq!((&data[1]["jid"], &data[1]["phone"]), (&json!("222000@lid"), &Value::Null));
    for query in ["&limit=0", "&limit=1001", "&limit=51&deep=true", "&type=friends", "&type=groups&groupIds=1@lid"] {
        assert_eq!(list(query).await.codes(), (400, 2002), "{query}");
    }
    let saved = world.post("/contacts", json!({ "sessionId": "main", "to": ANNA, "fullName": "Anna B." })).await;
    assert_eq!(saved.codes(), (200, 1000));
    assert_eq!(changes(&world), [format!("contact {ANNA}@s.whatsapp.net Anna B.")]);

    let participants = world.get(&format!("/group/participants?sessionId=main&groupId={SQUAD}")).await;
    assert_eq!(participants.body["results"][0]["participants"][1]["name"], "Anna");
}

#[tokio::test]
async fn labels_are_listed_and_a_new_one_has_the_next_number() {
    let world = World::new().await;
    remember(&world).await;
    let labels = world.get("/labels?sessionId=main").await;
    assert_eq!(labels.body["results"][0]["data"], json!([{ "labelId": "4", "name": "Paid", "color": 2 }]));
    let chats = world.get("/labels/chats?sessionId=main&labelId=4").await;
    assert_eq!(chats.body["results"][0]["data"][0]["chat"], format!("{ANNA}@s.whatsapp.net"));
    let made = world.post("/labels", json!({ "sessionId": "main", "name": "New" })).await;
    assert_eq!(made.body["results"][0]["labelId"], "5");
    let again = world.post("/labels", json!({ "sessionId": "main", "name": "Newer" })).await;
    assert_eq!(again.body["results"][0]["labelId"], "6", "the account has not told of the other yet");
    assert_eq!(changes(&world), ["label 5 New 0", "label 6 Newer 0"]);
    let labels = world.get("/labels?sessionId=main").await;
    assert_eq!(labels.body["results"][0]["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_session_is_paired_by_a_code() {
    let world = World::new().await;
    let path = "/session/create/pair-code";
    let made = world.get(&format!("{path}?sessionId=phone&phone=%2B62%20812-3456-7890")).await;
    assert_eq!(made.codes(), (200, 1000), "{}", made.body);
    assert_eq!(made.body["results"][0]["pairCode"], "ABCD-1234");
    assert_eq!(world.get("/session/phone").await.codes(), (200, 1000), "the session is there now");

    world.links.put("phone", open());
    let again = world.post(path, json!({ "sessionId": "phone", "phone": "081234567890" })).await;
    assert_eq!((again.codes(), &again.body["results"][0]["status"]), ((200, 1104), &json!("open")));

    let mut dialling = waiting_for_scan(0);
    dialling.qr = None;
    dialling.state = warest_model::session::SessionState::Connecting;
    world.links.put("phone", dialling);
    let pending = world.post(path, json!({ "sessionId": "phone", "phone": "081234567890" })).await;
    assert_eq!((pending.codes(), &pending.body["results"][0]["pairCode"]), ((202, 1110), &json!("")));

    assert_eq!(world.get(&format!("{path}?phone=628111")).await.codes(), (400, 1100));
    assert_eq!(world.get(&format!("{path}?sessionId=new")).await.codes(), (400, 2001));
    assert_eq!(world.get(&format!("{path}?sessionId=new&phone=x")).await.codes(), (400, 2002));
    assert_eq!(world.get("/session/new").await.codes(), (404, 1101), "nothing was made");
}

#[tokio::test]
async fn the_devices_of_an_account_are_shown_and_of_none_our_own_name() {
    let world = World::new().await;
    let devices = world.get("/session/devices?sessionId=main").await;
    assert_eq!(devices.codes(), (200, 1000));
    let first = &devices.body["results"][0];
    assert_eq!((&first["name"], &first["phone"], &first["device"]), (&json!("The Shop"), &json!(ME), &json!("phone")));
    let ours = &devices.body["results"][1];
    assert_eq!((&ours["deviceId"], &ours["device"]), (&json!(12), &json!("WARest")));
    assert_eq!((&first["isMe"], &ours["isMe"]), (&json!(false), &json!(true)));
    world.links.put("main", waiting_for_scan(i64::MAX / 2));
    let nobody = world.get("/session/devices?sessionId=main").await;
    assert_eq!(nobody.codes(), (200, 1000));
    assert_eq!(nobody.body["results"], json!([{ "name": null, "phone": null, "device": "WARest" }]));
}
