//! `GET /profile/list-contacts`: the people that the account knows, or the members of
//! its groups; with `deep` all that may be seen of them. `POST /contacts` saves one to the
//! account's address book.

use crate::error::{ApiError, ApiResult};
use crate::extract::{About, Flag, Whole, Word, group_address, required};
use crate::faults::Question;
use crate::people::{DEEP, look_all};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use warest_model::history::Contact;
use warest_model::jid::Jid;
use warest_pipeline::Account;
use warest_store::Slice;

/// People of a page when the client does not say, and at most.
const LIMIT: (u64, u64) = (15, 1_000);
/// Most groups of one request.
const GROUPS: usize = 50;
/// Longest name, in characters.
const NAME_CHARS: usize = 100;

/// Whom to list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    #[serde(rename = "type")]
    kind: Option<Word<Kind>>,
    deep: Option<Flag>,
    group_ids: Option<String>,
    search: Option<String>,
    limit: Option<Whole>,
    offset: Option<Whole>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Contacts,
    Groups,
}

/// A page of them, by name.
pub async fn list(about: About<Ask>) -> ApiResult {
    let deep = about.fields.deep.unwrap_or_default().0;
    let most = if deep { DEEP as u64 } else { LIMIT.1 };
    let limit = about.fields.limit.map_or(LIMIT.0, |limit| limit.0);
    if !(1..=most).contains(&limit) {
        return Err(ApiError::invalid(format!(
            "`limit` takes 1 to {LIMITS}, and to {DEEP} with `deep`",
            LIMITS = LIMIT.1
        )));
    }
    let page = Slice { limit: limit as u32, offset: about.fields.offset.map_or(0, |offset| offset.0) };
    let account = about.account()?;
    let (mut people, total) = match about.fields.kind.unwrap_or_default().0 {
        Kind::Contacts => known(&about, &page).await?,
        Kind::Groups => members(&about, &account, &page).await?,
    };
    people.retain(|one| address(one).is_some());
    let mut shown: Vec<Value> = people.iter().map(show).collect();
    if deep {
        let jids = people.iter().filter_map(address).cloned().collect();
        for (person, seen) in shown.iter_mut().zip(look_all(&account, jids).await) {
            for (name, value) in seen.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
                person[name] = value.clone();
            }
        }
    }
    Ok(about.done(&format!("Contacts (deep={deep})"), json!({ "data": shown, "total": total })))
}

/// Somebody to save.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewContact {
    to: Option<String>,
    full_name: Option<String>,
    first_name: Option<String>,
}

/// Saves somebody.
pub async fn save(about: About<NewContact>) -> ApiResult {
    let to = required("to", about.fields.to.as_deref().filter(|to| !to.is_empty()))?;
    let whom = about.person("to", to)?;
    let name =
        |name: &Option<String>| name.as_deref().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let full_name = required("fullName", name(&about.fields.full_name))?;
    let first_name = name(&about.fields.first_name);
    if [Some(&full_name), first_name.as_ref()].into_iter().flatten().any(|name| name.chars().count() > NAME_CHARS) {
        return Err(ApiError::invalid(format!("a name may have at most {NAME_CHARS} characters")));
    }
    let saved = about.account()?.save_contact(&whom, &full_name, first_name.as_deref()).await;
    saved.map_err(|fault| Question::Person.refusal(fault))?;
    Ok(about.done("Contact saved", json!({ "jid": whom, "name": full_name, "status": "success" })))
}

/// Those that the history knows.
async fn known(about: &About<Ask>, page: &Slice) -> Result<(Vec<Contact>, u64), ApiError> {
    let search = about.fields.search.as_deref().filter(|text| !text.is_empty());
    Ok(about.state.engine.store().contacts(&about.entry.session.id, search, page).await?)
}

/// Members of groups: of those that are named, or of all.
async fn members(
    about: &About<Ask>,
    account: &Arc<dyn Account>,
    page: &Slice,
) -> Result<(Vec<Contact>, u64), ApiError> {
    let texts = about.fields.group_ids.as_deref().unwrap_or_default().split(',').map(str::trim);
    let mut groups = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        groups.push(group_address("groupIds", text)?);
    }
    if groups.is_empty() {
        let all = account.groups().await.map_err(|fault| Question::Other.refusal(fault))?;
        groups.extend(all.into_iter().map(|group| group.id).take(GROUPS));
    }
    if groups.len() > GROUPS {
        return Err(ApiError::invalid(format!("`groupIds` takes at most {GROUPS} groups")));
    }
    let mut found: Vec<(Jid, Option<Jid>)> = Vec::new();
    for group in &groups {
        let group = account.group(group).await.map_err(|fault| Question::Group.refusal(fault))?;
        for member in group.participants {
            if found.iter().all(|(jid, _)| *jid != member.jid) {
                found.push((member.jid, member.lid));
            }
        }
    }
    let total = found.len() as u64;
    let mut people = Vec::new();
    for (jid, lid) in found.into_iter().skip(page.offset as usize).take(page.limit as usize) {
        let contact = about.state.engine.store().contact(&about.entry.session.id, &jid).await?.unwrap_or_default();
        let by_phone = (jid.server() == "s.whatsapp.net").then_some(jid);
        people.push(Contact { jid: contact.jid.or(by_phone), lid: contact.lid.or(lid), ..contact });
    }
    Ok((people, total))
}

fn address(contact: &Contact) -> Option<&Jid> {
    contact.jid.as_ref().or(contact.lid.as_ref())
}

/// The fields of a deep look are there in any case.
fn show(contact: &Contact) -> Value {
    json!({
        "jid": address(contact),
        "lid": contact.lid,
        "phone": contact.jid.as_ref().map(Jid::user),
        "name": contact.name.as_ref().or(contact.push_name.as_ref()).or(contact.verified_name.as_ref()),
        "pushName": contact.push_name,
        "verifiedName": contact.verified_name,
        "picture": { "full": null, "preview": null },
        "about": null,
        "businessProfile": null,
    })
}
