//! Calls: that one comes, and what becomes of it.
//!
//! A call is told in several stanzas, of which only the first says whether it has
//! pictures and in which group it is; so the last calls are remembered.

use super::who::{Names, Who, name};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, VecDeque};
use warest_model::event::{EventKind, Observation};
use whatsapp_rust::Jid;
use whatsapp_rust::types::call::{CallAction, CallEndedElsewhere, ElsewhereOutcome, IncomingCall, MissedCall};

/// Most calls that are remembered.
const CALLS: usize = 256;

/// The calls of a session.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    known: HashMap<String, Call>,
    oldest_first: VecDeque<String>,
}

/// What an offer said of a call.
#[derive(Debug, Clone, Default)]
struct Call {
    is_video: Option<bool>,
    group: Option<Jid>,
    is_group: bool,
    caller_phone: Option<Jid>,
    answered: bool,
}

/// One turn of a call.
struct Turn<'a> {
    id: &'a str,
    creator: &'a Jid,
    /// Whose stanza it was.
    from: &'a Jid,
    status: &'static str,
    /// On another device of this account.
    elsewhere: bool,
    at_ms: i64,
    duration: Option<u32>,
    offline: bool,
}

impl Calls {
    fn remember(&mut self, id: &str) -> &mut Call {
        if !self.known.contains_key(id) {
            if self.oldest_first.len() >= CALLS
                && let Some(oldest) = self.oldest_first.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.oldest_first.push_back(id.to_owned());
        }
        self.known.entry(id.to_owned()).or_default()
    }

    /// What is seen of a stanza about a call.
    pub(crate) async fn observe(&mut self, names: &dyn Names, call: &IncomingCall) -> Option<Observation> {
        let id = call.action.call_id();
        let (status, elsewhere, duration) = match &call.action {
            CallAction::Offer { is_video, group_jid, caller_pn, .. } => {
                let known = self.remember(id);
                known.is_video = Some(*is_video);
                known.group.clone_from(group_jid);
                known.is_group = group_jid.is_some();
                known.caller_phone.clone_from(caller_pn);
                ("offer", false, None)
            }
            CallAction::OfferNotice { is_video, is_group, .. } => {
                let known = self.remember(id);
                known.is_video = Some(*is_video);
                known.is_group = *is_group;
                ("offer", false, None)
            }
            CallAction::PreAccept { .. } => ("ringing", false, None),
            CallAction::Accept { .. } => {
                self.remember(id).answered = true;
                ("accepted", false, None)
            }
            // One device is taken; the others go on ringing.
            CallAction::Reject { reason, .. } if reason.as_deref() == Some("busy") => return None,
            CallAction::Reject { .. } => {
                self.remember(id).answered = true;
                ("rejected", false, None)
            }
            CallAction::Terminate { reason, duration, .. } => {
                let own = names.me().is(call.action.call_creator());
                let answered = own || self.known.get(id).is_some_and(|known| known.answered);
                match reason.as_deref() {
                    Some("accepted_elsewhere") => ("accepted", true, None),
                    Some("rejected_elsewhere") => ("rejected", true, None),
                    Some("timeout") => ("timeout", false, None),
                    _ if answered => ("ended", false, *duration),
                    _ => ("missed", false, None),
                }
            }
            _ => return None,
        };
        let turn = Turn {
            id,
            creator: call.action.call_creator(),
            from: &call.from,
            status,
            elsewhere,
            at_ms: call.timestamp.timestamp_millis(),
            duration,
            offline: call.offline,
        };
        self.shown(names, &turn).await
    }

    /// A call that came while the session was away.
    pub(crate) async fn missed(&self, names: &dyn Names, call: &MissedCall) -> Option<Observation> {
        let turn = Turn {
            id: &call.call_id,
            creator: &call.from,
            from: &call.from,
            status: "missed",
            elsewhere: false,
            at_ms: call.timestamp.timestamp_millis(),
            duration: None,
            offline: true,
        };
        self.shown(names, &turn).await
    }

    /// A call that another device of the account took or refused.
    pub(crate) async fn elsewhere(&self, names: &dyn Names, call: &CallEndedElsewhere) -> Option<Observation> {
        let turn = Turn {
            id: &call.call_id,
            creator: &call.from,
            from: &call.from,
            status: if matches!(call.outcome, ElsewhereOutcome::Accepted) { "accepted" } else { "rejected" },
            elsewhere: true,
            at_ms: call.timestamp.timestamp_millis(),
            duration: None,
            offline: false,
        };
        self.shown(names, &turn).await
    }

    async fn shown(&self, names: &dyn Names, turn: &Turn<'_>) -> Option<Observation> {
        let known = self.known.get(turn.id).cloned().unwrap_or_default();
        let caller = name(names, turn.creator, known.caller_phone.as_ref()).await?;
        let by = name(names, turn.from, None).await;
        let own = names.me().is(turn.creator);
        let chat = match &known.group {
            Some(group) => name(names, group, None).await?,
            None if own => by.clone()?,
            None => caller.clone(),
        };
        let mut data = Map::from_iter([
            ("callId".to_owned(), json!(turn.id)),
            ("from".to_owned(), json!(caller.address)),
            ("chatId".to_owned(), json!(chat.address)),
            ("isVideo".to_owned(), json!(known.is_video.unwrap_or(false))),
            ("isGroup".to_owned(), json!(known.is_group)),
            ("status".to_owned(), json!(turn.status)),
            ("timestamp".to_owned(), json!(turn.at_ms)),
            ("tags".to_owned(), if own { json!(["outbound", "device"]) } else { json!(["inbound"]) }),
        ]);
        let mut lid = |name: &str, who: &Who| {
            if let Some(lid) = &who.lid {
                data.insert(name.to_owned(), json!(lid));
            }
        };
        lid("fromLid", &caller);
        lid("lid", &chat);
        if let Some(by) = by.filter(|by| by.address != caller.address && by.address != chat.address) {
            data.insert("by".to_owned(), json!(by.address));
        }
        for (name, said) in [("elsewhere", turn.elsewhere), ("offline", turn.offline)] {
            if said {
                data.insert(name.to_owned(), json!(true));
            }
        }
        if let Some(seconds) = turn.duration {
            data.insert("duration".to_owned(), json!(seconds));
        }
        // Every device of the other side may say the same.
        let dedup = Some(format!("call|{}|{}|{}", turn.creator.user, turn.id, turn.status));
        Some(Observation { dedup, ..Observation::new(EventKind::Call, Some(chat.address), Value::Object(data)) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::who::testing::book;
    use super::*;
    use whatsapp_rust::chrono::{DateTime, Utc};
    use whatsapp_rust::types::call::MissedReason;

    const ANI: &str = "62811111@s.whatsapp.net";

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_732_364_392, 0).unwrap()
    }

    fn stanza(from: &str, action: CallAction) -> IncomingCall {
        IncomingCall::builder()
            .from(from.parse().unwrap())
            .stanza_id("S".into())
            .timestamp(now())
            .offline(false)
            .action(action)
            .build()
    }

    fn offer(creator: &str) -> CallAction {
        CallAction::Offer {
            call_id: "C".into(),
            call_creator: creator.parse().unwrap(),
            caller_pn: Some(ANI.parse().unwrap()),
            caller_country_code: None,
            device_class: None,
            joinable: false,
            is_video: true,
            audio: Vec::new(),
            group_jid: None,
        }
    }

    fn terminate(reason: Option<&str>) -> CallAction {
        CallAction::Terminate {
            call_id: "C".into(),
            call_creator: "777@lid".parse().unwrap(),
            reason: reason.map(str::to_owned),
            duration: Some(12),
            audio_duration: None,
        }
    }

    async fn status(calls: &mut Calls, action: CallAction) -> Option<Value> {
        Some(calls.observe(&book(), &stanza("777:3@lid", action)).await?.data["status"].clone())
    }

    #[tokio::test]
    async fn an_offer_says_who_calls_and_how() {
        let seen = Calls::default().observe(&book(), &stanza("777:3@lid", offer("777:3@lid"))).await.unwrap();
        assert_eq!(
            seen.data,
            json!({"callId": "C", "from": ANI, "fromLid": "777@lid", "lid": "777@lid", "chatId": ANI, "isVideo": true,
                   "isGroup": false, "status": "offer", "timestamp": 1_732_364_392_000_i64, "tags": ["inbound"],
                   "by": "777@lid"})
        );
        assert_eq!((seen.kind, seen.dedup.as_deref()), (EventKind::Call, Some("call|777|C|offer")));
    }

    #[tokio::test]
    async fn what_becomes_of_a_call_depends_on_what_was_before() {
        let mut calls = Calls::default();
        assert_eq!(status(&mut calls, offer("777@lid")).await.unwrap(), "offer");
        assert_eq!(status(&mut calls, terminate(None)).await.unwrap(), "missed");
        assert_eq!(status(&mut calls, terminate(Some("timeout"))).await.unwrap(), "timeout");
        assert_eq!(status(&mut calls, terminate(Some("accepted_elsewhere"))).await.unwrap(), "accepted");
        assert_eq!(status(&mut calls, terminate(Some("rejected_elsewhere"))).await.unwrap(), "rejected");
        let reject = |reason: Option<&str>| CallAction::Reject {
            call_id: "C".into(),
            call_creator: "777@lid".parse().unwrap(),
            reason: reason.map(str::to_owned),
        };
        assert_eq!(status(&mut calls, reject(Some("busy"))).await, None);
        let accept =
            CallAction::Accept { call_id: "C".into(), call_creator: "777@lid".parse().unwrap(), audio: Vec::new() };
        assert_eq!(status(&mut calls, accept).await.unwrap(), "accepted");
        assert_eq!(status(&mut calls, terminate(None)).await.unwrap(), "ended");
        assert_eq!(status(&mut calls, reject(None)).await.unwrap(), "rejected");
    }

    #[tokio::test]
    async fn calls_that_were_not_for_this_device_say_so() {
        let calls = Calls::default();
        let from: Jid = ANI.parse().unwrap();
        let missed = MissedCall::new(from.clone(), "C".into(), now(), MissedReason::Offline);
        let missed = calls.missed(&book(), &missed).await.unwrap();
        assert_eq!((&missed.data["status"], &missed.data["offline"]), (&json!("missed"), &json!(true)));
        let taken = CallEndedElsewhere::new(from, "C".into(), now(), ElsewhereOutcome::Accepted);
        let taken = calls.elsewhere(&book(), &taken).await.unwrap();
        assert_eq!((&taken.data["status"], &taken.data["elsewhere"]), (&json!("accepted"), &json!(true)));
    }

    #[test]
    fn calls_that_are_remembered_are_bounded() {
        let mut calls = Calls::default();
        for number in 0..CALLS * 2 {
            calls.remember(&number.to_string());
        }
        assert_eq!((calls.known.len(), calls.oldest_first.len()), (CALLS, CALLS));
    }
}
