//! Flows: write, change, remove.

use super::Engine;
use crate::error::EngineError;
use warest_model::event::EventKind;
use warest_model::id::{FlowId, SessionId};
use warest_model::reactor::{Flow, ReactorRef};
use warest_model::user::User;

/// Longest name of a flow, in characters.
const NAME_CHARS: usize = 128;
/// Most flows one user may have.
const FLOWS: usize = 1_000;

/// What a client writes of a flow.
#[derive(Debug, Clone)]
pub struct FlowDraft {
    /// A name for people.
    pub name: String,
    /// The one session it listens to, or all of its owner's.
    pub session: Option<SessionId>,
    /// The events it wants.
    pub on: Vec<EventKind>,
    /// The source text.
    pub script: String,
    /// Whether it is in use.
    pub enabled: bool,
}

impl Engine {
    /// The flows that `user` may see, oldest first.
    pub async fn flows(&self, user: &User) -> Result<Vec<Flow>, EngineError> {
        let owner = (!user.is_admin).then_some(&user.id);
        Ok(self.store.flows(owner).await?)
    }

    /// A flow that `user` may see.
    pub async fn flow(&self, user: &User, id: &FlowId) -> Result<Flow, EngineError> {
        let flow = self.store.flow(id).await?.ok_or(EngineError::NotFound("the flow"))?;
        if user.is_admin || flow.owner == user.id { Ok(flow) } else { Err(EngineError::Forbidden("the flow")) }
    }

    /// Adds a flow, in use from the next event on.
    pub async fn create_flow(&self, user: &User, draft: FlowDraft) -> Result<Flow, EngineError> {
        let owner = self.check_draft(user, &draft)?;
        self.check_count(&owner).await?;
        let now = self.clock.now_ms();
        self.save_flow(draft, FlowId::new(now), &owner, now).await
    }

    /// Adds a flow under this id, or replaces it.
    pub async fn put_flow(&self, user: &User, id: &FlowId, draft: FlowDraft) -> Result<Flow, EngineError> {
        let mut owner = self.check_draft(user, &draft)?;
        let before = match self.flow(user, id).await {
            Ok(flow) => Some(flow),
            Err(EngineError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let created = before.as_ref().map_or_else(|| self.clock.now_ms(), |flow| flow.created_ms);
        match before {
            None => self.check_count(&owner).await?,
            // An admin who changes a tenant's flow does not take it over.
            Some(flow) if draft.session.is_none() => {
                owner = self.store.user(&flow.owner).await?.ok_or(EngineError::NotFound("the flow's owner"))?;
            }
            Some(_) => {}
        }
        self.save_flow(draft, id.clone(), &owner, created).await
    }

    /// Removes a flow with its state.
    pub async fn delete_flow(&self, user: &User, id: &FlowId) -> Result<(), EngineError> {
        self.flow(user, id).await?;
        self.store.delete_flow(id).await?;
        self.dispatcher_drop(&ReactorRef::Flow(id.clone()));
        self.directory.reload_flows().await
    }

    async fn save_flow(
        &self,
        draft: FlowDraft,
        id: FlowId,
        owner: &User,
        created_ms: i64,
    ) -> Result<Flow, EngineError> {
        let flow = Flow {
            id,
            owner: owner.id.clone(),
            name: draft.name,
            session: draft.session,
            on: draft.on,
            script: draft.script,
            enabled: draft.enabled,
            created_ms,
            updated_ms: self.clock.now_ms(),
        };
        self.store.put_flow(&flow).await?;
        self.directory.reload_flows().await?;
        Ok(flow)
    }

    async fn check_count(&self, owner: &User) -> Result<(), EngineError> {
        if self.store.flows(Some(&owner.id)).await?.len() >= FLOWS {
            return Err(EngineError::Invalid(format!("a user may have at most {FLOWS} flows; delete one first")));
        }
        Ok(())
    }

    /// Checks what was written; answers whose flow it is: the session's owner's
    /// if it names one, else the user's.
    fn check_draft(&self, user: &User, draft: &FlowDraft) -> Result<User, EngineError> {
        if draft.name.is_empty() || draft.name.chars().count() > NAME_CHARS {
            return Err(EngineError::Invalid(format!("`name` takes 1 to {NAME_CHARS} characters")));
        }
        self.compile(&draft.script)?;
        if let Some(session) = &draft.session {
            let entry = self.directory.session(session).ok_or(EngineError::NotFound("the session"))?;
            if !user.is_admin && entry.owner.id != user.id {
                return Err(EngineError::Forbidden("the session"));
            }
            return Ok(entry.owner);
        }
        Ok(user.clone())
    }

    pub(super) fn dispatcher_drop(&self, reactor: &ReactorRef) {
        self.intake.dispatcher.wakeups.drop_reactor(reactor);
    }
}
