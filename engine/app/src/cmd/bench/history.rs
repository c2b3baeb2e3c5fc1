//! Whether a message costs more once many events are stored.
//!
//! Two engines, one with few and one with many events in its log, answer rounds
//! of messages in turn; the ratio of the median costs is the answer.

use super::ReactorKind;
use super::report::{median, ratio};
use super::stage::{Network, Stage};
use super::talk::{Round, Talks};
use anyhow::Context;
use clap::Args;
use futures::StreamExt;
use serde_json::json;
use warest_model::event::{Event, EventKind};
use warest_model::id::{EventId, SessionId};
use warest_model::jid::Jid;
use warest_model::plan::Plan;
use warest_model::run::RunCause;
use warest_pipeline::run::new_run;
use warest_store::NewEvent;

/// Events that are appended at once while the log is filled.
const BATCH: u64 = 500;
/// Batches under way at once.
const FILLING: usize = 4;
/// Chats that the stored events are of.
const CHATS: u64 = 1_000;
/// Sessions that talk.
const SESSIONS: u32 = 10;

/// Flags of `bench history`.
#[derive(Args)]
pub struct HistoryArgs {
    /// Events in the log of the first engine.
    #[arg(long, default_value_t = 10_000)]
    few: u64,
    /// Events in the log of the second.
    #[arg(long, default_value_t = 1_000_000)]
    many: u64,
    /// Rounds of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Messages of a round.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages: u32,
    /// What answers.
    #[arg(long, value_enum, default_value_t = ReactorKind::Flow)]
    reactor: ReactorKind,
}

/// Measures both in turn.
pub async fn run(args: &HistoryArgs, as_json: bool) -> anyhow::Result<()> {
    let network = Network::start()?;
    let few = Stage::start(&network, 0, args.reactor).await?;
    let many = Stage::start(&network, 1, args.reactor).await?;
    few.add_sessions(0..SESSIONS).await?;
    many.add_sessions(0..SESSIONS).await?;
    fill(&few, args.few).await?;
    fill(&many, args.many).await?;

    let (small, large) = (Talks::new(&few, 0..SESSIONS), Talks::new(&many, 0..SESSIONS));
    // The first round of each warms caches and is not counted.
    small.round(args.messages, 16).await?;
    large.round(args.messages, 16).await?;
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        with_few.push(small.round(args.messages, 16).await?);
        with_many.push(large.round(args.messages, 16).await?);
    }
    let cpu = |rounds: &[Round]| median(rounds.iter().map(|round| round.cpu.as_secs_f64() * 1e3));
    let took = |rounds: &[Round]| median(rounds.iter().map(|round| round.took.as_secs_f64() * 1e3));
    let each = 1.0 / f64::from(args.messages);
    let (cpu_few, cpu_many) = (cpu(&with_few) * each, cpu(&with_many) * each);
    let (took_few, took_many) = (took(&with_few) * each, took(&with_many) * each);
    if as_json {
        let line = json!({
            "few": args.few, "many": args.many,
            "cpuMsPerMessage": [cpu_few, cpu_many], "msPerMessage": [took_few, took_many],
            "cpuRatio": ratio(cpu_many, cpu_few), "timeRatio": ratio(took_many, took_few),
        });
        println!("{line}");
    } else {
        println!(
            "a message with {} and with {} stored events ({} rounds of {}, median):\n  \
             processor {cpu_few:.2} ms and {cpu_many:.2} ms, ratio {:.2}\n  \
             time {took_few:.2} ms and {took_many:.2} ms, ratio {:.2}",
            args.few,
            args.many,
            args.rounds,
            args.messages,
            ratio(cpu_many, cpu_few),
            ratio(took_many, took_few),
        );
    }
    few.stop().await?;
    many.stop().await
}

/// Puts events into the log, each with the run that answered it.
async fn fill(stage: &Stage, events: u64) -> anyhow::Result<()> {
    let engine = &stage.running().engine;
    let (store, now) = (engine.store().clone(), engine.clock().now_ms());
    let sessions: Vec<SessionId> = (0..SESSIONS)
        .map(|index| stage.session(index).parse().context("a session's name"))
        .collect::<Result<_, _>>()?;
    let batches = (0..events.div_ceil(BATCH)).map(|batch| {
        let (store, sessions) = (store.clone(), &sessions);
        let first = batch * BATCH;
        async move {
            let made = (first..(first + BATCH).min(events)).map(|number| stored(sessions, number, now));
            let made: Vec<NewEvent> = made.collect::<Result<_, _>>()?;
            let runs: Vec<_> = made
                .iter()
                .map(|new| {
                    let event = &new.event;
                    let cause = RunCause { by: "flow:stored".to_owned(), event: Some(event.id.clone()) };
                    new_run(&event.session, event.chat.as_ref(), cause, Plan::default(), now)
                })
                .collect();
            store.append(made).await?;
            futures::future::try_join_all(runs.into_iter().map(|run| store.start_run(run))).await?;
            anyhow::Ok(())
        }
    });
    let mut done = futures::stream::iter(batches).buffer_unordered(FILLING);
    let mut stored = 0;
    while let Some(batch) = done.next().await {
        batch?;
        stored += BATCH;
        if stored % 100_000 == 0 {
            eprintln!("{stored} of {events} events stored");
        }
    }
    Ok(())
}

fn stored(sessions: &[SessionId], number: u64, now_ms: i64) -> anyhow::Result<NewEvent> {
    let chat = format!("62899{:08}@s.whatsapp.net", number % CHATS);
    let session = sessions[(number % sessions.len() as u64) as usize].clone();
    let data = json!({
        "chatId": chat, "sender": chat, "text": format!("stored message {number}"), "contentType": "text",
        "messageId": format!("STORED{number:010}"), "tags": ["inbound"],
    });
    let event = Event {
        id: EventId::new(now_ms),
        session,
        kind: EventKind::MessageReceived,
        chat: Some(Jid::parse(&chat, "62")?),
        ts_ms: now_ms,
        data,
    };
    Ok(NewEvent {
        event,
        dedup: Some(format!("{chat} STORED{number:010}")),
        owed: Vec::new(),
        consent: None,
        changes: Vec::new(),
    })
}
