//! `POST /group/participants/add`, `/promote`, `/demote` and
//! `DELETE /group/participants/remove`: who is in a group, and as what. Each
//! member has an outcome of their own.

use crate::codes::{self, Code};
use crate::envelope::Reply;
use crate::error::{ApiError, ApiResult};
use crate::extract::{AboutGroup, OneOrMany, required};
use crate::faults::Question;
use crate::view::outcome_json;
use serde::Deserialize;
use serde_json::{Value, json};
use warest_model::group::{MemberChange, MemberOutcome};
use warest_model::jid::Jid;

/// Most members of one request: as many as a group has.
pub const MEMBERS: usize = 1_024;

/// Who.
#[derive(Debug, Deserialize)]
pub struct Members {
    participants: Option<OneOrMany<MEMBERS>>,
}

type Ask = AboutGroup<Members>;

/// They become members.
pub async fn add(ask: Ask) -> ApiResult {
    let outcomes = change(&ask, MemberChange::Add, Question::Add).await?;
    let lists = Lists { done: "addedParticipants", failed: "failedToAdd" };
    Ok(settle(&ask, Question::Add, "Participants added", lists.of(&outcomes), &outcomes))
}

/// They are members no longer.
pub async fn remove(ask: Ask) -> ApiResult {
    let outcomes = change(&ask, MemberChange::Remove, Question::Remove).await?;
    let lists = Lists { done: "removedParticipants", failed: "failedToRemove" };
    Ok(settle(&ask, Question::Remove, "Participants removed", lists.of(&outcomes), &outcomes))
}

/// They become admins.
pub async fn promote(ask: Ask) -> ApiResult {
    let outcomes = change(&ask, MemberChange::Promote, Question::Promote).await?;
    Ok(settle(&ask, Question::Promote, "Participants promoted", json!({}), &outcomes))
}

/// They are admins no longer.
pub async fn demote(ask: Ask) -> ApiResult {
    let outcomes = change(&ask, MemberChange::Demote, Question::Demote).await?;
    Ok(settle(&ask, Question::Demote, "Participants demoted", json!({}), &outcomes))
}

/// Reads the members and has the server change them.
pub async fn change(ask: &Ask, change: MemberChange, question: Question) -> Result<Vec<MemberOutcome>, ApiError> {
    let members = people(ask, &ask.about.fields.participants)?;
    let changed = ask.account()?.change_members(&ask.group, &members, change).await;
    changed.map_err(|fault| question.refusal(fault))
}

fn people(ask: &Ask, texts: &Option<OneOrMany<MEMBERS>>) -> Result<Vec<Jid>, ApiError> {
    let texts = required("participants", texts.as_ref().filter(|texts| !texts.0.is_empty()))?;
    let mut people = Vec::with_capacity(texts.0.len());
    for text in &texts.0 {
        let jid = ask.about.person("participants", text)?;
        if !people.contains(&jid) {
            people.push(jid);
        }
    }
    Ok(people)
}

/// The names of the lists of those with whom it went well and not.
pub struct Lists {
    /// Well.
    pub done: &'static str,
    /// Not.
    pub failed: &'static str,
}

impl Lists {
    /// The lists: numbers, as the contract has them.
    pub fn of(&self, outcomes: &[MemberOutcome]) -> Value {
        let users = |failed: bool| -> Vec<&str> {
            outcomes.iter().filter(|one| one.error.is_some() == failed).map(|one| one.jid.user()).collect()
        };
        json!({ self.done: users(false), self.failed: users(true) })
    }
}

/// An answer: success, a part of it (207), or the operation's code if nobody is left.
pub fn settle<T>(
    ask: &AboutGroup<T>,
    question: Question,
    message: &str,
    mut shown: Value,
    outcomes: &[MemberOutcome],
) -> Reply {
    let (code, status) = verdict(question, outcomes);
    shown["status"] = json!(status);
    shown["participants"] = outcomes.iter().map(outcome_json).collect();
    let message = match status {
        "success" => message.to_owned(),
        "partial" => format!("{message}, but not all"),
        _ => "WhatsApp refused every participant; see results[0].participants".to_owned(),
    };
    ask.ended(code, &message, shown)
}

/// What the outcomes amount to.
pub fn verdict(question: Question, outcomes: &[MemberOutcome]) -> (Code, &'static str) {
    match outcomes.iter().filter(|one| one.error.is_some()).count() {
        0 => (codes::SUCCESS, "success"),
        failed if failed < outcomes.len() => (codes::PARTIAL_SUCCESS, "partial"),
        _ => (question.refused(), "failed"),
    }
}
