//! What the endpoints share that ask an open account: the account, and an answer
//! that says whose it is.

use crate::codes::{self, Code};
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::extract::{About, AboutGroup};
use crate::view::participant_json;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use warest_model::group::Group;
use warest_model::jid::Jid;
use warest_pipeline::Account;

impl<T> About<T> {
    /// The account, if the session is open.
    pub fn account(&self) -> Result<Arc<dyn Account>, ApiError> {
        Ok(self.state.engine.account(&self.entry)?)
    }

    /// The account's own address, once it is paired.
    pub fn me(&self) -> Option<Jid> {
        self.state.engine.own_address(&self.entry)
    }

    /// The same, which is known of an open session.
    pub fn own_address(&self) -> Result<Jid, ApiError> {
        self.me().ok_or_else(ApiError::not_open)
    }

    /// The account's own number, once it is paired.
    pub fn phone(&self) -> Option<String> {
        self.me().map(|me| me.user().to_owned())
    }

    /// Reads a person's address.
    pub fn person(&self, name: &str, text: &str) -> Result<Jid, ApiError> {
        let jid = self.address(name, text)?;
        match jid.server() {
            "s.whatsapp.net" | "lid" => Ok(jid),
            _ => Err(ApiError::invalid(format!("`{name}` takes a phone number or a person's address"))),
        }
    }

    /// Reads an address of any kind.
    pub fn address(&self, name: &str, text: &str) -> Result<Jid, ApiError> {
        let read = self.state.engine.recipient(text);
        read.map_err(|error| ApiError::invalid(format!("`{name}`: {error}")))
    }

    /// An answer with `sessionId`, `phone` and these fields as its one result.
    pub fn done(&self, message: &str, fields: Value) -> Reply {
        self.ended(codes::SUCCESS, message, fields)
    }

    /// The same with another code.
    pub fn ended(&self, code: Code, message: &str, fields: Value) -> Reply {
        let mut result = json!({ "sessionId": self.entry.session.id, "phone": self.phone() });
        extend(&mut result, fields);
        Reply::new(code, message).results(vec![result])
    }
}

impl<T> AboutGroup<T> {
    /// The account, if the session is open.
    pub fn account(&self) -> Result<Arc<dyn Account>, ApiError> {
        self.about.account()
    }

    /// An answer with `sessionId`, `phone`, `groupId` and these fields.
    pub fn done(&self, message: &str, fields: Value) -> Reply {
        self.ended(codes::SUCCESS, message, fields)
    }

    /// The same with another code.
    pub fn ended(&self, code: Code, message: &str, fields: Value) -> Reply {
        let mut result = json!({ "groupId": self.group });
        extend(&mut result, fields);
        self.about.ended(code, message, result)
    }

    /// The same where nothing else is to be told.
    pub fn changed(&self, message: &str) -> Reply {
        self.done(message, json!({ "status": "success" }))
    }
}

/// The addresses that the account itself goes by in groups: its number's, and its
/// LID if that is known.
pub async fn own_addresses<T>(about: &About<T>, account: &dyn Account) -> Vec<Jid> {
    let Some(me) = about.me() else { return Vec::new() };
    let other = account.other_name(&me).await.ok().flatten();
    std::iter::once(me).chain(other).collect()
}

/// The members of a group as they are shown: with which of them is the account
/// itself, and the names that are known.
pub async fn members_json<T>(about: &About<T>, account: &dyn Account, group: &Group) -> Result<Vec<Value>, ApiError> {
    let mine = own_addresses(about, account).await;
    let mut shown = Vec::with_capacity(group.participants.len());
    for one in &group.participants {
        let known = about.state.engine.store().contact(&about.entry.session.id, &one.jid).await?;
        let name = known.and_then(|known| known.name.or(known.push_name).or(known.verified_name));
        shown.push(participant_json(one, mine.contains(&one.jid), name.as_deref()));
    }
    Ok(shown)
}

/// Adds fields to an object.
fn extend(object: &mut Value, fields: Value) {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for (name, value) in fields {
        object[name] = value;
    }
}
