//! What happens in groups, as the server tells it.
//!
//! | notification | events |
//! | --- | --- |
//! | people added, removed, promoted, demoted | `group_participants`; and `group_join` or `group_leave` if they came or went by themselves, or this account is among them |
//! | the group was made with this account in it | `group_join` |
//! | the group is gone | `group_leave` |
//! | anything else | `group_update` with a `change`, and the new value under its name |

use super::who::{Names, Who, name};
use serde_json::{Map, Value, json};
use warest_model::event::{EventKind, Observation};
use warest_model::history::{Change, ChatPatch};
use whatsapp_rust::Jid;
use whatsapp_rust::types::events::{GroupUpdate, PictureUpdate};
use whatsapp_rust::wacore::stanza::groups::{GroupNotificationAction as Action, GroupParticipantInfo};
use whatsapp_rust::wacore_binary::Node;

/// Most people of one notification.
const PEOPLE: usize = 4_096;

/// One notification, with its people named.
struct Told<'a> {
    group: warest_model::jid::Jid,
    author: Option<Who>,
    by_me: bool,
    update: &'a GroupUpdate,
}

/// What is seen of a notification.
pub(crate) async fn observe(names: &dyn Names, update: &GroupUpdate) -> Vec<Observation> {
    let Some(group) = name(names, &update.group_jid, None).await else { return Vec::new() };
    let author = match &update.participant {
        Some(author) => name(names, author, update.participant_pn.as_ref()).await,
        None => None,
    };
    let by_me = update.participant.as_ref().is_some_and(|author| names.me().is(author));
    let told = Told { group: group.address, author, by_me, update };
    match &update.action {
        Action::Add { participants, reason } => {
            let people = people(names, participants).await;
            let how = how_they_came(&told, &people, reason.as_deref());
            moved(names, &told, "add", &people, Some((EventKind::GroupJoin, how)))
        }
        Action::Remove { participants, .. } => {
            let people = people(names, participants).await;
            let how = if told.is_author(&people) { "left" } else { "removed" };
            moved(names, &told, "remove", &people, Some((EventKind::GroupLeave, how)))
        }
        Action::Promote { participants } | Action::LinkedGroupPromote { participants } => {
            moved(names, &told, "promote", &people(names, participants).await, None)
        }
        Action::Demote { participants } | Action::LinkedGroupDemote { participants } => {
            moved(names, &told, "demote", &people(names, participants).await, None)
        }
        Action::Create { raw } => created(names, &told, raw),
        Action::Delete { .. } => {
            let me: Vec<Who> = names.me().who().into_iter().collect();
            vec![told.went(EventKind::GroupLeave, "deleted", &me)]
        }
        _ => changed(names, &told).await,
    }
}

/// A group's picture.
pub(super) async fn picture(names: &dyn Names, update: &PictureUpdate) -> Option<Observation> {
    let group = name(names, &update.jid, None).await?;
    let author = match &update.author {
        Some(author) => name(names, author, None).await,
        None => None,
    };
    let by_me = update.author.as_ref().is_some_and(|author| names.me().is(author));
    let mut data = common(&group.address, author.as_ref(), by_me, update.timestamp.timestamp_millis());
    data.insert("change".to_owned(), json!("picture"));
    data.insert("picture".to_owned(), json!({ "id": update.picture_id, "removed": update.removed }));
    Some(Observation::new(EventKind::GroupUpdate, Some(group.address), Value::Object(data)))
}

/// The part of the payload that all events of groups have.
fn common(group: &warest_model::jid::Jid, author: Option<&Who>, by_me: bool, at_ms: i64) -> Map<String, Value> {
    let mut data = Map::from_iter([
        ("chatId".to_owned(), json!(group)),
        ("isGroup".to_owned(), json!(true)),
        ("author".to_owned(), json!(author.map(|who| &who.address))),
        ("timestamp".to_owned(), json!(at_ms)),
        ("tags".to_owned(), if by_me { json!(["inbound", "self"]) } else { json!(["inbound"]) }),
    ]);
    if let Some(lid) = author.and_then(|who| who.lid.as_ref()) {
        data.insert("authorLid".to_owned(), json!(lid));
    }
    data
}

impl Told<'_> {
    fn at_ms(&self) -> i64 {
        self.update.timestamp.timestamp_millis()
    }

    fn common(&self) -> Map<String, Value> {
        common(&self.group, self.author.as_ref(), self.by_me, self.at_ms())
    }

    fn is_author(&self, people: &[Who]) -> bool {
        self.author.as_ref().is_some_and(|author| people.iter().any(|who| who.address == author.address))
    }

    fn observation(&self, kind: EventKind, data: Map<String, Value>) -> Observation {
        let dedup = self.update.notification_id.as_ref().map(|id| {
            let index = self.update.action_index;
            format!("group|{}|{id}|{index}|{kind}", self.group)
        });
        Observation { dedup, ..Observation::new(kind, Some(self.group.clone()), Value::Object(data)) }
    }

    /// Somebody came or went.
    fn went(&self, kind: EventKind, how: &str, people: &[Who]) -> Observation {
        let mut data = self.common();
        add_people(&mut data, people);
        data.insert("how".to_owned(), json!(how));
        self.observation(kind, data)
    }

    fn patch(&self, patch: ChatPatch) -> Change {
        Change::Chat { chat: self.group.clone(), patch, at_ms: self.at_ms() }
    }
}

async fn people(names: &dyn Names, participants: &[GroupParticipantInfo]) -> Vec<Who> {
    let mut people = Vec::with_capacity(participants.len().min(PEOPLE));
    for one in participants.iter().take(PEOPLE) {
        let alt = one.phone_number.as_ref().or(one.lid.as_ref());
        people.extend(name(names, &one.jid, alt).await);
    }
    people
}

async fn people_by_jid(names: &dyn Names, jids: &[Jid]) -> Vec<Who> {
    let mut people = Vec::with_capacity(jids.len().min(PEOPLE));
    for jid in jids.iter().take(PEOPLE) {
        people.extend(name(names, jid, None).await);
    }
    people
}

fn add_people(data: &mut Map<String, Value>, people: &[Who]) {
    let addresses: Vec<_> = people.iter().map(|who| &who.address).collect();
    let lids: Vec<_> = people.iter().map(|who| &who.lid).collect();
    data.insert("participants".to_owned(), json!(addresses));
    data.insert("participantLids".to_owned(), json!(lids));
}

fn how_they_came(told: &Told<'_>, people: &[Who], reason: Option<&str>) -> &'static str {
    match reason {
        Some("linked_group_join") => "community",
        // By a code they come themselves; where that takes an admin, the admin tells.
        Some("invite") if told.is_author(people) => "link",
        Some(_) => "request",
        None if told.is_author(people) => "link",
        None => "added",
    }
}

/// People came, went or became something else. `alone` is what it is, beside that,
/// if they did it themselves or it happened to this account.
fn moved(
    names: &dyn Names,
    told: &Told<'_>,
    action: &str,
    people: &[Who],
    alone: Option<(EventKind, &'static str)>,
) -> Vec<Observation> {
    let mut data = told.common();
    data.insert("action".to_owned(), json!(action));
    add_people(&mut data, people);
    let mut seen = vec![told.observation(EventKind::GroupParticipants, data)];
    let me = names.me().who();
    let Some((kind, how)) = alone else { return seen };
    let by_themselves = !matches!(how, "added" | "removed");
    let mine = |who: &&Who| me.as_ref().is_some_and(|me| me.address == who.address);
    let those: Vec<Who> = match by_themselves {
        true => people.to_vec(),
        false => people.iter().filter(mine).cloned().collect(),
    };
    if !those.is_empty() {
        seen.push(told.went(kind, how, &those));
    }
    seen
}

/// A group was made, or this account was put into one.
fn created(names: &dyn Names, told: &Told<'_>, raw: &Node) -> Vec<Observation> {
    let node = raw.as_node_ref();
    let text = |name: &str| node.attrs().optional_string(name).map(|text| text.into_owned());
    let how = match (text("reason").as_deref(), text("type").as_deref()) {
        (Some("invite"), _) => "link",
        (_, Some("new")) => "created",
        _ => "added",
    };
    let subject = node
        .get_optional_child("group")
        .and_then(|group| group.attrs().optional_string("subject").map(|subject| subject.into_owned()));
    let me: Vec<Who> = names.me().who().into_iter().collect();
    let mut seen = told.went(EventKind::GroupJoin, how, &me);
    if let Some(subject) = subject {
        seen.data["subject"] = json!(subject);
        seen.changes.push(told.patch(ChatPatch { name: Some(subject), ..ChatPatch::default() }));
    }
    vec![seen]
}

/// A setting or a part of the group's description changed.
async fn changed(names: &dyn Names, told: &Told<'_>) -> Vec<Observation> {
    let mut data = told.common();
    let mut changes = Vec::new();
    let (change, value) = match &told.update.action {
        Action::Subject { subject, .. } => {
            changes.push(told.patch(ChatPatch { name: Some(subject.clone()), ..ChatPatch::default() }));
            ("subject", Some(("subject", json!(subject))))
        }
        Action::Description { description, .. } => ("description", Some(("description", json!(description)))),
        Action::Locked { .. } => ("locked", Some(("locked", json!(true)))),
        Action::Unlocked => ("locked", Some(("locked", json!(false)))),
        Action::Announce => ("announce", Some(("announce", json!(true)))),
        Action::NotAnnounce => ("announce", Some(("announce", json!(false)))),
        Action::Ephemeral { expiration, .. } => {
            let seconds = Some(*expiration).filter(|seconds| *seconds > 0);
            changes.push(told.patch(ChatPatch { ephemeral_seconds: Some(seconds), ..ChatPatch::default() }));
            ("ephemeral", Some(("ephemeral", json!(expiration))))
        }
        Action::MembershipApprovalMode { enabled } => ("approval_mode", Some(("approvalMode", json!(enabled)))),
        Action::MemberAddMode { mode } => {
            let who = if mode == "all_member_add" { "all" } else { "admins" };
            ("member_add_mode", Some(("memberAddMode", json!(who))))
        }
        Action::NoFrequentlyForwarded => ("frequently_forwarded", Some(("frequentlyForwarded", json!(false)))),
        Action::FrequentlyForwardedOk => ("frequently_forwarded", Some(("frequentlyForwarded", json!(true)))),
        Action::Invite { code } => ("invite", Some(("invite", json!(code)))),
        Action::RevokeInvite => ("invite", Some(("invite", Value::Null))),
        Action::Modify { participants } => {
            add_people(&mut data, &people(names, participants).await);
            ("member_number", None)
        }
        // The one who asks is the author.
        Action::MembershipApprovalRequest { request_method, .. } => {
            let people: Vec<Who> = told.author.clone().into_iter().collect();
            add_people(&mut data, &people);
            ("join_request", Some(("method", json!(request_method.as_str()))))
        }
        Action::CreatedMembershipRequests { request_method, requests, .. } => {
            add_people(&mut data, &people(names, requests).await);
            ("join_request", Some(("method", json!(request_method.as_str()))))
        }
        Action::RevokedMembershipRequests { participants } => {
            add_people(&mut data, &people_by_jid(names, participants).await);
            ("join_request_revoked", None)
        }
        Action::Link { link_type, raw } => {
            data.insert("groups".to_owned(), linked(raw));
            ("linked", Some(("linked", json!(link_type))))
        }
        Action::Unlink { unlink_type, raw, .. } => {
            data.insert("groups".to_owned(), linked(raw));
            ("unlinked", Some(("unlinked", json!(unlink_type))))
        }
        other => {
            data.insert("change".to_owned(), json!(other.tag_name()));
            return vec![told.observation(EventKind::GroupUpdate, data)];
        }
    };
    data.insert("change".to_owned(), json!(change));
    if let Some((name, value)) = value {
        data.insert(name.to_owned(), value);
    }
    vec![Observation { changes, ..told.observation(EventKind::GroupUpdate, data) }]
}

/// The groups that a community gained or lost.
fn linked(raw: &Node) -> Value {
    let node = raw.as_node_ref();
    let groups = node.children().into_iter().flatten().filter(|child| child.tag == "group");
    let jid = |id: &str| match id.contains('@') {
        true => id.to_owned(),
        false => format!("{id}@g.us"),
    };
    let shown = groups.take(PEOPLE).filter_map(|group| {
        let mut attributes = group.attrs();
        let id = attributes.optional_string("jid").or_else(|| attributes.optional_string("id"))?;
        Some(json!({ "jid": jid(&id), "subject": attributes.optional_string("subject") }))
    });
    Value::Array(shown.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::who::testing::book;
    use super::*;
    use whatsapp_rust::NodeBuilder;
    use whatsapp_rust::chrono::DateTime;
    use whatsapp_rust::wacore::stanza::groups::MembershipRequestMethod;

    const GROUP: &str = "120363025386030504@g.us";
    const ANI: &str = "62811111@s.whatsapp.net";
    const BUDI: &str = "62822222@s.whatsapp.net";
    const ME: &str = "62899999@s.whatsapp.net";

    fn update(author: &str, action: Action) -> GroupUpdate {
        GroupUpdate::builder()
            .group_jid(GROUP.parse().unwrap())
            .notification_id("N1".into())
            .participant(author.parse().unwrap())
            .timestamp(DateTime::from_timestamp(1_732_364_392, 0).unwrap())
            .is_lid_addressing_mode(true)
            .action(action)
            .build()
    }

    fn person(jid: &str) -> GroupParticipantInfo {
        GroupParticipantInfo {
            jid: jid.parse().unwrap(),
            phone_number: None,
            display_name: None,
            r#type: None,
            lid: None,
            username: None,
            join_time: None,
            group_history_sent_state: None,
        }
    }

    async fn seen(author: &str, action: Action) -> Vec<Observation> {
        observe(&book(), &update(author, action)).await
    }

    fn kinds(seen: &[Observation]) -> Vec<EventKind> {
        seen.iter().map(|one| one.kind).collect()
    }

    #[tokio::test]
    async fn people_are_named_by_number_and_lid() {
        let added =
            seen("10000100:2@lid", Action::Add { participants: vec![person("20000200@lid")], reason: None }).await;
        assert_eq!(kinds(&added), [EventKind::GroupParticipants]);
        assert_eq!(
            added[0].data,
            json!({
                "chatId": GROUP, "isGroup": true, "author": ANI, "authorLid": "10000100@lid",
                "timestamp": 1_732_364_392_000_i64, "tags": ["inbound"], "action": "add",
                "participants": [BUDI], "participantLids": ["20000200@lid"],
            })
        );
        assert_eq!(added[0].dedup.as_deref(), Some(&*format!("group|{GROUP}|N1|0|group_participants")));
        assert_eq!(added[0].chat.as_ref().unwrap().as_str(), GROUP);
    }

    #[tokio::test]
    async fn who_comes_or_goes_by_themselves_joins_or_leaves() {
        let with =
            |reason: Option<&str>| Action::Add { participants: vec![person(BUDI)], reason: reason.map(Into::into) };
        for (author, action, how) in [
            (BUDI, with(None), "link"),
            (BUDI, with(Some("invite")), "link"),
            (ANI, with(Some("invite")), "request"),
            (ANI, with(Some("approved")), "request"),
        ] {
            let joined = seen(author, action).await;
            assert_eq!(kinds(&joined), [EventKind::GroupParticipants, EventKind::GroupJoin]);
            assert_eq!((&joined[1].data["how"], &joined[1].data["participants"]), (&json!(how), &json!([BUDI])));
        }
        let left = seen(BUDI, Action::Remove { participants: vec![person("20000200@lid")], reason: None }).await;
        assert_eq!(kinds(&left), [EventKind::GroupParticipants, EventKind::GroupLeave]);
        assert_eq!(left[1].data["how"], "left");
        let removed = seen(ANI, Action::Remove { participants: vec![person(BUDI)], reason: None }).await;
        assert_eq!(kinds(&removed), [EventKind::GroupParticipants]);
    }

    #[tokio::test]
    async fn what_happens_to_this_account_is_a_join_or_a_leave() {
        let both = vec![person(BUDI), person("99900999@lid")];
        let added = seen(ANI, Action::Add { participants: both.clone(), reason: None }).await;
        assert_eq!((&added[1].data["how"], &added[1].data["participants"]), (&json!("added"), &json!([ME])));
        let removed = seen(ANI, Action::Remove { participants: both, reason: None }).await;
        assert_eq!((&removed[1].data["how"], &removed[1].data["participants"]), (&json!("removed"), &json!([ME])));
        let group = NodeBuilder::new("group").attr("subject", "Team").build();
        let raw = NodeBuilder::new("create").attr("type", "new").children([group]).build();
        let created = seen(ANI, Action::Create { raw }).await;
        assert_eq!((kinds(&created), &created[0].data["how"]), (vec![EventKind::GroupJoin], &json!("created")));
        assert_eq!(created[0].data["subject"], "Team");
        assert!(matches!(&created[0].changes[0], Change::Chat { patch, .. } if patch.name.as_deref() == Some("Team")));
        let gone = seen(ANI, Action::Delete { reason: None }).await;
        assert_eq!((kinds(&gone), &gone[0].data["how"]), (vec![EventKind::GroupLeave], &json!("deleted")));
    }

    #[tokio::test]
    async fn settings_have_their_new_value_under_their_name() {
        let request = Action::CreatedMembershipRequests {
            request_method: MembershipRequestMethod::InviteLink,
            parent_group_jid: None,
            requests: vec![person(BUDI)],
        };
        let subject = Action::Subject { subject: "New".into(), subject_owner: None, subject_time: None };
        let all = [
            (subject, "subject", "subject", json!("New")),
            (Action::Description { id: "D".into(), description: None }, "description", "description", Value::Null),
            (Action::Announce, "announce", "announce", json!(true)),
            (Action::Unlocked, "locked", "locked", json!(false)),
            (Action::Ephemeral { expiration: 60, trigger: None }, "ephemeral", "ephemeral", json!(60)),
            (Action::MembershipApprovalMode { enabled: true }, "approval_mode", "approvalMode", json!(true)),
            (Action::MemberAddMode { mode: "admin_add".into() }, "member_add_mode", "memberAddMode", json!("admins")),
            (Action::Invite { code: "CODE".into() }, "invite", "invite", json!("CODE")),
            (request, "join_request", "participants", json!([BUDI])),
            (Action::Suspended, "suspended", "chatId", json!(GROUP)),
        ];
        for (action, change, name, value) in all {
            let seen = seen(ANI, action).await;
            assert_eq!(kinds(&seen), [EventKind::GroupUpdate]);
            assert_eq!((&seen[0].data["change"], &seen[0].data[name]), (&json!(change), &value));
        }
        let own = seen(ME, Action::NotAnnounce).await;
        assert_eq!(own[0].data["tags"], json!(["inbound", "self"]));
    }
}
