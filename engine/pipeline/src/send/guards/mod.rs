//! Guards: whether a message may leave now, later, or never.
//!
//! Asked between queue and link, for every message; what else is sent (read
//! receipts, presence) passes. Reads what is known of the recipient, the counts
//! and what the session has tuned, and lets [`mod@decide`] decide; what passes is
//! counted. A message that has to wait is a row with a due time: nothing sleeps
//! here.
//!
//! Short counts are in the cache, where all processes of an installation see
//! them; a cache that fails lets messages through. What a restart must not
//! forget is in the store: the opt-out list, which chats were opened when,
//! quota windows longer than minutes. A store that fails lets nothing through.

mod counts;
pub mod decide;
pub mod new_chats;
pub mod opt_out;
pub mod pacing;
pub mod policy;
pub mod quiet_hours;

use crate::directory::{Directory, SessionEntry};
use decide::{Facts, Guard, Hold, Opening, Verdict, Window, decide, refuses};
use opt_out::Word;
use pacing::{AHEAD, Phase, Rhythm};
use policy::{Policy, PolicyError, Tuning};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use warest_link::{Links, Outgoing};
use warest_model::clock::{Millis, SharedClock};
use warest_model::event::{EventKind, Observation};
use warest_model::fault::Fault;
use warest_model::id::{JobId, SessionId};
use warest_model::jid::Jid;
use warest_model::job::SendJob;
use warest_model::plan::{Effect, PresenceState};
use warest_store::cache::{Cache, Key};
use warest_store::{Consent, Opened, Store, StoreError};

/// The code of a message to somebody who wants none.
pub const OPTED_OUT: &str = "recipient_opted_out";

/// What becomes of a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It is sent.
    Pass,
    /// It waits; that is no attempt.
    Wait {
        /// Until when.
        until_ms: Millis,
        /// For what.
        why: Fault,
    },
    /// It is not sent, ever.
    Refuse(Fault),
}

impl From<Hold> for Admission {
    fn from(hold: Hold) -> Self {
        Self::Wait { until_ms: hold.until_ms, why: hold.fault() }
    }
}

/// What a client is told before a message is queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing holds it up.
    Clear,
    /// It will have to wait.
    Later {
        /// Until when.
        until_ms: Millis,
        /// For what.
        why: Fault,
    },
    /// It is refused until then, if it is ever taken.
    Refused {
        /// Why.
        fault: Fault,
        /// Until when.
        until_ms: Option<Millis>,
    },
}

/// How a session's guards stand.
#[derive(Debug, Clone)]
pub struct Stand {
    /// What they are set to.
    pub policy: Arc<Policy>,
    /// The quota window, if there is a quota.
    pub quota: Option<Window>,
    /// The budget of new chats.
    pub new_chats: Opening,
    /// Until when it is quiet, if it is.
    pub quiet_until_ms: Option<Millis>,
}

/// The guards of all sessions.
pub struct Guards {
    store: Arc<dyn Store>,
    cache: Arc<dyn Cache>,
    clock: SharedClock,
    directory: Arc<Directory>,
    installation: Policy,
    tuned: RwLock<HashMap<SessionId, Arc<Policy>>>,
    untuned: Arc<Policy>,
}

impl Guards {
    /// The guards of an installation, with what its sessions have tuned.
    pub async fn load(
        store: Arc<dyn Store>,
        cache: Arc<dyn Cache>,
        clock: SharedClock,
        directory: Arc<Directory>,
        installation: Policy,
    ) -> Result<Self, StoreError> {
        let mut tuned = HashMap::new();
        for (session, settings) in store.guard_settings().await? {
            let policy = serde_json::from_str::<Tuning>(&settings)
                .map_err(|error| error.to_string())
                .and_then(|tuning| installation.tuned(&tuning).map_err(|error| error.to_string()));
            match policy {
                Ok(policy) => {
                    tuned.insert(session, Arc::new(policy));
                }
                Err(error) => {
                    tracing::error!(%session, error, "a session's guards cannot be read; it has the installation's")
                }
            }
        }
        let untuned = Arc::new(installation.clone());
        Ok(Self { store, cache, clock, directory, installation, tuned: RwLock::new(tuned), untuned })
    }

    /// What a session's guards are set to.
    pub fn policy(&self, session: &SessionId) -> Arc<Policy> {
        let tuned = self.tuned.read().unwrap_or_else(PoisonError::into_inner);
        tuned.get(session).cloned().unwrap_or_else(|| self.untuned.clone())
    }

    /// What a session would be set to by a tuning.
    pub fn tuned(&self, tuning: &Tuning) -> Result<Policy, PolicyError> {
        self.installation.tuned(tuning)
    }

    /// Takes over what a session has tuned.
    pub(crate) fn set(&self, session: &SessionId, policy: Policy) {
        self.tuned.write().unwrap_or_else(PoisonError::into_inner).insert(session.clone(), Arc::new(policy));
    }

    /// Forgets what a session had tuned.
    pub(crate) fn forget(&self, session: &SessionId) {
        self.tuned.write().unwrap_or_else(PoisonError::into_inner).remove(session);
    }

    /// Whether a job may be sent now.
    pub async fn admit(&self, links: &dyn Links, job: &SendJob, now_ms: Millis) -> Result<Admission, StoreError> {
        let Some(chat) = job.chat.as_ref().filter(|_| job.effect.is_message()) else { return Ok(Admission::Pass) };
        let policy = self.policy(&job.session);
        let standing = self.store.standing(&job.session, chat).await?;
        let opted_out = standing.opted_out && standing.confirmation.as_ref() != Some(&job.id);
        let Some(chars) = content(&job.effect) else {
            let facts = Facts { opted_out, ..Facts::default() };
            return Ok(if decide(&policy, &facts, now_ms) == Verdict::OptedOut {
                refused(chat)
            } else {
                Admission::Pass
            });
        };
        let admitted = self.was_admitted(&policy, job).await;
        let is_new = !standing.known && new_chats::is_person(chat);
        let facts = Facts {
            opted_out,
            admitted,
            ..self.facts(&policy, &job.session, chat, job.step.is_none(), is_new, now_ms).await?
        };
        match decide(&policy, &facts, now_ms) {
            Verdict::OptedOut => return Ok(refused(chat)),
            Verdict::Wait(hold) => return Ok(hold.into()),
            Verdict::Pass => {}
        }
        if let Some(hold) = self.pace(links, &policy, job, chat, chars, now_ms).await {
            return Ok(hold.into());
        }
        Ok(match self.take(&policy, &facts, job, chat, is_new, now_ms).await? {
            Some(hold) => hold.into(),
            None => Admission::Pass,
        })
    }

    /// What would become of a message that REST queues now.
    pub async fn outlook(&self, entry: &SessionEntry, effect: &Effect, now_ms: Millis) -> Result<Outlook, StoreError> {
        let Some(chat) = effect.chat().filter(|_| effect.is_message()) else { return Ok(Outlook::Clear) };
        let session = &entry.session.id;
        let policy = self.policy(session);
        let standing = self.store.standing(session, chat).await?;
        let is_new = !standing.known && new_chats::is_person(chat);
        let facts =
            Facts { opted_out: standing.opted_out, ..self.facts(&policy, session, chat, true, is_new, now_ms).await? };
        Ok(match decide(&policy, &facts, now_ms) {
            Verdict::Pass => Outlook::Clear,
            Verdict::OptedOut => Outlook::Refused { fault: opted_out_fault(chat), until_ms: None },
            Verdict::Wait(hold) if refuses(&policy, hold.guard) => {
                Outlook::Refused { fault: hold.refusal(), until_ms: Some(hold.until_ms) }
            }
            Verdict::Wait(hold) => Outlook::Later { until_ms: hold.until_ms, why: hold.fault() },
        })
    }

    /// How a session's guards stand.
    pub async fn stand(&self, entry: &SessionEntry, now_ms: Millis) -> Result<Stand, StoreError> {
        let session = &entry.session.id;
        let policy = self.policy(session);
        Ok(Stand {
            quota: self.window(&policy, session, now_ms).await?,
            new_chats: self.opening(&policy, session, now_ms).await?,
            quiet_until_ms: policy.quiet_hours.enabled.then(|| policy.quiet_hours.until(now_ms)).flatten(),
            policy,
        })
    }

    /// The quota window of a session, for headers.
    pub async fn quota(&self, session: &SessionId, now_ms: Millis) -> Result<Option<(u64, Window)>, StoreError> {
        let policy = self.policy(session);
        Ok(self.window(&policy, session, now_ms).await?.map(|window| (policy.quota.max, window)))
    }

    /// What the sender of a message chose with it.
    pub(crate) fn heard(&self, entry: &SessionEntry, seen: &Observation) -> Option<Consent> {
        let chat = seen.chat.as_ref().filter(|chat| new_chats::is_person(chat))?;
        if seen.kind != EventKind::MessageReceived {
            return None;
        }
        let policy = self.policy(&entry.session.id);
        let word = policy.opt_out.heard(seen.data["text"].as_str()?)?;
        let named = |field: &str| seen.data[field].as_str().and_then(|text| Jid::try_from(text.to_owned()).ok());
        let mut addresses = vec![chat.clone()];
        addresses.extend(["lid", "senderLid"].iter().filter_map(|field| named(field)));
        addresses.sort();
        addresses.dedup();
        Some(match word {
            Word::Start => Consent::In { addresses },
            Word::Stop => {
                let text = policy.opt_out.confirmation.clone();
                let confirmation = text.map(|text| Box::new(self.confirmation(entry, chat, text)));
                Consent::Out { addresses, confirmation }
            }
        })
    }

    fn confirmation(&self, entry: &SessionEntry, chat: &Jid, text: String) -> SendJob {
        let now_ms = self.clock.now_ms();
        let effect = Effect::text(chat.clone(), text);
        SendJob::new(JobId::new(now_ms), entry.session.id.clone(), effect, now_ms)
    }

    /// Has the message typed: until its turn, then until it is typed.
    async fn pace(
        &self,
        links: &dyn Links,
        policy: &Policy,
        job: &SendJob,
        chat: &Jid,
        chars: usize,
        now_ms: Millis,
    ) -> Option<Hold> {
        if !policy.pacing.enabled {
            return None;
        }
        let rhythm = policy.pacing.rhythm(chars, &job.id);
        match pacing::phase(job, now_ms) {
            Phase::Go => return None,
            Phase::Type => {}
            Phase::Ask => {
                let at_ms = self.turn(job, rhythm, now_ms).await?;
                if at_ms > now_ms {
                    return Some(Hold { guard: Guard::Turn, until_ms: at_ms });
                }
            }
        }
        let typing = Effect::Presence { state: PresenceState::Composing, to: Some(chat.clone()) };
        if let Err(fault) = links.send(&job.session, Outgoing::plain(&typing, "")).await {
            // Seen or not, the message goes out when it would have been typed.
            tracing::debug!(job = %job.id, code = %fault.code, "typing was not shown");
        }
        let until_ms = now_ms + rhythm.typing.as_millis() as Millis;
        Some(Hold { guard: Guard::Typing, until_ms })
    }

    /// When it is the job's turn; `None` if nobody can say.
    async fn turn(&self, job: &SendJob, rhythm: Rhythm, now_ms: Millis) -> Option<Millis> {
        // Two lines, so that answers do not stand behind a thousand bulk messages.
        let line = if job.step.is_none() { "direct" } else { "runs" };
        let key = Key::new("turn", &[job.session.as_str(), line]);
        match self.cache.take_turn(&key, rhythm.turn().max(Duration::from_millis(1)), AHEAD).await {
            Ok(turn) if turn.taken => Some(turn.at_ms),
            // A later look finds a turn within reach.
            Ok(_) => Some(now_ms + AHEAD.as_millis() as Millis / 2),
            Err(error) => {
                tracing::warn!(%error, "a message was not paced");
                None
            }
        }
    }

    async fn opening(&self, policy: &Policy, session: &SessionId, now_ms: Millis) -> Result<Opening, StoreError> {
        let budget = self.budget(policy, session, now_ms);
        Ok(Opening { openings: self.store.openings(session, budget).await?, most: budget.most })
    }

    fn budget(&self, policy: &Policy, session: &SessionId, now_ms: Millis) -> warest_store::ChatBudget {
        let made_ms = self.directory.session(session).map_or(now_ms, |entry| entry.session.created_ms);
        policy.new_chats.at(now_ms, now_ms - made_ms)
    }

    /// Counts a message that passes; or the hold of a guard whose last place
    /// somebody else took meanwhile.
    async fn take(
        &self,
        policy: &Policy,
        facts: &Facts,
        job: &SendJob,
        chat: &Jid,
        is_new: bool,
        now_ms: Millis,
    ) -> Result<Option<Hold>, StoreError> {
        if is_new {
            let budget = policy.new_chats.enabled.then(|| self.budget(policy, &job.session, now_ms));
            if let Opened::Full { since_ms } = self.store.open_chat(&job.session, chat, now_ms, budget).await? {
                let until_ms = (since_ms + new_chats::DAY_MS).max(now_ms + 1);
                return Ok(Some(Hold { guard: Guard::NewChats, until_ms }));
            }
        }
        if facts.admitted {
            return Ok(None);
        }
        self.count(policy, facts, job, chat, now_ms).await
    }
}

/// The length of a message that is looked at by all guards; `None` for what
/// only the opt-out list is about: a reaction is neither typed nor counted.
fn content(effect: &Effect) -> Option<usize> {
    effect.content().map(|content| content.words().map_or(0, |words| words.chars().count()))
}

fn opted_out_fault(chat: &Jid) -> Fault {
    Fault::fail(OPTED_OUT, format!("{chat} wants no messages any more; they can write START, or be taken off the list"))
}

fn refused(chat: &Jid) -> Admission {
    Admission::Refuse(opted_out_fault(chat))
}
