//! A double of an open account: two groups, a community, a few people. What is
//! changed is noted, and the next answers can be refused.

use async_trait::async_trait;
use std::sync::Mutex;
use warest_link::Account;
use warest_model::fault::Fault;
use warest_model::group::{
    Group, GroupSetting, JoinRequest, Joined, MemberChange, MemberOutcome, NewGroup, Participant, Rank, Who,
};
use warest_model::history::Label;
use warest_model::jid::Jid;
use warest_model::people::{Business, Newsletter, NewsletterPost, OnWhatsapp, Privacy, Profile};

/// The account's own number, and its LID.
pub const ME: &str = "628999000111";
pub const MY_LID: &str = "99900011122@lid";
/// A group that the account manages.
pub const SQUAD: &str = "120363111111111111@g.us";
/// A community.
pub const COMMUNITY: &str = "120363222222222222@g.us";
/// A person, and one whose number has no account.
pub const ANNA: &str = "6281100000001";
pub const NOBODY: &str = "6281100000404";
/// One who does not let everybody add them to groups.
pub const SHY: &str = "6281100000403";
pub const NEWSLETTER: &str = "120363333333333333@newsletter";

/// An invitation that leads to the group, and one that leads to a group whose
/// admins approve who joins.
pub const INVITE: &str = "AbCdEf";
pub const APPROVED_INVITE: &str = "NeedsApproval";

#[derive(Default)]
pub struct FakeAccount {
    /// What was changed, in order.
    pub changed: Mutex<Vec<String>>,
    /// What the next questions answer.
    pub refuse: Mutex<Option<Fault>>,
    /// The picture that was set last.
    pub picture: Mutex<Option<Vec<u8>>>,
}

pub fn jid(text: &str) -> Jid {
    Jid::parse(text, "62").unwrap()
}

pub fn squad() -> Group {
    let member = |who: &str, lid: Option<&str>, rank| Participant { jid: jid(who), lid: lid.map(jid), rank };
    Group {
        id: jid(SQUAD),
        subject: "Team Squad".to_owned(),
        subject_by: Some(jid(ME)),
        subject_ms: Some(1_700_000_001_000),
        description: Some("Internal chat".to_owned()),
        description_id: Some("D1".to_owned()),
        description_by: Some(jid("777000@lid")),
        description_ms: Some(1_700_000_002_000),
        owner: Some(jid(ME)),
        owner_country: Some("ID".to_owned()),
        created_ms: Some(1_700_000_000_000),
        addressing: "lid".to_owned(),
        edits: Who::Admins,
        writes: Who::Everyone,
        adds: Who::Everyone,
        approval: false,
        ephemeral_seconds: Some(86_400),
        community: Some(jid(COMMUNITY)),
        is_community: false,
        is_community_announce: false,
        size: 3,
        participants: vec![
            member(ME, Some(MY_LID), Rank::Owner),
            member(ANNA, Some("111000@lid"), Rank::Admin),
            member("222000@lid", Some("222000@lid"), Rank::Member),
        ],
    }
}

fn community() -> Group {
    Group { id: jid(COMMUNITY), subject: "All of us".to_owned(), community: None, is_community: true, ..squad() }
}

fn channel() -> Newsletter {
    Newsletter {
        id: jid(NEWSLETTER),
        name: "News".to_owned(),
        description: Some("What is new".to_owned()),
        subscribers: 7,
        verified: true,
        role: Some("subscriber".to_owned()),
        invite: Some("0029Va".to_owned()),
        created_ms: Some(1_700_000_000_000),
    }
}

impl FakeAccount {
    fn answer<T>(&self, answer: T) -> Result<T, Fault> {
        match self.refuse.lock().unwrap().clone() {
            Some(fault) => Err(fault),
            None => Ok(answer),
        }
    }

    fn change(&self, what: String) -> Result<(), Fault> {
        self.answer(())?;
        self.changed.lock().unwrap().push(what);
        Ok(())
    }

    fn outcomes(members: &[Jid]) -> Vec<MemberOutcome> {
        let error = |jid: &Jid| match jid.user() {
            SHY => Some(403),
            NOBODY => Some(404),
            _ => None,
        };
        members.iter().map(|jid| MemberOutcome { jid: jid.clone(), error: error(jid) }).collect()
    }
}

#[async_trait]
impl Account for FakeAccount {
    async fn groups(&self) -> Result<Vec<Group>, Fault> {
        let bare = |group: Group| Group { participants: Vec::new(), ..group };
        self.answer(vec![bare(squad()), bare(community())])
    }

    async fn group(&self, group: &Jid) -> Result<Group, Fault> {
        match group.as_str() {
            SQUAD => self.answer(squad()),
            COMMUNITY => self.answer(community()),
            _ => Err(Fault::fail("group_not_found", "there is no such group")),
        }
    }

    async fn create_group(&self, new: &NewGroup) -> Result<(Group, Vec<MemberOutcome>), Fault> {
        self.change(format!("create {} {:?}", new.subject, new.participants))?;
        Ok((Group { subject: new.subject.clone(), ..squad() }, Self::outcomes(&new.participants)))
    }

    async fn change_members(
        &self,
        group: &Jid,
        members: &[Jid],
        change: MemberChange,
    ) -> Result<Vec<MemberOutcome>, Fault> {
        let users: Vec<&str> = members.iter().map(Jid::user).collect();
        self.change(format!("{change:?} {group} {}", users.join(",")))?;
        Ok(Self::outcomes(members))
    }

    async fn join_requests(&self, _: &Jid) -> Result<Vec<JoinRequest>, Fault> {
        self.answer(vec![JoinRequest {
            jid: jid(ANNA),
            lid: Some(jid("111000@lid")),
            requested_ms: Some(1_700_000_003_000),
        }])
    }

    async fn set_group(&self, group: &Jid, setting: &GroupSetting) -> Result<(), Fault> {
        self.change(format!("{setting:?} {group}"))
    }

    async fn group_invite(&self, group: &Jid, renew: bool) -> Result<String, Fault> {
        self.change(format!("invite {renew} {group}"))?;
        Ok(if renew { "Renewed" } else { INVITE }.to_owned())
    }

    async fn group_by_invite(&self, code: &str) -> Result<Group, Fault> {
        match code {
            INVITE | APPROVED_INVITE => self.answer(squad()),
            _ => Err(Fault::fail("invite_invalid", "this invitation leads nowhere")),
        }
    }

    async fn join_group(&self, code: &str) -> Result<Joined, Fault> {
        self.change(format!("join {code}"))?;
        match code {
            APPROVED_INVITE => Ok(Joined::Pending(jid(SQUAD))),
            _ => Ok(Joined::Member(jid(SQUAD))),
        }
    }

    async fn leave_group(&self, group: &Jid) -> Result<(), Fault> {
        self.change(format!("leave {group}"))
    }

    async fn create_community(&self, subject: &str, _: Option<&str>) -> Result<Group, Fault> {
        self.change(format!("community {subject}"))?;
        Ok(Group { subject: subject.to_owned(), ..community() })
    }

    async fn community_groups(&self, _: &Jid) -> Result<Vec<Group>, Fault> {
        self.answer(vec![squad()])
    }

    async fn link_groups(&self, _: &Jid, groups: &[Jid], linked: bool) -> Result<Vec<MemberOutcome>, Fault> {
        self.change(format!("link {linked} {}", groups.len()))?;
        Ok(groups.iter().map(|jid| MemberOutcome { jid: jid.clone(), error: None }).collect())
    }

    async fn on_whatsapp(&self, numbers: &[Jid]) -> Result<Vec<OnWhatsapp>, Fault> {
        let look = |jid: &Jid| OnWhatsapp {
            jid: jid.clone(),
            exists: jid.user() != NOBODY,
            lid: (jid.user() == ANNA).then(|| self::jid("111000@lid")),
            business: jid.user() == ME,
        };
        self.answer(numbers.iter().map(look).collect())
    }

    async fn profile(&self, _: &Jid) -> Result<Profile, Fault> {
        self.answer(Profile {
            about: Some("Fast response".to_owned()),
            picture_url: None,
            verified_name: Some("Customer Store".to_owned()),
            devices: vec![0, 12],
            lid: None,
        })
    }

    async fn picture(&self, of: &Jid, preview: bool) -> Result<Option<String>, Fault> {
        let kind = if preview { "preview" } else { "full" };
        self.answer(Some(format!("https://pps.whatsapp.net/{kind}/{}.jpg", of.user())))
    }

    async fn business(&self, of: &Jid) -> Result<Option<Business>, Fault> {
        let page = Business {
            description: Some("Coffee".to_owned()),
            address: Some("Jl. Kopi 1".to_owned()),
            email: Some("hi@example.com".to_owned()),
            websites: vec!["https://example.com".to_owned()],
            categories: vec!["Restaurant".to_owned()],
            hours: serde_json::json!({ "timezone": "Asia/Jakarta", "business_config": [
                { "day_of_week": "mon", "mode": "specific_hours", "open_time": 480, "close_time": 1020 },
            ] }),
        };
        self.answer((of.user() == ME).then_some(page))
    }

    async fn blocked(&self) -> Result<Vec<Jid>, Fault> {
        self.answer(vec![jid(SHY)])
    }

    async fn block(&self, whom: &Jid, on: bool) -> Result<(), Fault> {
        self.change(format!("block {on} {whom}"))
    }

    async fn subscribe_presence(&self, to: &Jid) -> Result<(), Fault> {
        self.change(format!("watch {to}"))
    }

    async fn other_name(&self, of: &Jid) -> Result<Option<Jid>, Fault> {
        self.answer(match of.user() {
            ME => Some(jid(MY_LID)),
            ANNA => Some(jid("111000@lid")),
            "111000" => Some(jid(ANNA)),
            _ => None,
        })
    }

    async fn set_picture(&self, group: Option<&Jid>, jpeg: Option<Vec<u8>>) -> Result<Option<String>, Fault> {
        let whose = group.map_or_else(|| "mine".to_owned(), Jid::to_string);
        self.change(format!("picture {whose} {}", jpeg.is_some()))?;
        let id = jpeg.is_some().then(|| "PICTURE".to_owned());
        *self.picture.lock().unwrap() = jpeg;
        Ok(id)
    }

    async fn set_about(&self, about: &str) -> Result<(), Fault> {
        self.change(format!("about {about}"))
    }

    async fn set_push_name(&self, name: &str) -> Result<(), Fault> {
        self.change(format!("name {name}"))
    }

    async fn push_name(&self) -> Result<String, Fault> {
        self.answer("The Shop".to_owned())
    }

    async fn privacy(&self) -> Result<Vec<Privacy>, Fault> {
        let one = |category: &str, value: &str| Privacy { category: category.to_owned(), value: value.to_owned() };
        self.answer(vec![one("last", "contacts"), one("online", "match_last_seen"), one("readreceipts", "all")])
    }

    async fn set_privacy(&self, privacy: &Privacy) -> Result<(), Fault> {
        self.change(format!("privacy {} {}", privacy.category, privacy.value))
    }

    async fn set_default_ephemeral(&self, seconds: u32) -> Result<(), Fault> {
        self.change(format!("disappearing {seconds}"))
    }

    async fn set_ephemeral(&self, chat: &Jid, seconds: u32) -> Result<(), Fault> {
        self.change(format!("disappearing {seconds} {chat}"))
    }

    async fn devices(&self) -> Result<Vec<u16>, Fault> {
        self.answer(vec![12, 0])
    }

    async fn own_device(&self) -> Result<u16, Fault> {
        self.answer(12)
    }

    async fn reject_call(&self, call_id: &str, from: &Jid) -> Result<(), Fault> {
        self.change(format!("reject {call_id} {from}"))
    }

    async fn save_label(&self, label: &Label) -> Result<(), Fault> {
        self.change(format!("label {} {} {}", label.id, label.name, label.color))
    }

    async fn remove_label(&self, id: &str) -> Result<(), Fault> {
        self.change(format!("no label {id}"))
    }

    async fn label_chat(&self, label: &str, chat: &Jid, on: bool) -> Result<(), Fault> {
        self.change(format!("label {label} {chat} {on}"))
    }

    async fn save_contact(&self, whom: &Jid, full_name: &str, _: Option<&str>) -> Result<(), Fault> {
        self.change(format!("contact {whom} {full_name}"))
    }

    async fn newsletters(&self) -> Result<Vec<Newsletter>, Fault> {
        self.answer(vec![channel()])
    }

    async fn newsletter(&self, id_or_invite: &str) -> Result<Newsletter, Fault> {
        match id_or_invite {
            NEWSLETTER | "0029Va" => self.answer(channel()),
            _ => Err(Fault::fail("newsletter_not_found", "there is no such newsletter")),
        }
    }

    async fn create_newsletter(&self, name: &str, _: Option<&str>) -> Result<Newsletter, Fault> {
        self.change(format!("newsletter {name}"))?;
        Ok(Newsletter { name: name.to_owned(), ..channel() })
    }

    async fn follow_newsletter(&self, newsletter: &Jid, on: bool) -> Result<(), Fault> {
        self.change(format!("follow {on} {newsletter}"))
    }

    async fn newsletter_posts(&self, _: &Jid, count: u32, before: Option<u64>) -> Result<Vec<NewsletterPost>, Fault> {
        let post = |server_id| NewsletterPost {
            server_id,
            id: Some("POST".to_owned()),
            ts_ms: 1_700_000_004_000,
            text: Some("Hello".to_owned()),
            content_type: "text".to_owned(),
            views: Some(3),
            reactions: vec![("👍".to_owned(), 2)],
        };
        let last = before.unwrap_or(100);
        self.answer((0..u64::from(count.min(2))).map(|at| post(last - 1 - at)).collect())
    }

    async fn react_to_post(&self, newsletter: &Jid, server_id: u64, emoji: &str) -> Result<(), Fault> {
        self.change(format!("react {newsletter} {server_id} {emoji}"))
    }
}

/// What an account answers who is no admin.
pub fn no_admin() -> Fault {
    Fault::fail("not_admin", "only an admin may do this")
}
