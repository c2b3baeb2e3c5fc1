//! `DELETE /group/delete`: takes everybody out of a group and leaves it, which is
//! all that deleting one means on WhatsApp.

use crate::asking::own_addresses;
use crate::error::ApiResult;
use crate::extract::AboutGroup;
use crate::faults::Question;
use crate::routes::group::members::{Lists, settle};
use warest_model::group::MemberChange;
use warest_model::jid::Jid;

/// Empties it. If somebody could not be taken out, it is not left either.
pub async fn delete(ask: AboutGroup) -> ApiResult {
    let account = ask.account()?;
    let group = account.group(&ask.group).await.map_err(|fault| Question::Group.refusal(fault))?;
    let mine = own_addresses(&ask.about, account.as_ref()).await;
    let is_other = |jid: &Jid| !mine.contains(jid);
    let others: Vec<Jid> = group.participants.iter().map(|one| one.jid.clone()).filter(is_other).collect();
    let outcomes = match others.is_empty() {
        true => Vec::new(),
        false => {
            let removed = account.change_members(&ask.group, &others, MemberChange::Remove).await;
            removed.map_err(|fault| Question::Remove.refusal(fault))?
        }
    };
    if outcomes.iter().all(|one| one.error.is_none()) {
        account.leave_group(&ask.group).await.map_err(|fault| Question::Leave.refusal(fault))?;
    }
    let lists = Lists { done: "removedParticipants", failed: "failedToRemove" }.of(&outcomes);
    Ok(settle(&ask, Question::Remove, "Group deleted", lists, &outcomes))
}
