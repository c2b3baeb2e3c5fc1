//! What the send operations share: a job for each recipient, a bounded wait for
//! their ends, and one answer for all of them. What is scheduled is not waited
//! for.

use crate::codes::{self, Code};
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::extract::required;
use crate::state::ApiState;
use crate::throttle::{Budget, seconds_until};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use warest_model::birth::Births;
use warest_model::clock::Millis;
use warest_model::content::Content;
use warest_model::fault::{Fault, OVERLIMIT, REACH_OUT_LOCKED};
use warest_model::jid::Jid;
use warest_model::job::{JobState, SendJob};
use warest_model::limits::TEXT_CHARS;
use warest_model::plan::Effect;
use warest_pipeline::directory::SessionEntry;
use warest_pipeline::send::guards::{OPTED_OUT, Outlook};
use warest_store::JobEnd;

/// The sends of one request.
pub struct Batch<'a> {
    entry: &'a SessionEntry,
    births: &'a Births,
    /// The message that is changed; none if messages are sent.
    about: Option<&'a str>,
    /// The code of a failure that has none of its own.
    failed: Code,
    at_ms: Option<Millis>,
    sends: Vec<Send>,
    /// When the last of those that a guard refused may be tried again.
    again_ms: Option<Millis>,
}

struct Send {
    to: String,
    jid: Jid,
    forwarded: bool,
    quoted: Option<String>,
    job: Option<SendJob>,
    state: SendState,
}

enum SendState {
    Waiting(oneshot::Receiver<JobEnd>),
    /// With what it waits for, and until when, if that is known.
    Queued(Option<(Millis, Fault)>),
    Scheduled,
    Sent(Millis),
    Wedged(Fault),
    Failed(Fault),
}

impl SendState {
    /// Why it is not on its way.
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Wedged(fault) | Self::Failed(fault) => Some(fault),
            Self::Waiting(_) | Self::Queued(_) | Self::Scheduled | Self::Sent(_) => None,
        }
    }
}

impl<'a> Batch<'a> {
    /// No sends yet. `at_ms` is when they are sent, if not now.
    pub fn new(entry: &'a SessionEntry, births: &'a Births, at_ms: Option<Millis>) -> Self {
        Self { entry, births, about: None, failed: codes::SEND_FAILED, at_ms, sends: Vec::new(), again_ms: None }
    }

    /// With this code for what fails without one of its own.
    pub fn of(self, failed: Code) -> Self {
        Self { failed, ..self }
    }

    /// All of it is about this message.
    pub fn about(self, message_id: &'a str) -> Self {
        Self { about: Some(message_id), ..self }
    }

    /// Queues an effect for the recipient written as `to`. Refused only if it is
    /// the first: what is queued already is not taken back. One that a guard
    /// refuses has failed; the others go on.
    pub async fn queue(&mut self, state: &ApiState, to: String, jid: Jid, effect: Effect) -> Result<(), ApiError> {
        let (quoted, forwarded) = match &effect {
            Effect::Message { quoted, forwarded, .. } => (quoted.as_ref().map(|key| key.id.clone()), *forwarded),
            _ => (None, false),
        };
        let send = |job, state| Send { to, jid, quoted, forwarded, job, state };
        // What is scheduled meets the guards when it falls due.
        let scheduled = self.at_ms.is_some_and(|at_ms| at_ms > state.now_ms());
        let outlook = match scheduled {
            true => Ok(Outlook::Clear),
            false => state.engine.outlook(self.entry, &effect).await,
        };
        let later = match outlook {
            Ok(Outlook::Clear) => None,
            // Nobody waits here for what is held for longer than the answer takes.
            Ok(Outlook::Later { until_ms, why }) => {
                Some((until_ms, why)).filter(|(until_ms, _)| *until_ms > state.now_ms() + wait_ms(state))
            }
            Ok(Outlook::Refused { fault, until_ms }) => {
                self.again_ms = self.again_ms.max(until_ms);
                self.refuse(send(None, SendState::Failed(fault)));
                return Ok(());
            }
            Err(error) if self.sends.is_empty() => return Err(error.into()),
            Err(error) => {
                self.refuse(send(None, SendState::Failed(Fault::retry("not_queued", error.to_string()))));
                return Ok(());
            }
        };
        let (job, state) = match state.engine.send(self.entry, self.births, effect, self.at_ms).await {
            Ok((job, _)) if job.state == JobState::Scheduled => (Some(job), SendState::Scheduled),
            Ok((job, end)) => (
                Some(job),
                match later {
                    Some(held) => SendState::Queued(Some(held)),
                    None => SendState::Waiting(end),
                },
            ),
            Err(error) if self.sends.is_empty() => return Err(error.into()),
            Err(error) => (None, SendState::Failed(Fault::retry("not_queued", error.to_string()))),
        };
        self.sends.push(send(job, state));
        Ok(())
    }

    /// Notes a send that has no job.
    fn refuse(&mut self, send: Send) {
        // Those behind it keep their ids, should the request come again.
        self.births.skip();
        self.sends.push(send);
    }

    /// Waits for the ends, and answers: `sent` if all went out. `kind` is what
    /// the results call it.
    pub async fn settle(mut self, state: &ApiState, sent: &str, kind: &str) -> Reply {
        let deadline = Instant::now() + state.config.send_wait;
        for send in &mut self.sends {
            send.settle(state, deadline).await;
        }
        let now = state.now_ms();
        let phone = own_phone(state, self.entry);
        let results: Vec<Value> = self.sends.iter().map(|send| self.result(send, &phone, kind, now)).collect();
        let (code, message) = self.outcome(sent);
        let mut reply = Reply::new(code, message).results(results);
        if let Some(again_ms) = self.again_ms {
            reply = reply.retry_after(seconds_until(again_ms, now));
        }
        match state.engine.quota(self.entry).await {
            Ok(Some((limit, window))) => reply.quota(Budget { limit, used: window.used, reset_ms: window.reset_ms }),
            Ok(None) => reply,
            Err(error) => {
                // The sends are what was asked for; they are answered all the same.
                tracing::warn!(%error, "the quota could not be told");
                reply
            }
        }
    }

    fn outcome(&self, sent: &str) -> (Code, String) {
        let all = self.sends.len();
        let count = |fits: fn(&SendState) -> bool| self.sends.iter().filter(|send| fits(&send.state)).count();
        let failed = count(|state| state.fault().is_some());
        let out = count(|state| matches!(state, SendState::Sent(_)));
        let later = count(|state| matches!(state, SendState::Scheduled));
        match self.sends.iter().find_map(|send| send.state.fault()) {
            None if out == all => (codes::SUCCESS, sent.to_owned()),
            None if later == all => (codes::SCHEDULED, "Scheduled".to_owned()),
            None => (codes::SEND_QUEUED, self.waits_for()),
            Some(fault) if failed == all => (code_of(fault, self.failed), fault.message.clone()),
            Some(_) => (codes::PARTIAL_SUCCESS, format!("{failed} of {all} recipients failed")),
        }
    }

    /// What became of one, as a result shows it.
    fn result(&self, send: &Send, phone: &str, kind: &str, now_ms: Millis) -> Value {
        let mut result = send.result(phone, kind, now_ms);
        result["sessionId"] = json!(self.entry.session.id);
        if let Some(message_id) = self.about {
            result["messageId"] = json!(message_id);
        }
        result
    }

    fn waits_for(&self) -> String {
        let held = self.sends.iter().find_map(|send| match &send.state {
            SendState::Queued(Some((_, why))) => Some(format!("Queued: {}", why.message)),
            _ => None,
        });
        held.unwrap_or_else(|| "Queued; it is sent as soon as the session can".to_owned())
    }
}

/// The text of a field, which has one and not too much of it.
pub fn text_of(field: &str, text: Option<String>) -> Result<String, ApiError> {
    let text = required(field, text.filter(|text| !text.is_empty()))?;
    let too_long = |_| {
        let message = format!("`{field}` may have at most {TEXT_CHARS} characters; split it over several messages");
        ApiError::new(codes::MESSAGE_TOO_LONG, message)
    };
    Content::text(text.clone()).check().map_err(too_long)?;
    Ok(text)
}

fn wait_ms(state: &ApiState) -> Millis {
    Millis::try_from(state.config.send_wait.as_millis()).unwrap_or(Millis::MAX)
}

impl Send {
    async fn settle(&mut self, state: &ApiState, deadline: Instant) {
        let SendState::Waiting(end) = &mut self.state else { return };
        self.state = match timeout_at(deadline, end).await {
            Ok(Ok(end)) => {
                let why = || end.fault.unwrap_or_else(|| Fault::fail("send_failed", "the message was not sent"));
                match end.state {
                    JobState::Sent => SendState::Sent(end.ended_ms),
                    JobState::Wedged => SendState::Wedged(why()),
                    _ => SendState::Failed(why()),
                }
            }
            Ok(Err(_)) | Err(_) => SendState::Queued(self.held(state).await),
        };
    }

    /// What a job that has not ended waits for, as its row says.
    async fn held(&self, state: &ApiState) -> Option<(Millis, Fault)> {
        let job = state.engine.store().job(&self.job.as_ref()?.id).await.ok()??;
        let waits = matches!(job.state, JobState::Queued | JobState::Scheduled);
        job.fault.filter(|_| waits).map(|fault| (job.due_ms, fault))
    }

    fn result(&self, phone: &str, kind: &str, now_ms: Millis) -> Value {
        let mut due_ms = None;
        let mut error = self.state.fault();
        let (status, at_ms) = match &self.state {
            SendState::Sent(at_ms) => ("success", *at_ms),
            SendState::Failed(_) => ("failed", now_ms),
            SendState::Wedged(_) => ("wedged", now_ms),
            SendState::Scheduled => {
                due_ms = self.job.as_ref().map(|job| job.due_ms);
                ("scheduled", due_ms.unwrap_or(now_ms))
            }
            SendState::Queued(held) => {
                due_ms = held.as_ref().map(|(due_ms, _)| *due_ms);
                error = held.as_ref().map(|(_, why)| why);
                ("queued", now_ms)
            }
            SendState::Waiting(_) => ("queued", now_ms),
        };
        json!({
            "phone": phone,
            "to": self.to,
            "toJid": self.jid,
            "messageId": self.job.as_ref().map_or("", |job| &job.message_id),
            "status": format!("{kind} {status}"),
            "timestamp": at_ms / 1_000,
            "jobId": self.job.as_ref().map(|job| &job.id),
            "dueAt": due_ms,
            "error": error.map(crate::view::fault_json),
            "advancedInfo": { "isForwarded": self.forwarded, "quotedMessageId": self.quoted },
        })
    }
}

/// The number of the account itself, in digits; empty if it is not paired.
pub fn own_phone(state: &ApiState, entry: &SessionEntry) -> String {
    let me = state.engine.status(entry).me.or_else(|| entry.session.me.clone()).unwrap_or_default();
    me.chars().take_while(char::is_ascii_digit).collect()
}

/// A request that cannot be done for what it asks.
pub fn refusal(fault: &Fault, default: Code) -> ApiError {
    ApiError::new(code_of(fault, default), fault.message.clone())
}

/// The code for a fault; `default` where it has none of its own.
pub fn code_of(fault: &Fault, default: Code) -> Code {
    match fault.code.as_str() {
        "recipient_not_on_whatsapp" | "recipient_invalid" | "recipient_missing" => codes::RECIPIENT_INVALID,
        "send_forbidden" | "not_a_member" | OPTED_OUT => codes::RECIPIENT_NOT_ALLOWED,
        "recipient_blocked" => codes::RECIPIENT_BLOCKED,
        "not_admin" => codes::GROUP_NOT_ADMIN,
        "group_not_found" => codes::GROUP_NOT_FOUND,
        "guard_quota" => codes::QUOTA_EXCEEDED,
        code if code.starts_with("guard_") => codes::SEND_THROTTLED,
        "action_unsupported" => codes::UNSUPPORTED_OPERATION,
        "text_too_long" => codes::MESSAGE_TOO_LONG,
        "caption_too_long" => codes::CAPTION_TOO_LONG,
        "text_missing" | "url_missing" | "message_missing" | "key_missing" => codes::MISSING_PARAMETER,
        "poll_invalid" => codes::POLL_INVALID,
        "buttons_invalid" => codes::BUTTONS_LIMIT_EXCEEDED,
        "list_invalid" => codes::LIST_FORMAT_INVALID,
        "message_invalid" | "message_too_large" => codes::UNSUPPORTED_MESSAGE_TYPE,
        "message_unknown" => codes::MESSAGE_NOT_FOUND,
        "media_unknown" => codes::MEDIA_NOT_FOUND,
        "media_too_large" => codes::MEDIA_TOO_LARGE,
        "media_unsupported" | "media_corrupt" | "media_unconverted" | "ffmpeg_missing" => {
            codes::MEDIA_UNSUPPORTED_FORMAT
        }
        "media_unavailable" | "media_fetch_failed" | "url_refused" => codes::MEDIA_DOWNLOAD_FAILED,
        "media_upload_failed" => codes::MEDIA_UPLOAD_FAILED,
        "url_invalid" | "transform_invalid" | "transcode_invalid" | "number_invalid" | "location_invalid"
        | "contact_invalid" | "media_type_invalid" | "media_id_invalid" | "key_invalid" | "filename_too_long" => {
            codes::INVALID_PARAMETER
        }
        OVERLIMIT | REACH_OUT_LOCKED => codes::SEND_THROTTLED,
        "logged_out" => codes::SESSION_NOT_LOGGED_IN,
        "session_deleted" => codes::SESSION_NOT_FOUND,
        _ => default,
    }
}
