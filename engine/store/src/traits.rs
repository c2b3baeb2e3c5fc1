//! What the store can be asked.

use crate::Result;
use crate::command_books::CommandBooks;
use crate::guard_book::GuardBook;
use crate::history::History;
use crate::media::MediaRows;
use crate::query::{DeliveryFilter, EventFilter, JobFilter, Page, ReplayRange, RunFilter};
use async_trait::async_trait;
use std::collections::BTreeMap;
use warest_model::clock::Millis;
use warest_model::delivery::{Attempt, Delivery};
use warest_model::event::Event;
use warest_model::fault::Fault;
use warest_model::history::Change;
use warest_model::id::{BulkId, DeliveryId, EventId, FlowId, JobId, RunId, SessionId, TargetId, UserId};
use warest_model::jid::Jid;
use warest_model::job::{Bulk, Hold, JobState, Receipt, SendJob};
use warest_model::plan::StateWrite;
use warest_model::reactor::{Flow, Plugin, PluginBinding, ReactorRef};
use warest_model::run::{Run, RunState, Step};
use warest_model::session::Session;
use warest_model::target::{Outcome, Target, TargetHealth};
use warest_model::user::User;

/// An event to append, with what it is owed to.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The event.
    pub event: Event,
    /// What makes a redelivery recognisable within its session.
    pub dedup: Option<String>,
    /// The reactors it is owed to. Webhook targets become deliveries, flows and
    /// plugins become dispatches.
    pub owed: Vec<ReactorRef>,
    /// What its sender chose with it about being written to.
    pub consent: Option<Consent>,
    /// What it changes in the history of its session, if it is new.
    pub changes: Vec<Change>,
}

/// What somebody chose about being written to by a tenant.
#[derive(Debug, Clone)]
pub enum Consent {
    /// Nothing any more.
    Out {
        /// All names of the person that are known.
        addresses: Vec<Jid>,
        /// The last message they get, if they were not on the list before.
        confirmation: Option<Box<SendJob>>,
    },
    /// They may be written to again.
    In {
        /// All names of the person that are known.
        addresses: Vec<Jid>,
    },
}

/// An event owed to a flow or a plugin.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// Position, in the order of the log.
    pub seq: i64,
    /// The reactor.
    pub reactor: ReactorRef,
    /// The event.
    pub event: Event,
}

/// A run to save, with its first steps and jobs. `seq` of the jobs is ignored:
/// the store gives it.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The run.
    pub run: Run,
    /// Its first journal lines.
    pub steps: Vec<Step>,
    /// Jobs that can be sent at once.
    pub jobs: Vec<SendJob>,
    /// When it next has something to do by itself.
    pub wake_ms: Option<Millis>,
}

/// What a reactor decided about one dispatch.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// The run of its plan; none if there is nothing to do.
    pub run: Option<NewRun>,
    /// Its state writes, for the chat of the event.
    pub state: Vec<StateWrite>,
}

/// A run with its journal.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// The run.
    pub run: Run,
    /// Its journal, in the order of the plan's paths as written.
    pub steps: Vec<Step>,
    /// Changes with every save; see [`Progress::version`].
    pub version: i64,
}

/// How far a run has come.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The run.
    pub run: RunId,
    /// The version it was read with; a save against another is refused as stale.
    pub version: i64,
    /// Journal lines to write or overwrite, by path.
    pub steps: Vec<Step>,
    /// Jobs to queue.
    pub jobs: Vec<SendJob>,
    /// Its state from now on.
    pub state: RunState,
    /// When it next has something to do by itself.
    pub wake_ms: Option<Millis>,
    /// When it ended, if it did.
    pub ended_ms: Option<Millis>,
}

/// How a job ended.
#[derive(Debug, Clone)]
pub struct JobEnd {
    /// The job.
    pub job: JobId,
    /// `Sent`, `Failed` or `Cancelled`.
    pub state: JobState,
    /// Attempts in all.
    pub attempts: u32,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// When.
    pub ended_ms: Millis,
    /// What it leaves behind.
    pub left: Left,
}

impl JobEnd {
    /// An end that leaves nothing behind.
    pub fn new(job: &JobId, state: JobState, attempts: u32, fault: Option<Fault>, ended_ms: Millis) -> Self {
        Self { job: job.clone(), state, attempts, fault, ended_ms, left: Left::default() }
    }
}

/// What a job leaves behind, saved with its end.
#[derive(Debug, Clone, Default)]
pub struct Left {
    /// What the history of its session learns.
    pub changes: Vec<Change>,
    /// The event that says so.
    pub event: Option<Box<NewEvent>>,
}

/// A delivery after an attempt, with all that is saved with it.
#[derive(Debug, Clone)]
pub struct AttemptReport {
    /// The delivery as it is from now on.
    pub delivery: Delivery,
    /// The journal line; none if nothing was sent.
    pub attempt: Option<Attempt>,
    /// The run of the answer's actions.
    pub run: Option<NewRun>,
    /// What it says of the target; none if that is nothing new.
    pub target: Option<TargetReport>,
}

/// What an attempt says of its target.
#[derive(Debug, Clone)]
pub struct TargetReport {
    /// The URL that was tried: what is known of one says nothing of another.
    pub url: String,
    /// How it went.
    pub outcome: Outcome,
    /// When it ended.
    pub now_ms: Millis,
    /// The event that says so, if this stops the target for failing too long, or
    /// empties its URL. Appended if it does.
    pub notice: Option<NewEvent>,
}

/// What a saved attempt changed beside the delivery.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// URL and health of the target from now on, if they changed.
    pub target: Option<(String, TargetHealth)>,
    /// Whether the notice was appended.
    pub noticed: bool,
}

/// That a person has a target used again.
#[derive(Debug, Clone)]
pub struct Resumed {
    /// The event that says so, if the target was stopped.
    pub notice: Option<NewEvent>,
}

/// What a replay of a range did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The targets that are owed something by it.
    pub targets: Vec<TargetId>,
    /// How many deliveries are owed again.
    pub count: u32,
    /// Of the first one that was left because of the limit: when it was created.
    pub rest_from_ms: Option<Millis>,
}

/// What changes about a session; the rest stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// Its label.
    Label(String),
    /// Whether it is on.
    Enabled(bool),
    /// The account that it is paired with.
    Me(Option<String>),
}

/// Users and sessions.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Adds a user. `key_hash` is the SHA-256 of the API key.
    async fn add_user(&self, user: &User, key_hash: [u8; 32]) -> Result<()>;
    /// Gives a user another API key.
    async fn set_user_key(&self, user: &UserId, key_hash: [u8; 32]) -> Result<()>;
    /// The user whose key has this hash.
    async fn user_by_key(&self, key_hash: [u8; 32]) -> Result<Option<User>>;
    /// The user with this id.
    async fn user(&self, user: &UserId) -> Result<Option<User>>;
    /// The user with this name.
    async fn user_by_name(&self, username: &str) -> Result<Option<User>>;

    /// Adds a session; `Exists` if the name is taken.
    async fn add_session(&self, session: &Session) -> Result<()>;
    /// The session with this name.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>>;
    /// The sessions of one owner, or all; by name.
    async fn sessions(&self, owner: Option<&UserId>) -> Result<Vec<Session>>;
    /// Changes one thing about a session.
    async fn change_session(&self, id: &SessionId, change: SessionChange) -> Result<()>;
    /// Removes a session with its credentials, bindings, targets, dispatches,
    /// pending jobs and pending deliveries. Events and runs stay until retention;
    /// runs that were active end at `now_ms`.
    async fn delete_session(&self, id: &SessionId, now_ms: Millis) -> Result<()>;
}

/// The event log and what events are owed to.
#[async_trait]
pub trait EventLog: crate::Upkeep + Send + Sync {
    /// Appends events with their dispatches and deliveries, all or nothing, and
    /// answers for each whether it was new. Durable when it returns.
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<bool>>;
    /// The event with this id.
    async fn event(&self, id: &str) -> Result<Option<Event>>;
    /// A page of events, newest first.
    async fn events(&self, filter: &EventFilter, page: &Page) -> Result<Vec<Event>>;
    /// Reads the log on from behind the position `after` (0: from its oldest
    /// event), in its order: at most `limit` events that fit, out of a bounded
    /// stretch. Positions become visible in order, so whoever reads on from
    /// [`LogPage::upto`](crate::LogPage::upto) misses nothing and sees nothing twice.
    async fn events_after(&self, filter: &EventFilter, after: i64, limit: u32) -> Result<crate::LogPage>;
    /// The position of the event with this id; none if it is not kept.
    async fn event_position(&self, id: &str) -> Result<Option<i64>>;
    /// The position of the newest event that there ever was; 0 before the first.
    async fn log_end(&self) -> Result<i64>;
    /// The newest event of one owner's sessions, or of all.
    async fn newest_event(&self, owner: Option<&UserId>) -> Result<Option<EventId>>;

    /// Dispatches owed to a reactor after `after`, in order. `lane` narrows to
    /// one lane: (session, chat or empty).
    async fn dispatches(
        &self,
        reactor: &ReactorRef,
        lane: Option<(&SessionId, &str)>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Dispatch>>;
    /// Every reactor that something is owed to.
    async fn owed_reactors(&self) -> Result<Vec<ReactorRef>>;
    /// Saves a decision: its run, its state writes, and that the dispatch has
    /// been seen. `NotFound` if the dispatch was decided already.
    async fn decide(&self, dispatch: &Dispatch, decision: Decision) -> Result<()>;
    /// The reactor's state of one chat (`chat` may be empty).
    async fn reactor_state(
        &self,
        reactor: &ReactorRef,
        session: &SessionId,
        chat: &str,
    ) -> Result<BTreeMap<String, String>>;
}

/// Flows and plugins.
#[async_trait]
pub trait Reactors: Send + Sync {
    /// Every flow of one owner, or all; oldest first.
    async fn flows(&self, owner: Option<&UserId>) -> Result<Vec<Flow>>;
    /// The flow with this id.
    async fn flow(&self, id: &FlowId) -> Result<Option<Flow>>;
    /// Adds or replaces a flow.
    async fn put_flow(&self, flow: &Flow) -> Result<()>;
    /// Removes a flow with its state and what is owed to it.
    async fn delete_flow(&self, id: &FlowId) -> Result<()>;

    /// Every plugin of one owner, or all; by name.
    async fn plugins(&self, owner: Option<&UserId>) -> Result<Vec<Plugin>>;
    /// The plugin with this name.
    async fn plugin(&self, name: &str) -> Result<Option<Plugin>>;
    /// The component of a plugin.
    async fn plugin_component(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Adds or replaces a plugin.
    async fn put_plugin(&self, plugin: &Plugin, component: &[u8]) -> Result<()>;
    /// Removes a plugin with its bindings, its state and what is owed to it.
    async fn delete_plugin(&self, name: &str) -> Result<()>;
    /// Every binding.
    async fn bindings(&self) -> Result<Vec<PluginBinding>>;
    /// Adds or replaces a binding.
    async fn put_binding(&self, binding: &PluginBinding) -> Result<()>;
}

/// Webhook targets.
#[async_trait]
pub trait Targets: Send + Sync {
    /// Every webhook target, or those of one session; oldest first.
    async fn targets(&self, session: Option<&SessionId>) -> Result<Vec<Target>>;
    /// The target with this id.
    async fn target(&self, id: &TargetId) -> Result<Option<Target>>;
    /// Makes these the targets of a session. What is not among them is removed;
    /// what was owed to it is given up at `now_ms`, and stays listed.
    async fn set_targets(&self, session: &SessionId, targets: &[Target], now_ms: Millis) -> Result<()>;
    /// Adds a target. The default target of its session gives way to it; what was
    /// owed to that is given up at `now_ms`, and stays listed.
    async fn add_target(&self, target: &Target, now_ms: Millis) -> Result<()>;
    /// Writes URL, secrets and options of a target. With a `resumed`, its health
    /// is as new, too.
    async fn update_target(&self, target: &Target, resumed: Option<Resumed>) -> Result<()>;
    /// Removes a target; what was owed to it is given up at `now_ms`, and stays
    /// listed.
    async fn delete_target(&self, id: &TargetId, now_ms: Millis) -> Result<()>;
}

/// Runs and their journals.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Saves a run that answers no dispatch (`POST …/actions`).
    async fn start_run(&self, run: NewRun) -> Result<()>;
    /// A run with its journal.
    async fn run(&self, id: &RunId) -> Result<Option<RunRecord>>;
    /// A page of runs, newest first.
    async fn runs(&self, filter: &RunFilter, page: &Page) -> Result<Vec<Run>>;
    /// Saves progress; `Stale` if the run has moved on since it was read.
    async fn save_progress(&self, progress: Progress) -> Result<()>;
    /// Active runs that wait, with their due times, soonest first.
    async fn waiting_runs(&self, limit: u32) -> Result<Vec<(RunId, Millis)>>;
    /// When the next active run is due.
    async fn next_wake(&self) -> Result<Option<Millis>>;
}

/// The send queues.
#[async_trait]
pub trait SendQueue: Send + Sync {
    /// Queues a job that no run waits for; answers its position.
    async fn queue_job(&self, job: SendJob) -> Result<i64>;
    /// The job with this id.
    async fn job(&self, id: &JobId) -> Result<Option<SendJob>>;
    /// Jobs that wait in a session's queue after `after`, in order, whether due
    /// or not. `chat` narrows to one lane (empty: jobs without a chat).
    async fn queued_jobs(
        &self,
        session: &SessionId,
        chat: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SendJob>>;
    /// How many jobs of a session have not ended, wherever they are.
    async fn queue_len(&self, session: &SessionId) -> Result<u64>;
    /// Keeps a job queued until `due_ms` after a failed attempt.
    async fn defer_job(&self, id: &JobId, attempts: u32, due_ms: Millis, fault: &Fault) -> Result<()>;
    /// Ends a job and saves its run's progress with it, and what it leaves behind.
    /// `NotFound` if the job has ended already; `Stale` if the run has moved on (nothing is
    /// written then).
    async fn finish_job(&self, end: JobEnd, progress: Option<Progress>) -> Result<()>;
}

/// Jobs that are not in line: those that wait for their time or their turn, and
/// those that wait for a person.
#[async_trait]
pub trait JobBook: Send + Sync {
    /// A page of jobs, newest first.
    async fn jobs(&self, filter: &JobFilter, page: &Page) -> Result<Vec<SendJob>>;
    /// Takes a job out of the line (if it is in it) until `due_ms`. `NotFound`
    /// unless it is scheduled or queued.
    async fn reschedule_job(&self, id: &JobId, due_ms: Millis) -> Result<()>;
    /// Puts scheduled jobs that are due at the end of the line, soonest first,
    /// those of a bulk where its others wait. Their sessions; `limit` of them
    /// means that there may be more.
    async fn release_due(&self, now_ms: Millis, limit: u32) -> Result<Vec<SessionId>>;
    /// When the next scheduled job is due.
    async fn next_due(&self) -> Result<Option<Millis>>;
    /// Takes a queued job out of the line until a person puts it back.
    /// `NotFound` if it is not queued any more.
    async fn wedge_job(&self, id: &JobId, attempts: u32, fault: &Fault) -> Result<()>;
    /// Puts wedged jobs back at the end of the line, untried: one, or up to
    /// `limit` of a session. How many there were.
    async fn unwedge(&self, session: &SessionId, job: Option<&JobId>, now_ms: Millis, limit: u32) -> Result<u64>;
    /// Writes what receipts say, first word first. Those of messages that are
    /// no job's are skipped.
    async fn record_receipts(&self, session: &SessionId, receipts: Vec<Receipt>) -> Result<()>;
    /// Jobs whose message could not be read from `since_ms` to `until_ms`, and has
    /// not arrived or been sent again, oldest first.
    async fn unreadable_jobs(&self, since_ms: Millis, until_ms: Millis, limit: u32) -> Result<Vec<SendJob>>;
    /// Notes that a message that could not be read was sent again.
    async fn sent_again(&self, id: &JobId) -> Result<()>;

    /// The sessions that do not send for now.
    async fn holds(&self) -> Result<Vec<(SessionId, Hold)>>;
    /// Holds a session, or lets it go.
    async fn set_hold(&self, session: &SessionId, hold: Option<Hold>) -> Result<()>;
}

/// How a bulk stands.
#[derive(Debug, Clone)]
pub struct BulkRecord {
    /// The bulk.
    pub bulk: Bulk,
    /// How many of its jobs are in each state that has any.
    pub states: Vec<(JobState, u64)>,
    /// How many reached a device of the recipient.
    pub delivered: u64,
    /// How many were read.
    pub read: u64,
}

/// Bulks of messages.
#[async_trait]
pub trait Bulks: Send + Sync {
    /// Stores a bulk with its jobs, all or nothing; `Exists` if it is there.
    async fn add_bulk(&self, bulk: &Bulk, jobs: Vec<SendJob>) -> Result<()>;
    /// A bulk and how it stands.
    async fn bulk(&self, id: &BulkId) -> Result<Option<BulkRecord>>;
    /// Sessions with jobs that wait for room.
    async fn waiting_sessions(&self) -> Result<Vec<SessionId>>;
    /// Puts jobs of bulks that wait at the end of the line, until `window` of a
    /// session's are in it. How many were.
    async fn feed_bulks(&self, session: &SessionId, window: u32) -> Result<u64>;
    /// Cancels the jobs of a bulk that are not in line, and notes when. How many
    /// there were.
    async fn cancel_bulk(&self, id: &BulkId, fault: &Fault, now_ms: Millis) -> Result<u64>;
}

/// What a request with an idempotency key meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing that was answered: it is done, as the request that began then.
    Begun {
        /// When the first request with this key began.
        at_ms: Millis,
        /// Whether this is that first one. If not, an earlier one was cut off,
        /// and may have done what it was to do.
        first: bool,
    },
    /// The answer of the same request.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        body: Vec<u8>,
    },
    /// Another request had this key.
    Other,
}

/// Requests that are done once for each key.
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Begins a request, or finds what became of it. `fingerprint` tells requests
    /// apart; what began `ttl_ms` ago or earlier is forgotten.
    async fn begin_key(
        &self,
        user: &UserId,
        key: &str,
        fingerprint: [u8; 32],
        now_ms: Millis,
        ttl_ms: Millis,
    ) -> Result<KeyState>;
    /// Keeps the answer of a request that was begun.
    async fn answer_key(&self, user: &UserId, key: &str, status: u16, body: Vec<u8>) -> Result<()>;
    /// Forgets a request that was begun and did nothing.
    async fn free_key(&self, user: &UserId, key: &str) -> Result<()>;
    /// Forgets up to `limit` requests that began before `before_ms`. How many
    /// there were.
    async fn purge_keys(&self, before_ms: Millis, limit: u32) -> Result<u64>;
}

/// Events owed to webhook targets.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Pending deliveries of a target after `after`, in order, whether due or
    /// not. `lane` narrows to one chat (or empty).
    async fn pending_deliveries(
        &self,
        target: &TargetId,
        lane: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Delivery>>;
    /// Every target with pending deliveries.
    async fn owed_targets(&self) -> Result<Vec<TargetId>>;
    /// The delivery with this id.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>>;
    /// A page of deliveries, newest first; a replayed one counts as new.
    async fn deliveries(&self, filter: &DeliveryFilter, page: &Page) -> Result<Vec<Delivery>>;
    /// The attempts of a delivery that are kept, oldest first.
    async fn attempts(&self, delivery: &DeliveryId) -> Result<Vec<Attempt>>;
    /// Saves an attempt: state, counts, due time, status, error and end of a
    /// pending delivery, its journal line, the run of the answer's actions, and
    /// what it says of its target. A run for the same target and event that
    /// exists already is left as it is. `NotFound`, and nothing written, if the
    /// delivery is not pending any more.
    async fn record_attempt(&self, report: AttemptReport) -> Result<Recorded>;
    /// Owes a delivered or dead delivery again, behind all that is owed.
    /// `NotFound` if it is neither, or if its event or its target's URL is gone.
    async fn replay_delivery(&self, id: &DeliveryId, now_ms: Millis) -> Result<()>;
    /// The same for the first of a range, at most `limit`.
    async fn replay_deliveries(&self, range: &ReplayRange, limit: u32, now_ms: Millis) -> Result<Replayed>;
}

/// How far sinks have taken the event log.
#[async_trait]
pub trait Sinks: Send + Sync {
    /// The position up to which a sink has taken the log; none if it is new.
    async fn sink_position(&self, sink: &str) -> Result<Option<i64>>;
    /// Notes that a sink has taken the log up to `seq`.
    async fn set_sink_position(&self, sink: &str, seq: i64, now_ms: Millis) -> Result<()>;
}

/// Everything the engine asks of its store.
pub trait Store:
    Registry
    + EventLog
    + Reactors
    + Targets
    + Runs
    + SendQueue
    + JobBook
    + Bulks
    + Idempotency
    + Outbox
    + GuardBook
    + Sinks
    + History
    + MediaRows
    + CommandBooks
    + 'static
{
}

impl<T> Store for T where
    T: Registry
        + EventLog
        + Reactors
        + Targets
        + Runs
        + SendQueue
        + JobBook
        + Bulks
        + Idempotency
        + Outbox
        + GuardBook
        + Sinks
        + History
        + MediaRows
        + CommandBooks
        + 'static
{
}
