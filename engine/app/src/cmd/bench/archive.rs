//! Whether reading a history costs more once much of it is stored.
//!
//! Two stores, one with few and one with many messages in the same number of chats,
//! are asked the same questions in turn; the ratio of the median times is the
//! answer, for each question. No network and no engine is in between.

use super::report::{median, ratio};
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::time::Instant;
use warest_model::history::{Change, Media, Message, MessageStatus};
use warest_model::id::{MediaId, SessionId, UserId};
use warest_model::jid::Jid;
use warest_model::plan::MessageKey;
use warest_model::session::Session;
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;
use warest_store::{ChatFilter, History, MessageFilter, Registry, Slice, Start};

/// Chats that the messages are of.
const CHATS: u64 = 100;
/// Messages that are handed over at once.
const BATCH: u64 = 2_000;
/// Time between two messages of the whole.
const APART_MS: i64 = 700;
/// Messages of a page, and those before one that is asked for by offset. Of 100 in a
/// chat, enough are sent and have files to fill a page.
const PAGE: u32 = 20;
const OFFSET: u64 = 60;
/// When the last message of every store was written.
const LAST_MS: i64 = 1_750_000_000_000;
/// Words that messages are made of; one more is in one message of each chat only.
const WORDS: [&str; 8] = ["order", "status", "please", "tomorrow", "delivery", "payment", "thanks", "address"];

/// Flags of `bench archive`.
#[derive(Args)]
pub struct ArchiveArgs {
    /// Messages in the first store.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    few: u64,
    /// Messages in the second.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    many: u64,
    /// Rounds of each.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
}

/// A store with messages.
struct Archive {
    store: SqliteStore,
    session: SessionId,
    messages: u64,
    _folder: tempfile::TempDir,
}

/// What is asked.
#[derive(Clone, Copy)]
enum Question {
    Newest,
    Deep,
    ByOffset,
    OfAnHour,
    /// Of all that was written since the middle.
    Since,
    Mine,
    Files,
    MyFiles,
    CommonWord,
    RareWord,
    ById,
    Chats,
    /// A message is written.
    Write,
}

const QUESTIONS: [(Question, &str); 13] = [
    (Question::Newest, "newest page"),
    (Question::Deep, "page in the middle"),
    (Question::ByOffset, "page by offset"),
    (Question::OfAnHour, "page of an hour"),
    (Question::Since, "page of the later half"),
    (Question::Mine, "page of sent messages"),
    (Question::Files, "page of messages with files"),
    (Question::MyFiles, "page of sent files"),
    (Question::CommonWord, "search for a common word"),
    (Question::RareWord, "search for a rare word"),
    (Question::ById, "message by id"),
    (Question::Chats, "list of chats"),
    (Question::Write, "write a message"),
];

/// Measures both in turn.
pub async fn run(args: &ArchiveArgs, as_json: bool) -> anyhow::Result<()> {
    let few = Archive::filled(args.few).await?;
    let many = Archive::filled(args.many).await?;
    for (question, name) in QUESTIONS {
        let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
        // The first rounds warm caches and are not counted.
        let warm = args.rounds / 10 + 1;
        for round in 0..args.rounds + warm {
            let (small, large) = (few.ask(question, round).await?, many.ask(question, round).await?);
            if round >= warm {
                with_few.push(small);
                with_many.push(large);
            }
        }
        let (small, large) = (median(with_few.into_iter()), median(with_many.into_iter()));
        if as_json {
            let line = json!({
                "question": name, "few": args.few, "many": args.many, "ms": [small, large],
                "ratio": ratio(large, small),
            });
            println!("{line}");
        } else {
            println!("{name:<28} {small:>8.3} ms {large:>8.3} ms   ratio {:.2}", ratio(large, small));
        }
    }
    few.store.close().await?;
    many.store.close().await?;
    Ok(())
}

impl Archive {
    async fn filled(messages: u64) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let cipher = Cipher::new(&MasterKey::random());
        let store = SqliteStore::open(folder.path().join("archive.sqlite"), cipher).await?;
        let session: SessionId = "archive".parse()?;
        let owner = UserId::new(LAST_MS);
        let registered =
            Session { id: session.clone(), owner, label: String::new(), enabled: false, me: None, created_ms: LAST_MS };
        store.add_session(&registered).await?;
        let archive = Self { store, session, messages, _folder: folder };
        let begun = Instant::now();
        for first in (0..messages).step_by(BATCH as usize) {
            let batch = (first..(first + BATCH).min(messages)).map(|number| archive.stored(number));
            archive.store.apply(&archive.session, batch.collect::<Result<_, _>>()?).await?;
            if first > 0 && first % 100_000 == 0 {
                eprintln!("{first} of {messages} messages stored after {:.0} s", begun.elapsed().as_secs_f64());
            }
        }
        Ok(archive)
    }

    fn chat(number: u64) -> anyhow::Result<Jid> {
        Jid::parse(&format!("62899{:08}@s.whatsapp.net", number % CHATS), "62").context("a chat's address")
    }

    fn stored(&self, number: u64) -> anyhow::Result<Change> {
        let chat = Self::chat(number)?;
        let (in_chat, from_me) = (number / CHATS, (number / CHATS).is_multiple_of(2));
        let ts_ms = LAST_MS - (self.messages.saturating_sub(number)) as i64 * APART_MS;
        let word = |at: u64| WORDS[(number / CHATS * 7 + at * 3) as usize % WORDS.len()];
        let rare = if in_chat == self.messages / CHATS / 2 { " needle" } else { "" };
        let text = format!("{} {} {} number{number}{rare}", word(0), word(1), word(2));
        let media = in_chat.is_multiple_of(4).then(|| Media {
            id: MediaId::new(ts_ms),
            kind: "image".to_owned(),
            mimetype: "image/jpeg".to_owned(),
            size: 100_000,
            sha256: "0".repeat(64),
            file_name: None,
            width: None,
            height: None,
            seconds: None,
        });
        let message = Message {
            key: MessageKey { remote_jid: chat.clone(), from_me, id: format!("3EB0{number:018}"), participant: None },
            sender: chat,
            push_name: None,
            ts_ms,
            content_type: "text".to_owned(),
            body: text.as_bytes().to_vec(),
            text,
            media,
            quoted: None,
            mentions: Vec::new(),
            status: if from_me { MessageStatus::Read } else { MessageStatus::Received },
            starred: false,
            edited_ms: None,
            revoked_ms: None,
            pinned_until_ms: None,
        };
        Ok(Change::Message { message: Box::new(message), live: false })
    }

    /// Asks, of another chat in each round; the time in milliseconds.
    async fn ask(&self, question: Question, round: u32) -> anyhow::Result<f64> {
        let number = u64::from(round) * 13;
        let all = MessageFilter::chat(self.session.clone(), Self::chat(number)?);
        let middle = LAST_MS - self.messages as i64 / 2 * APART_MS;
        let search = |word: &str| MessageFilter { search: Some(word.to_owned()), ..all.clone() };
        let deep = match question {
            Question::Deep => {
                let before = MessageFilter { to_ms: Some(middle), ..all.clone() };
                let page = self.store.messages(&before, Start::Offset(0), 1).await?;
                page.list.first().map_or(Start::Offset(0), |record| Start::Before(record.seq))
            }
            // What a list leaves out it steps over: that costs by the offset, in any archive.
            Question::ByOffset => Start::Offset(OFFSET),
            _ => Start::Offset(0),
        };
        let filter = match question {
            Question::OfAnHour => {
                MessageFilter { from_ms: Some(middle), to_ms: Some(middle + 3_600_000), ..all.clone() }
            }
            Question::Mine => MessageFilter { from_me: Some(true), ..all.clone() },
            Question::Since => MessageFilter { from_ms: Some(middle), ..all.clone() },
            Question::Files => MessageFilter { media_only: true, ..all.clone() },
            Question::MyFiles => MessageFilter { media_only: true, from_me: Some(true), ..all.clone() },
            Question::CommonWord => search("deliv"),
            Question::RareWord => search("needle"),
            _ => all,
        };
        let written = match question {
            Question::Write => {
                let mut change = self.stored(number % self.messages)?;
                if let Change::Message { message, .. } = &mut change {
                    message.key.id = format!("NEW{round}");
                    message.ts_ms = LAST_MS + i64::from(round);
                    message.media = None;
                }
                vec![change]
            }
            _ => Vec::new(),
        };
        let begun = Instant::now();
        match question {
            Question::ById => {
                let id = format!("3EB0{:018}", number % self.messages);
                self.store.message(&self.session, None, &id).await?.context("a message that was stored")?;
            }
            Question::Chats => {
                self.store.chats(&ChatFilter::all(self.session.clone()), &Slice { limit: PAGE, offset: 0 }).await?;
            }
            Question::Write => self.store.apply(&self.session, written).await?,
            _ => {
                let page = self.store.messages(&filter, deep, PAGE).await?;
                anyhow::ensure!(!page.list.is_empty(), "a page was empty");
            }
        }
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }
}
