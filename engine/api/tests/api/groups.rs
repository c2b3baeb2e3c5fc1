//! Groups and communities: what a client sees of them, and what it may change.

use crate::account::{ANNA, APPROVED_INVITE, COMMUNITY, INVITE, ME, NOBODY, SHY, SQUAD, no_admin};
use crate::world::{ALICE, World};
use serde_json::{Value, json};
use warest_model::fault::{Fault, NOT_CONNECTED, OVERLIMIT};

fn changes(world: &World) -> Vec<String> {
    world.links.account.changed.lock().unwrap().clone()
}

fn about(fields: Value) -> Value {
    let mut body = json!({ "sessionId": "main", "groupId": SQUAD });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn groups_are_listed_and_one_is_shown_with_its_members() {
    let world = World::new().await;
    let listed = world.get("/groups?sessionId=main").await;
    assert_eq!(listed.codes(), (200, 1000));
    let result = &listed.body["results"][0];
    assert_eq!((&result["sessionId"], &result["phone"]), (&json!("main"), &json!(ME)));
    let squad = &result["data"][0];
    assert_eq!(squad["id"], SQUAD);
    assert_eq!(squad["creation"], 1_700_000_000);
    assert_eq!((&squad["restrict"], &squad["announce"]), (&json!(true), &json!(false)));
    assert_eq!(squad["descOwner"], "777000@lid");
    assert_eq!(squad["descOwnerJid"], Value::Null, "a LID is no phone's address");
    assert_eq!(squad["participantsCount"], 3);

    let info = world.get(&format!("/group/info?sessionId=main&groupId={SQUAD}")).await;
    assert_eq!(info.body["results"][0]["data"]["participants"][1]["phone"], ANNA);
    let bare = world.get("/group/participants?sessionId=main&groupId=120363111111111111").await;
    let participants = bare.body["results"][0]["participants"].as_array().unwrap().clone();
    let seen = |index: usize| {
        let one = &participants[index];
        (one["isMe"] == true, one["isAdmin"] == true, one["isSuperAdmin"] == true)
    };
    assert_eq!([seen(0), seen(1), seen(2)], [(true, true, true), (false, true, false), (false, false, false)]);
    assert_eq!(participants[2]["phone"], Value::Null);
}

#[tokio::test]
async fn what_is_missing_is_told_before_what_is_unknown() {
    let world = World::new().await;
    for path in
        ["/group/info", "/group/participants", "/group/invite", "/group/picture", "/group/participants/requests"]
    {
        let answer = world.get(&format!("{path}?sessionId=unknown")).await;
        assert_eq!((answer.codes(), &answer.body["message"]), ((400, 2001), &json!("groupId is required")), "{path}");
    }
    for (path, message) in [
        ("/group/create", "groupName is required"),
        ("/group/leave", "groupId is required"),
        ("/group/participants/add", "groupId is required"),
        ("/group/join-via-link", "inviteLink is required"),
    ] {
        let answer = world.post(path, json!({ "sessionId": "unknown" })).await;
        assert_eq!((answer.codes(), &answer.body["message"]), ((400, 2001), &json!(message)), "{path}");
    }
    let person = world.get("/group/info?sessionId=main&groupId=628111@s.whatsapp.net").await;
    assert_eq!(person.codes(), (400, 2002));
    let unknown = world.get("/group/info?sessionId=main&groupId=1@g.us").await;
    assert_eq!(unknown.codes(), (404, 2604));
}

#[tokio::test]
async fn each_member_has_an_outcome_of_their_own() {
    let world = World::new().await;
    let one =
        world.post("/group/participants/add", about(json!({ "participants": [ANNA, "+62 811-0000-0001"] }))).await;
    assert_eq!(one.codes(), (200, 1000));
    assert_eq!(one.body["results"][0]["addedParticipants"], json!([ANNA]));
    assert_eq!(changes(&world), [format!("Add {SQUAD} {ANNA}")], "whoever is named twice is asked once");

    let some = world.post("/group/participants/add", about(json!({ "participants": [ANNA, SHY] }))).await;
    assert_eq!(some.codes(), (207, 1004));
    let result = &some.body["results"][0];
    assert_eq!((&result["addedParticipants"], &result["failedToAdd"]), (&json!([ANNA]), &json!([SHY])));
    assert_eq!(result["status"], "partial");
    assert_eq!(result["participants"][1]["error"], 403);
    assert!(result["participants"][1]["reason"].as_str().unwrap().contains("privacy"));

    let none = world.post("/group/participants/add", about(json!({ "participants": [SHY, NOBODY] }))).await;
    assert_eq!(none.codes(), (502, 5002));
    assert_eq!(none.body["results"][0]["failedToAdd"], json!([SHY, NOBODY]));

    let body = about(json!({ "participants": ANNA }));
    let removed = world.call(ALICE, "DELETE", "/group/participants/remove", Some(body.clone())).await;
    assert_eq!(removed.body["results"][0]["removedParticipants"], json!([ANNA]));
    for (path, code) in [("promote", 5004), ("demote", 5005), ("request/reject", 5003)] {
        let path = format!("/group/participants/{path}");
        let done = world.post(&path, body.clone()).await;
        assert_eq!(done.codes(), (200, 1000), "{path}");
        assert_eq!(done.body["results"][0]["participants"][0]["status"], "success", "{path}");
        let refused = world.post(&path, about(json!({ "participants": [NOBODY] }))).await;
        assert_eq!(refused.codes(), (502, code), "{path}");
    }
    let approved = world.post("/group/participants/request/approve", body).await;
    assert_eq!(approved.body["results"][0]["approvedParticipants"], json!([ANNA]));
}

#[tokio::test]
async fn a_groups_settings_are_changed() {
    let world = World::new().await;
    for (path, fields, change) in [
        ("name", json!({ "groupName": " New Name " }), "Subject(\"New Name\")"),
        ("description", json!({ "groupDescription": "" }), "Description(\"\")"),
        ("locked", json!({ "locked": true }), "Edits(Admins)"),
        ("locked", json!({ "locked": "false" }), "Edits(Everyone)"),
        ("announcement", json!({ "announcement": true }), "Writes(Admins)"),
        ("member-add-mode", json!({ "memberAddMode": false }), "Adds(Admins)"),
        ("approval", json!({ "approval": true }), "Approval(true)"),
        ("ephemeral", json!({ "seconds": 604_800 }), "Ephemeral(604800)"),
    ] {
        let answer = world.post(&format!("/group/{path}"), about(fields)).await;
        assert_eq!(answer.codes(), (200, 1000), "{path}: {}", answer.body);
        assert_eq!(answer.body["results"][0]["groupId"], SQUAD);
        assert_eq!(changes(&world).last().unwrap(), &format!("{change} {SQUAD}"));
    }
    let before = changes(&world).len();
    for (path, fields, codes) in [
        ("name", json!({ "groupName": "x".repeat(101) }), (400, 5009)),
        ("name", json!({ "groupName": "  " }), (400, 2001)),
        ("description", json!({ "groupDescription": "x".repeat(2_049) }), (400, 5010)),
        ("ephemeral", json!({ "seconds": 5 }), (400, 2002)),
        ("locked", json!({}), (400, 2001)),
    ] {
        assert_eq!(world.post(&format!("/group/{path}"), about(fields)).await.codes(), codes, "{path}");
    }
    assert_eq!(changes(&world).len(), before);
}

#[tokio::test]
async fn refusals_say_what_they_mean_here() {
    let world = World::new().await;
    let rename = about(json!({ "groupName": "x" }));
    for (fault, codes) in [
        (no_admin(), (403, 5008)),
        (Fault::retry(OVERLIMIT, "slower"), (429, 2400)),
        (Fault::retry(NOT_CONNECTED, "gone"), (409, 1103)),
        (Fault::fail("logged_out", "gone"), (409, 1106)),
        (Fault::retry("server_unavailable", "later"), (502, 5001)),
        (Fault::unknown("ack_timeout", "silence"), (504, 2801)),
    ] {
        let code = fault.code.clone();
        *world.links.account.refuse.lock().unwrap() = Some(fault);
        let answer = world.post("/group/name", rename.clone()).await;
        assert_eq!(answer.codes(), codes, "{code}: {}", answer.body);
        assert_eq!(answer.header("retry-after").is_some(), codes.0 == 429);
    }
    *world.links.account.refuse.lock().unwrap() = Some(Fault::fail("not_a_member", "only members can read it"));
    let info = world.get(&format!("/group/info?sessionId=main&groupId={SQUAD}")).await;
    assert_eq!(info.codes(), (403, 2201));
}

#[tokio::test]
async fn an_invitation_is_shown_followed_and_replaced() {
    let world = World::new().await;
    let link = world.get(&format!("/group/invite?sessionId=main&groupId={SQUAD}")).await;
    assert_eq!(link.body["results"][0]["inviteLink"], format!("https://chat.whatsapp.com/{INVITE}"));
    let renewed = world.post("/group/invite/revoke", about(json!({}))).await;
    assert_eq!(renewed.body["results"][0]["inviteLink"], "https://chat.whatsapp.com/Renewed");

    let seen = world.get(&format!("/group/join-via-link?sessionId=main&inviteLink={INVITE}")).await;
    let result = &seen.body["results"][0];
    assert_eq!((&result["groupName"], &result["participantsCount"]), (&json!("Team Squad"), &json!(3)));
    assert_eq!(result["isEphemeral"], true);
    let nowhere = world.get("/group/join-via-link?sessionId=main&inviteLink=gone").await;
    assert_eq!(nowhere.codes(), (404, 2604));

    let join = async |code: &str| {
        let link = format!("https://chat.whatsapp.com/{code}?mode=x");
        world.post("/group/join-via-link", json!({ "sessionId": "main", "inviteLink": link })).await
    };
    let joined = join(INVITE).await;
    assert_eq!(joined.codes(), (200, 1000));
    assert_eq!(joined.body["results"][0]["status"], "success joined group");
    let pending = join(APPROVED_INVITE).await;
    assert_eq!(pending.codes(), (200, 1001));
    assert_eq!(pending.body["results"][0]["status"], "pending approval to join");
}

#[tokio::test]
async fn a_group_is_made_left_and_emptied() {
    let world = World::new().await;
    let made =
        world.post("/group/create", json!({ "sessionId": "main", "groupName": "Crew", "participants": [ANNA] })).await;
    assert_eq!(made.codes(), (200, 1000));
    assert_eq!(made.body["results"][0]["groupId"], SQUAD);
    let some = json!({ "sessionId": "main", "groupName": "Crew", "participants": [ANNA, SHY] });
    let some = world.post("/group/create", some).await;
    assert_eq!(some.codes(), (207, 1004), "the group stands, with whom could be had");
    assert_eq!(some.body["results"][0]["failedToAdd"], json!([SHY]));

    assert_eq!(world.post("/group/leave", about(json!({}))).await.codes(), (200, 1000));
    let deleted = world.call(ALICE, "DELETE", "/group/delete", Some(about(json!({})))).await;
    assert_eq!(deleted.codes(), (200, 1000));
    assert_eq!(deleted.body["results"][0]["removedParticipants"], json!([ANNA, "222000"]));
    let changes = changes(&world);
    let last = &changes[changes.len() - 2..];
    assert_eq!(last, [format!("Remove {SQUAD} {ANNA},222000"), format!("leave {SQUAD}")]);
}

#[tokio::test]
async fn a_picture_becomes_a_square_jpeg_whatever_it_was() {
    let world = World::new().await;
    let wide = image::RgbaImage::from_pixel(1_600, 800, image::Rgba([200, 10, 10, 255]));
    let mut png = std::io::Cursor::new(Vec::new());
    wide.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, png.get_ref());
    let check = |what: &str| {
        let jpeg = world.links.account.picture.lock().unwrap().take().expect(what);
        let read = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (640, 640), "{what}");
    };
    for picture in [format!("data:image/png;base64,{text}"), text.clone()] {
        let set = world.post("/group/picture", about(json!({ "picture": picture }))).await;
        assert_eq!(set.codes(), (200, 1000), "{}", set.body);
        assert!(set.body["results"][0]["pictureUrl"].as_str().unwrap().contains("/full/"));
        check("of the group");
    }
    let form = [
        b"--x\r\ncontent-disposition: form-data; name=\"sessionId\"\r\n\r\nmain\r\n".to_vec(),
        b"--x\r\ncontent-disposition: form-data; name=\"picture\"; filename=\"a.png\"\r\n\r\n".to_vec(),
        png.into_inner(),
        b"\r\n--x--\r\n".to_vec(),
    ]
    .concat();
    let request = axum::http::Request::post("/api/v1/profile/picture").header("x-warest-api-key", ALICE);
    let request = request.header("content-type", "multipart/form-data; boundary=x").body(form.into()).unwrap();
    let own = world.send(request).await;
    assert_eq!((own.codes(), &own.body["results"][0]["id"]), ((200, 1000), &json!("PICTURE")));
    check("of the account");

    for (picture, codes) in [
        (json!("data:image/png;base64,AAAA"), (415, 5502)),
        (json!("/etc/passwd.txt"), (400, 2002)),
        (json!("file:///etc/passwd"), (400, 2002)),
        (json!("http://169.254.169.254/latest"), (400, 2002)),
        (json!("http://127.0.0.1:9/x.png"), (400, 2002)),
        (json!(""), (400, 2001)),
    ] {
        let answer = world.post("/group/picture", about(json!({ "picture": picture }))).await;
        assert_eq!(answer.codes(), codes, "{picture}: {}", answer.body);
    }
    let removed = world.call(ALICE, "DELETE", "/group/picture", Some(about(json!({})))).await;
    assert_eq!(removed.codes(), (200, 1000));
    assert_eq!(changes(&world).last().unwrap(), &format!("picture {SQUAD} false"));
}

#[tokio::test]
async fn communities_are_listed_made_and_have_groups() {
    let world = World::new().await;
    let listed = world.get("/communities?sessionId=main").await;
    assert_eq!(listed.body["results"][0]["data"][0]["id"], COMMUNITY);
    assert_eq!(listed.body["results"][0]["data"].as_array().unwrap().len(), 1);
    let made = world.post("/communities", json!({ "sessionId": "main", "name": "Town" })).await;
    assert_eq!(made.body["results"][0]["communityId"], COMMUNITY);
    let groups = world.get(&format!("/community/groups?sessionId=main&communityId={COMMUNITY}")).await;
    assert_eq!(groups.body["results"][0]["data"][0]["id"], SQUAD);
    let body = json!({ "sessionId": "main", "communityId": COMMUNITY, "groupIds": [SQUAD] });
    let linked = world.post("/community/groups", body.clone()).await;
    assert_eq!(linked.codes(), (200, 1000));
    let result = &linked.body["results"][0];
    assert_eq!((&result["linkedGroups"], &result["failedToLink"]), (&json!([SQUAD]), &json!([])));
    assert_eq!(result["groups"][0]["jid"], SQUAD);
    assert_eq!(world.call(ALICE, "DELETE", "/community/groups", Some(body)).await.codes(), (200, 1000));
    assert_eq!(changes(&world)[1..], ["link true 1", "link false 1"]);
}
