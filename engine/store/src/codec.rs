//! Stored records (protobuf) to nouns and back.
//!
//! Writing never fails. Reading trusts nothing: a record that is damaged, that
//! holds a value this version does not know, or that has fields a newer version
//! added is [`StoreError::Corrupt`], because doing half of what it says could be
//! worse than doing nothing.

use crate::Result;
use crate::error::StoreError;
use prost::Message;
use warest_model::event::{Event, EventKind};
use warest_model::fault::{Fault, FaultKind};
use warest_model::jid::Jid;
use warest_model::job::{JobState, Receipts, SendJob};
use warest_model::plan::{Node, Path, Plan, StateWrite};
use warest_model::run::{Run, RunCause, RunState, Step, StepState};
use warest_proto::v1;

mod effect;
#[cfg(test)]
mod tests;

use effect::{effect_from, effect_to};

/// The record of an event, as it is stored and streamed.
pub fn encode_event(event: &Event) -> Vec<u8> {
    v1::Event {
        id: event.id.to_string(),
        session: event.session.to_string(),
        kind: match event.kind {
            EventKind::SessionStatus => v1::EventKind::SessionStatus,
            EventKind::MessageReceived => v1::EventKind::MessageReceived,
            EventKind::MessageReaction => v1::EventKind::MessageReaction,
            EventKind::MessageCommand => v1::EventKind::MessageCommand,
            EventKind::MessageEdited => v1::EventKind::MessageEdited,
            EventKind::MessageRevoked => v1::EventKind::MessageRevoked,
            EventKind::GroupParticipants => v1::EventKind::GroupParticipants,
            EventKind::GroupJoin => v1::EventKind::GroupJoin,
            EventKind::GroupLeave => v1::EventKind::GroupLeave,
            EventKind::GroupUpdate => v1::EventKind::GroupUpdate,
            EventKind::PresenceUpdate => v1::EventKind::PresenceUpdate,
            EventKind::CredsUpdate => v1::EventKind::CredsUpdate,
            EventKind::Call => v1::EventKind::Call,
            EventKind::MessageSent => v1::EventKind::MessageSent,
            EventKind::MessageStatus => v1::EventKind::MessageStatus,
            EventKind::PollVote => v1::EventKind::PollVote,
            EventKind::ChatUpdate => v1::EventKind::ChatUpdate,
            EventKind::LabelUpdate => v1::EventKind::LabelUpdate,
            EventKind::ContactUpdate => v1::EventKind::ContactUpdate,
            EventKind::HistorySync => v1::EventKind::HistorySync,
            EventKind::WebhookStatus => v1::EventKind::WebhookStatus,
            EventKind::Adhoc => v1::EventKind::Adhoc,
        }
        .into(),
        chat: event.chat.as_ref().map(Jid::to_string),
        ts_ms: event.ts_ms,
        data: event.data.to_string().into_bytes(),
    }
    .encode_to_vec()
}

/// The event of a record.
pub(crate) fn decode_event(bytes: &[u8]) -> Result<Event> {
    const WHAT: &str = "event";
    let event: v1::Event = read(WHAT, bytes)?;
    Ok(Event {
        id: parse(WHAT, &event.id)?,
        session: parse(WHAT, &event.session)?,
        kind: match known(WHAT, v1::EventKind::try_from(event.kind))? {
            v1::EventKind::Unspecified => return Err(corrupt(WHAT, "it has no kind")),
            v1::EventKind::SessionStatus => EventKind::SessionStatus,
            v1::EventKind::MessageReceived => EventKind::MessageReceived,
            v1::EventKind::MessageReaction => EventKind::MessageReaction,
            v1::EventKind::MessageCommand => EventKind::MessageCommand,
            v1::EventKind::MessageEdited => EventKind::MessageEdited,
            v1::EventKind::MessageRevoked => EventKind::MessageRevoked,
            v1::EventKind::GroupParticipants => EventKind::GroupParticipants,
            v1::EventKind::GroupJoin => EventKind::GroupJoin,
            v1::EventKind::GroupLeave => EventKind::GroupLeave,
            v1::EventKind::GroupUpdate => EventKind::GroupUpdate,
            v1::EventKind::PresenceUpdate => EventKind::PresenceUpdate,
            v1::EventKind::CredsUpdate => EventKind::CredsUpdate,
            v1::EventKind::Call => EventKind::Call,
            v1::EventKind::MessageSent => EventKind::MessageSent,
            v1::EventKind::MessageStatus => EventKind::MessageStatus,
            v1::EventKind::PollVote => EventKind::PollVote,
            v1::EventKind::ChatUpdate => EventKind::ChatUpdate,
            v1::EventKind::LabelUpdate => EventKind::LabelUpdate,
            v1::EventKind::ContactUpdate => EventKind::ContactUpdate,
            v1::EventKind::HistorySync => EventKind::HistorySync,
            v1::EventKind::WebhookStatus => EventKind::WebhookStatus,
            v1::EventKind::Adhoc => EventKind::Adhoc,
        },
        chat: jid_or_none(WHAT, event.chat)?,
        ts_ms: event.ts_ms,
        data: serde_json::from_slice(&event.data).map_err(|error| corrupt(WHAT, error))?,
    })
}

/// The record of a run: what never changes about it.
pub(crate) fn encode_run(run: &Run) -> Vec<u8> {
    v1::Run {
        id: run.id.to_string(),
        session: run.session.to_string(),
        chat: run.chat.as_ref().map(Jid::to_string),
        by: run.cause.by.clone(),
        event: run.cause.event.as_ref().map(ToString::to_string),
        plan: Some(plan_to(&run.plan)),
        created_ms: run.created_ms,
    }
    .encode_to_vec()
}

/// The run of a record, as it was when it was saved: active, without a fault.
pub(crate) fn decode_run(bytes: &[u8]) -> Result<Run> {
    const WHAT: &str = "run";
    let run: v1::Run = read(WHAT, bytes)?;
    let plan = run.plan.ok_or_else(|| corrupt(WHAT, "it has no plan"))?;
    Ok(Run {
        id: parse(WHAT, &run.id)?,
        session: parse(WHAT, &run.session)?,
        chat: jid_or_none(WHAT, run.chat)?,
        cause: RunCause { by: run.by, event: run.event.map(|id| parse(WHAT, &id)).transpose()? },
        plan: plan_from(plan)?,
        state: RunState::Active,
        fault: None,
        created_ms: run.created_ms,
        ended_ms: None,
    })
}

/// The record of a step.
pub(crate) fn encode_step(step: &Step) -> Vec<u8> {
    v1::Step {
        path: step.path.to_string(),
        action: step.action.clone(),
        state: match step.state {
            StepState::Queued => v1::StepState::Queued,
            StepState::Waiting => v1::StepState::Waiting,
            StepState::Done => v1::StepState::Done,
            StepState::Failed => v1::StepState::Failed,
            StepState::Skipped => v1::StepState::Skipped,
        }
        .into(),
        attempts: step.attempts,
        message_id: step.message_id.clone(),
        due_ms: step.due_ms,
        fault: step.fault.as_ref().map(fault_to),
        started_ms: step.started_ms,
        ended_ms: step.ended_ms,
    }
    .encode_to_vec()
}

/// The step of a record.
pub(crate) fn decode_step(bytes: &[u8]) -> Result<Step> {
    const WHAT: &str = "step";
    let step: v1::Step = read(WHAT, bytes)?;
    Ok(Step {
        path: Path::from_text(step.path),
        action: step.action,
        state: match known(WHAT, v1::StepState::try_from(step.state))? {
            v1::StepState::Unspecified => return Err(corrupt(WHAT, "it has no state")),
            v1::StepState::Queued => StepState::Queued,
            v1::StepState::Waiting => StepState::Waiting,
            v1::StepState::Done => StepState::Done,
            v1::StepState::Failed => StepState::Failed,
            v1::StepState::Skipped => StepState::Skipped,
        },
        attempts: step.attempts,
        message_id: step.message_id,
        due_ms: step.due_ms,
        fault: step.fault.map(fault_from).transpose()?,
        started_ms: step.started_ms,
        ended_ms: step.ended_ms,
    })
}

/// The record of a send job: what never changes about it.
pub(crate) fn encode_job(job: &SendJob) -> Vec<u8> {
    v1::SendJob {
        id: job.id.to_string(),
        session: job.session.to_string(),
        chat: job.chat.as_ref().map(Jid::to_string),
        effect: Some(effect_to(&job.effect)),
        message_id: job.message_id.clone(),
        step: job.step.as_ref().map(|(run, path)| v1::StepRef { run: run.to_string(), path: path.to_string() }),
        created_ms: job.created_ms,
    }
    .encode_to_vec()
}

/// The job of a record, as it was before it got its place in the queue.
pub(crate) fn decode_job(bytes: &[u8]) -> Result<SendJob> {
    const WHAT: &str = "send job";
    let job: v1::SendJob = read(WHAT, bytes)?;
    let step = match job.step {
        Some(step) => Some((parse(WHAT, &step.run)?, Path::from_text(step.path))),
        None => None,
    };
    Ok(SendJob {
        id: parse(WHAT, &job.id)?,
        seq: 0,
        session: parse(WHAT, &job.session)?,
        chat: jid_or_none(WHAT, job.chat)?,
        effect: effect_from(job.effect.ok_or_else(|| corrupt(WHAT, "it has no effect"))?)?,
        message_id: job.message_id,
        step,
        bulk: None,
        state: JobState::Queued,
        attempts: 0,
        due_ms: 0,
        fault: None,
        receipts: Receipts::default(),
        created_ms: job.created_ms,
        ended_ms: None,
    })
}

/// The record of a fault.
pub(crate) fn encode_fault(fault: &Fault) -> Vec<u8> {
    fault_to(fault).encode_to_vec()
}

/// The fault of a record.
pub(crate) fn decode_fault(bytes: &[u8]) -> Result<Fault> {
    fault_from(read("fault", bytes)?)
}

fn fault_to(fault: &Fault) -> v1::Fault {
    v1::Fault {
        kind: match fault.kind {
            FaultKind::Retry => v1::FaultKind::Retry,
            FaultKind::Fail => v1::FaultKind::Fail,
            FaultKind::Unknown => v1::FaultKind::Unknown,
        }
        .into(),
        code: fault.code.clone(),
        message: fault.message.clone(),
    }
}

fn fault_from(fault: v1::Fault) -> Result<Fault> {
    let kind = match known("fault", v1::FaultKind::try_from(fault.kind))? {
        v1::FaultKind::Unspecified => return Err(corrupt("fault", "it has no kind")),
        v1::FaultKind::Retry => FaultKind::Retry,
        v1::FaultKind::Fail => FaultKind::Fail,
        v1::FaultKind::Unknown => FaultKind::Unknown,
    };
    Ok(Fault { kind, code: fault.code, message: fault.message })
}

const PLAN: &str = "plan";

fn plan_to(plan: &Plan) -> v1::Plan {
    v1::Plan {
        nodes: nodes_to(&plan.nodes),
        pause_ms: plan.pause_ms,
        state: plan
            .state
            .iter()
            .map(|write| v1::StateWrite { key: write.key.clone(), value: write.value.clone() })
            .collect(),
    }
}

fn plan_from(plan: v1::Plan) -> Result<Plan> {
    Ok(Plan {
        nodes: nodes_from(plan.nodes)?,
        pause_ms: plan.pause_ms,
        state: plan.state.into_iter().map(|write| StateWrite { key: write.key, value: write.value }).collect(),
    })
}

fn nodes_to(nodes: &[Node]) -> Vec<v1::Node> {
    nodes.iter().map(node_to).collect()
}

fn nodes_from(nodes: Vec<v1::Node>) -> Result<Vec<Node>> {
    nodes.into_iter().map(node_from).collect()
}

fn node_to(node: &Node) -> v1::Node {
    use v1::node::Node as To;
    let to = match node {
        Node::Effect { effect } => To::Effect(effect_to(effect)),
        Node::Delay { ms } => To::Delay(v1::Delay { ms: *ms }),
        Node::Noop => To::Noop(v1::Noop {}),
        Node::Queue { items, delay_ms } => To::Queue(v1::Queue { items: nodes_to(items), delay_ms: *delay_ms }),
        Node::Parallel { items } => To::Parallel(v1::Parallel { items: nodes_to(items) }),
        Node::When { cond, then, otherwise } => {
            To::When(v1::When { cond: *cond, then: nodes_to(then), otherwise: nodes_to(otherwise) })
        }
        Node::Retry { item, attempts, delay_ms, on_fail } => To::Retry(Box::new(v1::Retry {
            item: Some(Box::new(node_to(item))),
            attempts: *attempts,
            delay_ms: *delay_ms,
            on_fail: nodes_to(on_fail),
        })),
    };
    v1::Node { node: Some(to) }
}

fn node_from(node: v1::Node) -> Result<Node> {
    use v1::node::Node as From;
    Ok(match node.node.ok_or_else(|| corrupt(PLAN, "a node is of no known kind"))? {
        From::Effect(effect) => Node::Effect { effect: effect_from(effect)? },
        From::Delay(delay) => Node::Delay { ms: delay.ms },
        From::Noop(v1::Noop {}) => Node::Noop,
        From::Queue(queue) => Node::Queue { items: nodes_from(queue.items)?, delay_ms: queue.delay_ms },
        From::Parallel(parallel) => Node::Parallel { items: nodes_from(parallel.items)? },
        From::When(when) => {
            Node::When { cond: when.cond, then: nodes_from(when.then)?, otherwise: nodes_from(when.otherwise)? }
        }
        From::Retry(retry) => Node::Retry {
            item: Box::new(node_from(*retry.item.ok_or_else(|| corrupt(PLAN, "a retry has no item"))?)?),
            attempts: retry.attempts,
            delay_ms: retry.delay_ms,
            on_fail: nodes_from(retry.on_fail)?,
        },
    })
}

/// Decodes a message and refuses what this version would drop: our encoder is
/// canonical, so a record of another length has fields that are not ours.
fn read<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M> {
    let message = M::decode(bytes).map_err(|error| corrupt(what, error))?;
    if message.encoded_len() != bytes.len() {
        return Err(corrupt(what, "it has fields that this version does not know; start a newer version"));
    }
    Ok(message)
}

fn known<T>(what: &'static str, value: std::result::Result<T, prost::UnknownEnumValue>) -> Result<T> {
    value.map_err(|error| corrupt(what, error))
}

/// Reads an id of a column or a record.
pub(crate) fn parse<T>(what: &'static str, text: &str) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| corrupt(what, error))
}

/// Reads an address of a column or a record.
pub(crate) fn jid(what: &'static str, text: String) -> Result<Jid> {
    Jid::try_from(text).map_err(|error| corrupt(what, error))
}

fn jid_or_none(what: &'static str, text: Option<String>) -> Result<Option<Jid>> {
    text.map(|text| jid(what, text)).transpose()
}

/// Reads the `chat` column, in which nothing stands for no chat.
pub(crate) fn chat_of(what: &'static str, text: String) -> Result<Option<Jid>> {
    jid_or_none(what, Some(text).filter(|text| !text.is_empty()))
}

/// That a stored record cannot be read, and why.
pub(crate) fn corrupt(what: &'static str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what, why: why.to_string() }
}
