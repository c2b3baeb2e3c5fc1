//! What the store can be asked by the guards: what they must not forget.

use crate::Result;
use crate::query::Page;
use async_trait::async_trait;
use warest_model::clock::Millis;
use warest_model::id::{EventId, JobId, SessionId, UserId};
use warest_model::jid::Jid;

/// How a recipient stands with a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether they want nothing from its tenant.
    pub opted_out: bool,
    /// The one job that may go to them all the same.
    pub confirmation: Option<JobId>,
    /// Whether something was said in the chat before, by either side.
    pub known: bool,
}

/// How many chats may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatBudget {
    /// This many, at least 1,
    pub most: u32,
    /// since this moment.
    pub since_ms: Millis,
}

/// What became of opening a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It was open.
    Known,
    /// It is now, and counts.
    New,
    /// It is not: the budget is used up.
    Full {
        /// When the oldest of those that use it up was opened.
        since_ms: Millis,
    },
}

/// How much of a budget of chats is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Openings {
    /// Chats opened.
    pub used: u64,
    /// If all is gone: when the oldest of those that use it up was opened.
    pub full_since_ms: Option<Millis>,
}

/// How much of a quota is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUse {
    /// Messages within the window.
    pub used: u64,
    /// When the window ends.
    pub reset_ms: Millis,
    /// Whether this call took one.
    pub taken: bool,
}

/// Somebody who wants nothing from a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOut {
    /// Position in the list, given by the store.
    pub seq: i64,
    /// The tenant.
    pub owner: UserId,
    /// Who.
    pub address: Jid,
    /// The session that they told, if they did.
    pub session: Option<SessionId>,
    /// The event of their message.
    pub event: Option<EventId>,
    /// The message that confirms it.
    pub confirmation: Option<JobId>,
    /// Since when.
    pub created_ms: Millis,
}

/// What the guards must not forget.
#[async_trait]
pub trait GuardBook: Send + Sync {
    /// What each session has tuned, as JSON.
    async fn guard_settings(&self) -> Result<Vec<(SessionId, String)>>;
    /// Keeps what a session has tuned.
    async fn set_guard_settings(&self, session: &SessionId, settings: &str) -> Result<()>;
    /// How a recipient stands with a session.
    async fn standing(&self, session: &SessionId, chat: &Jid) -> Result<Standing>;
    /// Notes that the session speaks in a chat, unless it is the first to do so
    /// and has opened too many.
    async fn open_chat(
        &self,
        session: &SessionId,
        chat: &Jid,
        now_ms: Millis,
        budget: Option<ChatBudget>,
    ) -> Result<Opened>;
    /// How much of a budget of chats is gone.
    async fn openings(&self, session: &SessionId, budget: ChatBudget) -> Result<Openings>;
    /// Counts a message in a session's quota window, if there is room. A window
    /// begins with its first message.
    async fn take_quota(&self, session: &SessionId, now_ms: Millis, window_ms: Millis, most: u64) -> Result<QuotaUse>;
    /// How a session's quota window stands.
    async fn quota_use(&self, session: &SessionId, now_ms: Millis, window_ms: Millis) -> Result<QuotaUse>;
    /// Puts people on a tenant's list; how many were not on it. `seq` is ignored.
    async fn opt_out(&self, entries: Vec<OptOut>) -> Result<u64>;
    /// Takes somebody off a tenant's list.
    async fn opt_in(&self, owner: &UserId, address: &Jid) -> Result<()>;
    /// A page of a tenant's list, or of all, newest first; `before` is a `seq`.
    async fn opt_outs(&self, owner: Option<&UserId>, page: &Page) -> Result<Vec<OptOut>>;
}
