//! What people do with groups at their phones: create them, change who is in and what is set, join
//! and leave. `POST /phones/{phone}/groups…`, `POST /phones/{phone}/join`, `GET /groups…`.

use super::{Body, Control, Failure, body};
use crate::error::SimnetError;
use crate::server::group::act::{self, Act, New, Outcome};
use crate::server::group::join::{self, Joined};
use crate::server::group::settings::{self, Setting};
use crate::server::group::state::{Group, Text};
use crate::server::group::{id_in, jid};
use crate::server::iq::picture;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

/// A group as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupInfo {
    /// Its JID.
    pub id: String,
    /// Its name.
    pub subject: String,
    /// Its description, if it has one.
    pub description: Option<String>,
    /// The number of who made it.
    pub owner: String,
    /// Its members, by number.
    pub participants: Vec<GroupMember>,
    /// What is set in it.
    pub settings: GroupSettings,
    /// Its invite code.
    pub invite: String,
    /// The numbers that ask to join.
    pub requests: Vec<String>,
    /// The id of its picture, if it has one.
    pub picture: Option<String>,
    /// The community it belongs to, if any.
    pub community: Option<String>,
    /// Whether it is a community itself.
    pub is_community: bool,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// The number.
    pub phone: String,
    /// `member`, `admin` or `superadmin`.
    pub rank: String,
}

/// What is set in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSettings {
    /// Only admins write.
    pub announcement: bool,
    /// Only admins change subject, description and picture.
    pub locked: bool,
    /// Joining needs an admin's approval.
    pub approval: bool,
    /// Seconds until messages disappear; 0 for never.
    pub ephemeral: u32,
    /// Only admins add members.
    pub admin_add: bool,
}

/// Settings to change; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct GroupChange {
    /// Only admins write.
    pub announcement: Option<bool>,
    /// Only admins change subject, description and picture.
    pub locked: Option<bool>,
    /// Joining needs an admin's approval.
    pub approval: Option<bool>,
    /// Seconds until messages disappear; 0 for never.
    pub ephemeral: Option<u32>,
    /// Only admins add members.
    pub admin_add: Option<bool>,
}

/// What can be done with participants of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupAction {
    /// Makes accounts members.
    Add,
    /// Takes members off.
    Remove,
    /// Makes members admins.
    Promote,
    /// Makes admins members.
    Demote,
    /// Lets those in who ask.
    Approve,
    /// Turns those down who ask.
    Reject,
}

/// What became of one participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participation {
    /// The number.
    pub phone: String,
    /// 200, or the code of why it was not done.
    pub status: u16,
}

impl Control {
    /// A phone creates a group. Returns its JID.
    pub async fn create_group(
        &self,
        phone: &str,
        subject: &str,
        participants: &[&str],
        description: Option<&str>,
    ) -> Result<String, SimnetError> {
        let account = self.net.require(phone)?;
        let by = account.phone.to_string();
        let at = crate::chance::now();
        let description = description.map(|text| Text { id: self.net.chance.stanza_id(), text: text.into(), by, at });
        let participants = participants.iter().map(|phone| Jid::pn(*phone)).collect();
        let new = New { subject: subject.to_owned(), description, participants, ..New::default() };
        let (group, _) = act::create(&self.net, &account, new)?;
        Ok(jid(&group.id).to_string())
    }

    /// All groups.
    pub async fn groups(&self) -> Vec<GroupInfo> {
        self.net.groups.all().into_iter().map(info).collect()
    }

    /// One group.
    pub async fn group(&self, id: &str) -> Result<GroupInfo, SimnetError> {
        Ok(info(self.net.groups.read(id_in(id), |group| Ok(group.clone()))?))
    }

    /// A phone changes participants of a group, or decides on those who ask to join.
    pub async fn change_group(
        &self,
        phone: &str,
        id: &str,
        action: GroupAction,
        participants: &[&str],
    ) -> Result<Vec<Participation>, SimnetError> {
        let account = self.net.require(phone)?;
        let whom: Vec<Jid> = participants.iter().map(|phone| Jid::pn(*phone)).collect();
        let id = id_in(id);
        let act = match action {
            GroupAction::Add => Act::Add,
            GroupAction::Remove => Act::Remove,
            GroupAction::Promote => Act::Promote,
            GroupAction::Demote => Act::Demote,
            GroupAction::Approve | GroupAction::Reject => {
                let approve = action == GroupAction::Approve;
                return Ok(join::decide(&self.net, &account, id, approve, whom)?.iter().map(participation).collect());
            }
        };
        Ok(act::change(&self.net, &account, id, act, whom)?.iter().map(participation).collect())
    }

    /// A phone sets a group's subject.
    pub async fn set_group_subject(&self, phone: &str, id: &str, subject: &str) -> Result<(), SimnetError> {
        Ok(settings::subject(&self.net, &*self.net.require(phone)?, id_in(id), subject)?)
    }

    /// A phone sets a group's description; an empty one takes it away.
    pub async fn set_group_description(&self, phone: &str, id: &str, text: &str) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        let previous = settings::description_id(&self.net, id_in(id))?;
        let text = (!text.is_empty()).then(|| (self.net.chance.stanza_id(), text.to_owned()));
        Ok(settings::description(&self.net, &account, id_in(id), text, previous.as_deref())?)
    }

    /// A phone changes settings of a group.
    pub async fn set_group_settings(&self, phone: &str, id: &str, change: GroupChange) -> Result<(), SimnetError> {
        let account = self.net.require(phone)?;
        let wanted = [
            change.announcement.map(Setting::Announcement),
            change.locked.map(Setting::Locked),
            change.approval.map(Setting::Approval),
            change.ephemeral.map(Setting::Ephemeral),
            change.admin_add.map(Setting::AdminAdd),
        ];
        for setting in wanted.into_iter().flatten() {
            settings::set(&self.net, &account, id_in(id), setting)?;
        }
        Ok(())
    }

    /// A phone sets a group's picture; no bytes take it away. Returns its id.
    pub async fn set_group_picture(&self, phone: &str, id: &str, bytes: &[u8]) -> Result<Option<String>, SimnetError> {
        let account = self.net.require(phone)?;
        Ok(settings::picture(&self.net, &account, id_in(id), picture_of(self, bytes)?)?)
    }

    /// A phone leaves a group.
    pub async fn leave_group(&self, phone: &str, id: &str) -> Result<(), SimnetError> {
        Ok(act::leave(&self.net, &*self.net.require(phone)?, id_in(id))?)
    }

    /// A group's invite code, which a phone reads or makes anew.
    pub async fn group_invite(&self, phone: &str, id: &str, revoke: bool) -> Result<String, SimnetError> {
        let account = self.net.require(phone)?;
        let id = id_in(id);
        let code = if revoke {
            settings::reset_invite(&self.net, &account, id)
        } else {
            settings::invite(&self.net, &account, id)
        };
        Ok(code?)
    }

    /// A phone joins a group with an invite code. Returns the group, and whether the phone is in;
    /// otherwise an admin has to approve.
    pub async fn join_group(&self, phone: &str, code: &str) -> Result<(String, bool), SimnetError> {
        let code = code.rsplit('/').next().unwrap_or_default();
        let (id, joined) = join::by_code(&self.net, &*self.net.require(phone)?, code)?;
        Ok((jid(&id).to_string(), joined == Joined::In))
    }
}

/// A picture as it is kept; `None` for no bytes.
pub(super) fn picture_of(control: &Control, bytes: &[u8]) -> Result<Option<crate::person::Picture>, SimnetError> {
    if bytes.len() > picture::PICTURE {
        return Err(SimnetError::Invalid(format!("a picture has at most {} bytes", picture::PICTURE)));
    }
    Ok((!bytes.is_empty()).then(|| picture::fresh(&control.net, bytes)))
}

fn participation(outcome: &Outcome) -> Participation {
    let phone = outcome.jids.as_ref().map_or_else(|| outcome.wanted.user.to_string(), |(_, pn)| pn.user.to_string());
    Participation { phone, status: outcome.error.unwrap_or(200) }
}

fn info(group: Group) -> GroupInfo {
    let rank = |rank| serde_json::to_value(rank).ok().and_then(|value| value.as_str().map(str::to_owned));
    GroupInfo {
        id: jid(&group.id).to_string(),
        subject: group.subject.text,
        description: group.description.map(|text| text.text),
        owner: group.creator,
        participants: group
            .members
            .into_iter()
            .map(|(phone, member)| GroupMember { phone, rank: rank(member.rank).unwrap_or_default() })
            .collect(),
        settings: GroupSettings {
            announcement: group.settings.announcement,
            locked: group.settings.locked,
            approval: group.settings.approval,
            ephemeral: group.settings.ephemeral,
            admin_add: group.settings.admin_add,
        },
        invite: group.invite,
        requests: group.requests.into_keys().collect(),
        picture: group.picture.map(|picture| picture.id),
        community: group.place.linked.map(|id| jid(&id).to_string()),
        is_community: group.place.parent,
    }
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/groups", get(list))
        .route("/groups/{id}", get(one))
        .route("/phones/{phone}/groups", post(create))
        .route("/phones/{phone}/groups/{id}/subject", post(subject))
        .route("/phones/{phone}/groups/{id}/description", post(description))
        .route("/phones/{phone}/groups/{id}/settings", post(set))
        .route("/phones/{phone}/groups/{id}/picture", post(set_picture))
        .route("/phones/{phone}/groups/{id}/leave", post(leave))
        .route("/phones/{phone}/groups/{id}/invite", post(invite))
        .route("/phones/{phone}/groups/{id}/invite/revoke", post(revoke))
        .route("/phones/{phone}/groups/{id}/{action}", post(change))
        .route("/phones/{phone}/join", post(join_by_code))
}

type Answer = Result<Json<serde_json::Value>, Failure>;

async fn list(State(control): State<Control>) -> Json<Vec<GroupInfo>> {
    Json(control.groups().await)
}

async fn one(State(control): State<Control>, Path(id): Path<String>) -> Result<Json<GroupInfo>, Failure> {
    Ok(Json(control.group(&id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    subject: String,
    #[serde(default)]
    participants: Vec<String>,
    #[serde(default)]
    description: Option<String>,
}

async fn create(
    State(control): State<Control>,
    Path(phone): Path<String>,
    bytes: Body,
) -> Result<(StatusCode, Json<serde_json::Value>), Failure> {
    let Create { subject, participants, description } = body(bytes)?;
    let participants: Vec<&str> = participants.iter().map(String::as_str).collect();
    let id = control.create_group(&phone, &subject, &participants, description.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "id": id }))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    participants: Vec<String>,
}

async fn change(
    State(control): State<Control>,
    Path((phone, id, action)): Path<(String, String, String)>,
    bytes: Body,
) -> Result<Json<Vec<Participation>>, Failure> {
    let action: GroupAction = serde_json::from_value(action.into()).map_err(|_| Failure(SimnetError::UnknownRoute))?;
    let Change { participants } = body(bytes)?;
    let participants: Vec<&str> = participants.iter().map(String::as_str).collect();
    Ok(Json(control.change_group(&phone, &id, action, &participants).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    subject: String,
}

async fn subject(State(control): State<Control>, Path((phone, id)): Path<(String, String)>, bytes: Body) -> Answer {
    let Subject { subject } = body(bytes)?;
    control.set_group_subject(&phone, &id, &subject).await?;
    Ok(Json(serde_json::json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    text: String,
}

async fn description(State(control): State<Control>, Path((phone, id)): Path<(String, String)>, bytes: Body) -> Answer {
    let Description { text } = body(bytes)?;
    control.set_group_description(&phone, &id, &text).await?;
    Ok(Json(serde_json::json!({})))
}

async fn set(State(control): State<Control>, Path((phone, id)): Path<(String, String)>, bytes: Body) -> Answer {
    control.set_group_settings(&phone, &id, body(bytes)?).await?;
    Ok(Json(serde_json::json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPicture {
    /// In base64; empty takes it away.
    picture: String,
}

async fn set_picture(State(control): State<Control>, Path((phone, id)): Path<(String, String)>, bytes: Body) -> Answer {
    let SetPicture { picture } = body(bytes)?;
    let bytes = STANDARD.decode(picture).map_err(|_| SimnetError::Invalid("picture is not base64".into()))?;
    let id = control.set_group_picture(&phone, &id, &bytes).await?;
    Ok(Json(serde_json::json!({ "picture": id })))
}

async fn leave(State(control): State<Control>, Path((phone, id)): Path<(String, String)>) -> Answer {
    control.leave_group(&phone, &id).await?;
    Ok(Json(serde_json::json!({})))
}

async fn invite(State(control): State<Control>, Path((phone, id)): Path<(String, String)>) -> Answer {
    let code = control.group_invite(&phone, &id, false).await?;
    Ok(Json(serde_json::json!({ "code": code })))
}

async fn revoke(State(control): State<Control>, Path((phone, id)): Path<(String, String)>) -> Answer {
    let code = control.group_invite(&phone, &id, true).await?;
    Ok(Json(serde_json::json!({ "code": code })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    code: String,
}

async fn join_by_code(State(control): State<Control>, Path(phone): Path<String>, bytes: Body) -> Answer {
    let Join { code } = body(bytes)?;
    let (id, joined) = control.join_group(&phone, &code).await?;
    Ok(Json(serde_json::json!({ "id": id, "joined": joined })))
}
