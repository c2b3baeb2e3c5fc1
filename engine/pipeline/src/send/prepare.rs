//! What a job needs before its stanza can be made, beside its effect: the files
//! that go with it, and what the history knows of the messages it names.

use super::{Sender, record};
use crate::files::Ready;
use crate::intake::event_of;
use std::sync::Arc;
use warest_link::{Attachment, Outgoing, Sent};
use warest_model::clock::Millis;
use warest_model::content::Content;
use warest_model::event::EventKind;
use warest_model::fault::Fault;
use warest_model::jid::Jid;
use warest_model::job::SendJob;
use warest_model::plan::{Effect, MessageKey};
use warest_store::{Left, NewEvent, Slice, StoreError};

/// Where a status is sent.
const STATUS: &str = "status@broadcast";
/// People who see a status, at most.
const AUDIENCE: u32 = 1_000;

/// What was found and made for one job.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) files: Vec<Arc<Ready>>,
    attachments: Vec<Attachment>,
    original: Option<Vec<u8>>,
    last: Option<(MessageKey, Millis)>,
    ephemeral_seconds: Option<u32>,
    audience: Vec<Jid>,
    /// When the newest of the messages that are marked as read was written.
    pub(super) read_ms: Option<Millis>,
}

impl Prepared {
    /// All that the link gets.
    pub(super) fn outgoing<'a>(&'a self, job: &'a SendJob) -> Outgoing<'a> {
        Outgoing {
            effect: &job.effect,
            message_id: &job.message_id,
            files: &self.attachments,
            original: self.original.as_deref(),
            last: self.last.as_ref().map(|(key, ts_ms)| (key, *ts_ms)),
            ephemeral_seconds: self.ephemeral_seconds,
            audience: &self.audience,
        }
    }
}

impl Sender {
    /// Makes a job ready. Each attempt does so anew: what was fetched before may
    /// be gone.
    pub(super) async fn prepare(&self, job: &SendJob) -> Result<Prepared, Fault> {
        let mut ready = Prepared::default();
        match &job.effect {
            Effect::Message { to, content, quoted, .. } => {
                if to.as_str() == STATUS {
                    ready.audience = self.contacts(job).await?;
                } else {
                    let chat = self.store.chat(&job.session, to).await.map_err(store_failed)?;
                    ready.ephemeral_seconds = chat.and_then(|chat| chat.ephemeral_seconds);
                }
                ready.files = self.attacher.attach(content).await?;
                ready.attachments = ready.files.iter().map(|file| file.attachment.clone()).collect();
                ready.original = match (content, quoted) {
                    (Content::Forward { key }, _) => Some(self.original(job, key).await?.ok_or_else(|| unknown(key))?),
                    (_, Some(key)) => self.original(job, key).await?,
                    (_, None) => None,
                };
            }
            Effect::Edit { key, .. } | Effect::Pin { key, .. } => ready.original = self.original(job, key).await?,
            Effect::Chat { chat, .. } => {
                let last = self.store.last_message(&job.session, chat).await.map_err(store_failed)?;
                ready.last = last.map(|last| (last.message.key, last.message.ts_ms));
            }
            // Whoever saw it sees that it is gone.
            Effect::Revoke { key } if key.remote_jid.as_str() == STATUS => {
                ready.audience = self.contacts(job).await?;
            }
            Effect::Read { keys } => ready.read_ms = self.newest(job, keys).await?,
            Effect::React { .. }
            | Effect::Presence { .. }
            | Effect::Star { .. }
            | Effect::Delete { .. }
            | Effect::Revoke { .. } => {}
        }
        Ok(ready)
    }

    /// Who sees a status: the people in the account's address book.
    async fn contacts(&self, job: &SendJob) -> Result<Vec<Jid>, Fault> {
        let page = Slice { limit: AUDIENCE, offset: 0 };
        let (contacts, _) = self.store.contacts(&job.session, None, &page).await.map_err(store_failed)?;
        let saved = contacts.into_iter().filter(|contact| contact.name.is_some());
        Ok(saved.filter_map(|contact| contact.jid.or(contact.lid)).collect())
    }

    /// When the newest of these messages was written, as far as the history has them.
    async fn newest(&self, job: &SendJob, keys: &[MessageKey]) -> Result<Option<Millis>, Fault> {
        let mut newest = None;
        for key in keys {
            let found = self.store.message(&job.session, Some(&key.remote_jid), &key.id).await.map_err(store_failed)?;
            newest = newest.max(found.map(|found| found.message.ts_ms));
        }
        Ok(newest)
    }

    /// A message in WhatsApp's own form, if the history has it.
    async fn original(&self, job: &SendJob, key: &MessageKey) -> Result<Option<Vec<u8>>, Fault> {
        let found = self.store.message(&job.session, Some(&key.remote_jid), &key.id).await.map_err(store_failed)?;
        Ok(found.map(|found| found.message.body).filter(|body| !body.is_empty()))
    }

    /// What a stanza that the server took leaves behind.
    pub(super) fn left_by(&self, job: &SendJob, sent: &Sent, ready: &Prepared, now_ms: Millis) -> Left {
        let Some(me) = self.me(job) else { return Left::default() };
        let event = record::payload(job, sent, ready, &me, now_ms).map(|data| {
            let kind = EventKind::MessageSent;
            Box::new(NewEvent {
                event: event_of(&job.session, kind, job.chat.clone(), data, now_ms),
                dedup: Some(format!("sent|{}", job.message_id)),
                owed: self.directory.owed(&job.session, kind),
                consent: None,
                changes: Vec::new(),
            })
        });
        Left { changes: record::changes(job, sent, ready, &me, now_ms), event }
    }

    /// The account's own address.
    fn me(&self, job: &SendJob) -> Option<Jid> {
        let live = self.links.status(&job.session).and_then(|status| status.borrow().me.clone());
        let known = live.or_else(|| self.directory.session(&job.session)?.session.me);
        Jid::parse(&known?, "").ok()
    }
}

fn store_failed(error: StoreError) -> Fault {
    Fault::retry("store_failed", error.to_string())
}

fn unknown(key: &MessageKey) -> Fault {
    Fault::fail("message_unknown", format!("the history has no message {} to forward; send it as `message`", key.id))
}
