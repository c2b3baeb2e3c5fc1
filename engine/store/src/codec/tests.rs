//! The golden files: what today's encoder makes, and what every later version
//! must still read. `WAREST_WRITE_GOLDEN=1` writes those that are missing; a
//! file that is there is never replaced.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use serde_json::json;
use std::fmt::Debug;
use std::path::PathBuf;
use warest_model::content::{ChatChange, Content, Media, MediaKind, MediaSource, Mute};
use warest_model::limits;
use warest_model::plan::{Effect, MessageKey, PresenceState};

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "proto", "golden", name].iter().collect()
}

fn check<T: PartialEq + Debug>(name: &str, value: &T, encode: fn(&T) -> Vec<u8>, decode: fn(&[u8]) -> Result<T>) {
    let path = golden(name);
    if std::env::var_os("WAREST_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, encode(value)).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(hex::encode(encode(value)), hex::encode(&bytes), "{name}: the encoder changed");
    assert_eq!(&decode(&bytes).unwrap(), value, "{name}: the decoder changed");
    for end in 1..bytes.len() {
        // A record cut at the border of a field may be readable, but is never
        // taken for the whole one.
        if let Ok(part) = decode(&bytes[..end]) {
            assert_ne!(&part, value, "{name} cut at {end}");
        }
    }
    let mut newer = bytes;
    newer.extend_from_slice(&[0xfa, 0x3f, 0x01, 0x61]);
    assert!(matches!(decode(&newer), Err(StoreError::Corrupt { .. })), "{name}: a newer field was dropped");
}

fn jid(text: &str) -> Jid {
    Jid::parse(text, "62").unwrap()
}

fn key() -> MessageKey {
    MessageKey {
        remote_jid: jid("120363025386030504@g.us"),
        from_me: true,
        id: "3EB0AA".to_owned(),
        participant: Some(jid("628222")),
    }
}

fn text() -> Effect {
    Effect::Message {
        to: jid("628111"),
        content: Content::text("héllo"),
        mentions: vec![jid("628222"), jid("16501234567890123@lid")],
        quoted: Some(key()),
        forwarded: false,
    }
}

fn events() -> Vec<Event> {
    EventKind::ALL
        .into_iter()
        .map(|kind| Event {
            id: "evt_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse().unwrap(),
            session: "support-1".parse().unwrap(),
            kind,
            chat: (!matches!(kind, EventKind::MessageReceived | EventKind::PresenceUpdate)).then(|| jid("628111")),
            ts_ms: 1_700_000_000_123,
            data: json!({"a": [1, 2.5, null], "text": "héllo", "z": {"k": true}}),
        })
        .collect()
}

fn run() -> Run {
    let effect = |effect| Node::Effect { effect };
    let shown = |state, to| effect(Effect::Presence { state, to });
    Run {
        id: "run_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse().unwrap(),
        session: "support-1".parse().unwrap(),
        chat: Some(jid("628111")),
        cause: RunCause {
            by: "plugin:echo".to_owned(),
            event: Some("evt_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse().unwrap()),
        },
        plan: Plan {
            nodes: vec![
                effect(text()),
                effect(Effect::React { to: jid("628111"), key: key(), emoji: "👍".to_owned() }),
                effect(Effect::Read { keys: vec![key(), MessageKey { participant: None, from_me: false, ..key() }] }),
                shown(PresenceState::Available, None),
                shown(PresenceState::Unavailable, None),
                Node::Queue {
                    items: vec![
                        shown(PresenceState::Composing, Some(jid("628111"))),
                        Node::Delay { ms: 7_200_000 },
                        shown(PresenceState::Paused, Some(jid("628111"))),
                    ],
                    delay_ms: 250,
                },
                Node::Parallel { items: vec![Node::Noop, shown(PresenceState::Recording, Some(jid("628111")))] },
                Node::When { cond: true, then: vec![Node::Noop], otherwise: vec![Node::Delay { ms: 1 }] },
                Node::Retry { item: Box::new(effect(text())), attempts: 3, delay_ms: 500, on_fail: vec![Node::Noop] },
            ],
            pause_ms: 10,
            state: vec![
                StateWrite { key: "step".to_owned(), value: Some("2".to_owned()) },
                StateWrite { key: "empty".to_owned(), value: Some(String::new()) },
                StateWrite { key: "gone".to_owned(), value: None },
            ],
        },
        state: RunState::Active,
        fault: None,
        created_ms: 1_700_000_000_123,
        ended_ms: None,
    }
}

fn job(step: Option<(warest_model::id::RunId, Path)>) -> SendJob {
    let id = "job_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse().unwrap();
    SendJob {
        chat: step.is_some().then(|| jid("628111")),
        message_id: "3EB0112233445566778899".to_owned(),
        step,
        due_ms: 0,
        ..SendJob::new(id, "support-1".parse().unwrap(), text(), 1_700_000_000_123)
    }
}

fn step(state: StepState, kind: Option<FaultKind>) -> Step {
    Step {
        path: Path::from_text("0.then.1"),
        action: "text".to_owned(),
        state,
        attempts: 2,
        message_id: kind.map(|_| "3EB0AA".to_owned()),
        due_ms: Some(0),
        fault: kind.map(|kind| Fault { kind, code: "not_connected".to_owned(), message: "wait".to_owned() }),
        started_ms: 1,
        ended_ms: Some(2),
    }
}

#[test]
fn events_are_written_as_ever_and_read_back() {
    for event in events() {
        check(&format!("event_{}.bin", event.kind), &event, encode_event, decode_event);
    }
}

#[test]
fn runs_are_written_as_ever_and_read_back() {
    check("run.bin", &run(), encode_run, decode_run);
    let bare =
        Run { chat: None, cause: RunCause { by: "api".to_owned(), event: None }, plan: Plan::default(), ..run() };
    check("run_bare.bin", &bare, encode_run, decode_run);
}

#[test]
fn what_messages_say_is_written_as_ever_and_read_back() {
    let said = |content| Effect::message(jid("628111"), content);
    let picture = Media {
        caption: Some("look".to_owned()),
        view_once: true,
        ..Media::new(MediaKind::Image, MediaSource::Url("https://a.example/1.png".to_owned()))
    };
    let stored = MediaSource::Stored("med_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse().unwrap());
    let effects = [
        said(Content::Text { text: "https://a.example".to_owned(), preview: true }),
        said(Content::Media(picture)),
        said(Content::Media(Media::new(MediaKind::Sticker, stored))),
        said(Content::Location { latitude: -6.25, longitude: 106.5, name: Some("Here".to_owned()), address: None }),
        said(Content::Poll { question: "?".to_owned(), options: vec!["a".to_owned(), "b".to_owned()], selectable: 1 }),
        said(Content::Forward { key: key() }),
        said(Content::Raw { message: json!({"conversation": "hi"}), forwarded: true }),
        Effect::Star { key: key(), on: true },
        Effect::Delete { key: key(), with_media: true },
        Effect::Revoke { key: key() },
        Effect::Edit { key: key(), content: Content::text("new") },
        Effect::Pin { key: key(), seconds: Some(60) },
        Effect::Chat { chat: jid("628111"), change: ChatChange::Mute(Some(Mute::For(1_000))) },
        Effect::Chat { chat: jid("628111"), change: ChatChange::Archive(true) },
    ];
    let nodes = effects.into_iter().map(|effect| Node::Effect { effect }).collect();
    let run = Run { plan: Plan { nodes, ..Plan::default() }, ..run() };
    check("run_effects.bin", &run, encode_run, decode_run);
}

#[test]
fn steps_are_written_as_ever_and_read_back() {
    let states = [
        (StepState::Queued, None),
        (StepState::Waiting, Some(FaultKind::Retry)),
        (StepState::Done, None),
        (StepState::Failed, Some(FaultKind::Fail)),
        (StepState::Skipped, Some(FaultKind::Unknown)),
    ];
    for (state, fault) in states {
        check(&format!("step_{}.bin", state.as_str()), &step(state, fault), encode_step, decode_step);
    }
}

#[test]
fn jobs_are_written_as_ever_and_read_back() {
    let waited_for = Some(("run_01HF5QZVQSK3T1SH4Z2RCB2DQB".parse().unwrap(), Path::from_text("0.then.1")));
    check("job.bin", &job(waited_for), encode_job, decode_job);
    check("job_direct.bin", &job(None), encode_job, decode_job);
}

#[test]
fn a_plan_as_deep_as_allowed_is_read_back() {
    let mut node = Node::Effect { effect: text() };
    for level in 1..limits::PLAN_DEPTH {
        node = match level % 3 {
            0 => Node::Parallel { items: vec![node] },
            1 => Node::Retry { item: Box::new(node), attempts: 1, delay_ms: 0, on_fail: Vec::new() },
            _ => Node::When { cond: false, then: Vec::new(), otherwise: vec![node] },
        };
    }
    let plan = Plan { nodes: vec![node], ..Plan::default() };
    assert_eq!(plan.check(), Ok(()));
    let deep = Run { plan, ..run() };
    assert_eq!(decode_run(&encode_run(&deep)).unwrap(), deep);
}

#[test]
fn values_of_a_newer_version_are_refused() {
    let event = v1::Event { kind: 99, ..v1::Event::decode(encode_event(&events()[0]).as_slice()).unwrap() };
    assert!(matches!(decode_event(&event.encode_to_vec()), Err(StoreError::Corrupt { what: "event", .. })));
    let step =
        v1::Step { state: 99, ..v1::Step::decode(encode_step(&step(StepState::Done, None)).as_slice()).unwrap() };
    assert!(matches!(decode_step(&step.encode_to_vec()), Err(StoreError::Corrupt { what: "step", .. })));
    let fault = v1::Fault { kind: 99, code: String::new(), message: String::new() };
    assert!(matches!(decode_fault(&fault.encode_to_vec()), Err(StoreError::Corrupt { what: "fault", .. })));
    // A node of a kind that is not known yet: field 15, an empty message.
    let mut record = v1::Run::decode(encode_run(&run()).as_slice()).unwrap();
    record.plan = Some(v1::Plan { nodes: vec![v1::Node { node: None }], ..v1::Plan::default() });
    let mut bytes = record.encode_to_vec();
    assert!(matches!(decode_run(&bytes), Err(StoreError::Corrupt { what: "plan", .. })));
    bytes.truncate(bytes.len() / 2);
    assert!(decode_run(&bytes).is_err());
}

#[test]
fn noise_is_refused_and_never_panics() {
    let mut noise: u32 = 0x9e37_79b9;
    for length in 0..512 {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        assert!(decode_event(&bytes).is_err());
        assert!(decode_run(&bytes).is_err());
        assert!(decode_job(&bytes).is_err());
    }
}
