//! Which messages of a chat fit, newest first, by looking at a bounded number of
//! them.
//!
//! A plain list steps down the index that has just what is asked. A search looks at
//! the texts of those that the index of words names; one that has looked at
//! [`MOST_LOOKED_AT`] messages ends there, and says where to go on.

use super::words::Search;
use crate::Result;
use crate::history::{MOST_LOOKED_AT, MOST_TOTAL, Messages, Start, Total};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row};

/// Messages that are skipped at most.
const MOST_SKIPPED: u64 = 100_000;
/// Messages that are looked at in one go: the first time, and then.
const CHUNKS: [u32; 2] = [50, 500];

/// A chat, and which of its messages.
pub(super) struct Walk {
    pub chat_no: i64,
    /// The first position that fits.
    pub lowest: i64,
    /// The first position above them that does not.
    pub below: i64,
    pub media_only: bool,
    pub from_me: Option<bool>,
    /// How many there are in the chat, and of those how many were sent.
    pub messages: (i64, i64),
    /// The same of those with a file.
    pub media: (i64, i64),
}

/// What fits.
pub(super) struct Found {
    pub seqs: Vec<i64>,
    pub total: Total,
    pub next: Option<i64>,
}

/// The list of a chat that is not there.
pub(super) fn nothing() -> Messages {
    Messages { list: Vec::new(), total: Total { count: 0, exact: true }, next: None }
}

/// A page that is being filled.
struct Page {
    skip: u64,
    limit: usize,
    fitting: u64,
    seqs: Vec<i64>,
}

impl Page {
    fn new(from: Start, limit: u32) -> Self {
        let skip = match from {
            Start::Offset(offset) => offset,
            Start::Before(_) => 0,
        };
        Self { skip, limit: limit as usize, fitting: 0, seqs: Vec::new() }
    }

    /// Takes one that fits; false if the page was full before.
    fn take(&mut self, seq: i64) -> bool {
        self.fitting += 1;
        if self.fitting > self.skip && self.seqs.len() < self.limit {
            self.seqs.push(seq);
            return true;
        }
        self.fitting <= self.skip
    }
}

impl Walk {
    /// The next page of messages, whatever they say.
    pub(super) async fn list(&self, db: &SqlitePool, from: Start, limit: u32) -> Result<Found> {
        let (below, offset) = match from {
            Start::Before(seq) => (self.below.min(seq), 0),
            Start::Offset(offset) if offset > MOST_SKIPPED => {
                return Ok(Found { seqs: Vec::new(), total: self.total(db).await?, next: None });
            }
            Start::Offset(offset) => (self.below, offset),
        };
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT seq ");
        self.stretch(&mut sql, below);
        sql.push(" ORDER BY seq DESC LIMIT ").push_bind(limit + 1);
        sql.push(" OFFSET ").push_bind(offset as i64);
        let mut seqs: Vec<i64> = sql.build_query_scalar().fetch_all(db).await?;
        let more = seqs.len() > limit as usize;
        seqs.truncate(limit as usize);
        let next = seqs.last().copied().filter(|_| more);
        Ok(Found { seqs, total: self.total(db).await?, next })
    }

    /// The next page of messages that say this.
    pub(super) async fn search(&self, db: &SqlitePool, text: &str, from: Start, limit: u32) -> Result<Found> {
        let search = Search::new(text);
        let mut page = Page::new(from, limit);
        let mut below = self.top(from);
        // The word that the fewest messages have, as far as a first look tells.
        let mut rarest: Option<(String, Vec<SqliteRow>)> = None;
        for expression in search.expressions(self.chat_no) {
            let rows = self.named(db, &expression, below, CHUNKS[0]).await?;
            let reach = |rows: &[SqliteRow]| match rows.len() < CHUNKS[0] as usize {
                true => Ok(i64::MIN),
                false => rows.last().map_or(Ok(i64::MIN), |row| row.try_get::<i64, _>("seq")),
            };
            let rarer = match &rarest {
                None => true,
                Some((_, other)) => (reach(&rows)?, rows.len()) < (reach(other)?, other.len()),
            };
            if rarer {
                rarest = Some((expression, rows));
            }
        }
        let Some((expression, mut rows)) = rarest else { return Ok(page.ended()) };
        let mut looked = 0;
        for chunk in chunks() {
            if looked > 0 {
                rows = self.named(db, &expression, below, chunk).await?;
            }
            for row in &rows {
                let seq = row.try_get("seq")?;
                if self.fits(row)? && search.fits(row.try_get("text")?) && !page.take(seq) {
                    return Ok(page.full());
                }
                below = seq;
            }
            looked += rows.len() as u64;
            if rows.len() < chunk as usize {
                return Ok(page.ended());
            }
            if looked >= MOST_LOOKED_AT {
                break;
            }
        }
        Ok(page.cut(below))
    }

    /// Messages that the index of words names.
    async fn named(&self, db: &SqlitePool, expression: &str, below: i64, limit: u32) -> Result<Vec<SqliteRow>> {
        let rows = sqlx::query(
            "SELECT m.seq, m.chat_no, m.from_me, m.media IS NOT NULL AS has_media, m.text
             FROM (SELECT rowid AS seq FROM message_words
                   WHERE message_words MATCH ? AND rowid < ? AND rowid >= ? ORDER BY rowid DESC LIMIT ?) w
             CROSS JOIN messages m ON m.seq = w.seq ORDER BY w.seq DESC",
        );
        Ok(rows.bind(expression).bind(below).bind(self.lowest).bind(limit).fetch_all(db).await?)
    }

    fn fits(&self, row: &SqliteRow) -> Result<bool> {
        Ok(row.try_get::<i64, _>("chat_no")? == self.chat_no
            && self.from_me.is_none_or(|mine| row.try_get("from_me").is_ok_and(|of: bool| of == mine))
            && (!self.media_only || row.try_get("has_media")?))
    }

    fn top(&self, from: Start) -> i64 {
        match from {
            Start::Before(seq) => self.below.min(seq),
            Start::Offset(_) => self.below,
        }
    }

    /// The stretch of the index that has what is asked.
    fn stretch(&self, sql: &mut QueryBuilder<Sqlite>, below: i64) {
        let (index, only) = match (self.media_only, self.from_me) {
            (true, None) => ("messages_media", " AND media IS NOT NULL"),
            (true, Some(true)) => ("messages_media_sent", " AND media IS NOT NULL AND from_me = 1"),
            (true, Some(false)) => ("messages_media_received", " AND media IS NOT NULL AND from_me = 0"),
            (false, Some(true)) => ("messages_sent", " AND from_me = 1"),
            (false, Some(false)) => ("messages_received", " AND from_me = 0"),
            (false, None) => ("messages_chat", ""),
        };
        sql.push(format!("FROM messages INDEXED BY {index} WHERE chat_no = ")).push_bind(self.chat_no).push(only);
        sql.push(" AND seq < ").push_bind(below).push(" AND seq >= ").push_bind(self.lowest);
    }

    /// How many there are, whatever they say.
    async fn total(&self, db: &SqlitePool) -> Result<Total> {
        if self.lowest == 0 && self.below == i64::MAX {
            let (all, sent) = if self.media_only { self.media } else { self.messages };
            let count = match self.from_me {
                None => all,
                Some(true) => sent,
                Some(false) => all - sent,
            };
            return Ok(Total { count: count.max(0).unsigned_abs(), exact: true });
        }
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT count(*) FROM (SELECT 1 ");
        self.stretch(&mut sql, self.below);
        sql.push(" LIMIT ").push_bind(MOST_TOTAL as i64 + 1).push(")");
        let count: i64 = sql.build_query_scalar().fetch_one(db).await?;
        let count = count.max(0).unsigned_abs();
        Ok(Total { count: count.min(MOST_TOTAL), exact: count <= MOST_TOTAL })
    }
}

impl Page {
    /// The page is full, and there is one more.
    fn full(self) -> Found {
        let next = self.seqs.last().copied();
        Found { next, total: Total { count: self.fitting, exact: false }, seqs: self.seqs }
    }

    /// There are no more.
    fn ended(self) -> Found {
        Found { next: None, total: Total { count: self.fitting, exact: true }, seqs: self.seqs }
    }

    /// Enough was looked at.
    fn cut(self, below: i64) -> Found {
        Found { next: Some(below), total: Total { count: self.fitting, exact: false }, seqs: self.seqs }
    }
}

/// How many to look at, again and again.
fn chunks() -> impl Iterator<Item = u32> {
    CHUNKS[..1].iter().chain(std::iter::repeat(&CHUNKS[1])).copied()
}
