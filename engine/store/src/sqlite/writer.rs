//! The one writer, and group commit.
//!
//! Callers hand over what they want changed and wait. The writer takes all that
//! is waiting (up to a bound), does the pieces one after the other in one
//! transaction, commits once and then answers everybody: under load, many
//! changes share one sync of the disk. A piece that fails is taken back and
//! answered with its error; the others are not touched. If the commit fails,
//! everybody is told so. Nobody is told "done" before the commit.
//!
//! Every statement costs two thread switches to the database's own thread, so
//! bookkeeping is kept down: a piece of one statement needs no savepoint (SQLite
//! takes a failed statement back by itself), nor does a piece that is alone in
//! its group, and a savepoint is released by the statement that sets the next.
//!
//! A change whose caller went away is still done. The queue of waiting pieces is
//! bounded; when it is full, callers wait for a place.

use crate::Result;
use crate::error::StoreError;
use async_trait::async_trait;
use futures::future::BoxFuture;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

/// The caller's end.
pub(super) struct Writer {
    asks: mpsc::Sender<Ask>,
}

enum Ask {
    Work(Box<dyn Work>),
    Close(oneshot::Sender<Result<()>>),
}

/// One piece of work, of whatever type it answers with.
#[async_trait]
trait Work: Send {
    /// Does it; whether to keep what it did.
    async fn perform(&mut self, connection: &mut SqliteConnection) -> bool;
    /// Whether it is one statement, so that nothing is left of it if it fails.
    fn is_one_statement(&self) -> bool;
    /// Answers the caller: with what `perform` got, or with why the group failed.
    fn answer(self: Box<Self>, group: std::result::Result<(), String>);
}

struct Piece<T, F> {
    one_statement: bool,
    work: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

#[async_trait]
impl<T, F> Work for Piece<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send,
{
    async fn perform(&mut self, connection: &mut SqliteConnection) -> bool {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(connection).await);
        }
        matches!(self.outcome, Some(Ok(_)))
    }

    fn is_one_statement(&self) -> bool {
        self.one_statement
    }

    fn answer(self: Box<Self>, group: std::result::Result<(), String>) {
        let answer = match (group, self.outcome) {
            // It failed by itself: that is the better reason.
            (_, Some(Err(error))) => Err(error),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Err(why), _) => Err(StoreError::Database(why)),
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // The caller may have gone away; then nobody wants to know.
        drop(self.reply.send(answer));
    }
}

impl Writer {
    /// Starts the writer's task on its connection.
    pub(super) fn start(connection: SqliteConnection, batch: usize, waiting: usize) -> Self {
        let (asks, inbox) = mpsc::channel(waiting);
        tokio::spawn(serve(connection, inbox, batch));
        Self { asks }
    }

    /// Has `work` done and waits until it is on the disk. `one_statement` says
    /// that it changes something by one statement at most, and fails only if
    /// that statement did.
    pub(super) async fn write<T, F>(&self, one_statement: bool, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let piece = Piece { one_statement, work: Some(work), outcome: None, reply };
        self.asks.send(Ask::Work(Box::new(piece))).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what waits, writes the log back and closes the connection.
    pub(super) async fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask::Close(reply)).await.is_err() {
            return Ok(());
        }
        answer.await.unwrap_or(Ok(()))
    }
}

async fn serve(mut connection: SqliteConnection, mut inbox: mpsc::Receiver<Ask>, batch: usize) {
    let mut closing = None;
    let mut taken = Vec::with_capacity(batch);
    while inbox.recv_many(&mut taken, batch).await > 0 {
        let mut group = Vec::with_capacity(taken.len());
        for ask in taken.drain(..) {
            match ask {
                Ask::Work(work) => group.push(work),
                Ask::Close(reply) => {
                    inbox.close();
                    closing = Some(reply);
                }
            }
        }
        if !group.is_empty() {
            commit_group(&mut connection, group).await;
        }
    }
    let closed = shut(connection).await;
    if let Err(error) = &closed {
        tracing::warn!(%error, "the database did not close cleanly; its log is read back at the next start");
    }
    if let Some(reply) = closing {
        drop(reply.send(closed));
    }
}

/// Does a group in one transaction and answers all of it.
async fn commit_group(connection: &mut SqliteConnection, mut group: Vec<Box<dyn Work>>) {
    let committed = run_group(connection, &mut group).await.map_err(|error| {
        tracing::error!(%error, changes = group.len(), "a commit failed; none of its changes was made");
        error.to_string()
    });
    if committed.is_err()
        && let Err(error) = statement(connection, "ROLLBACK").await
    {
        // SQLite has rolled back by itself already, or never began.
        tracing::debug!(%error, "nothing to roll back");
    }
    for work in group {
        work.answer(committed.clone());
    }
}

async fn run_group(connection: &mut SqliteConnection, group: &mut [Box<dyn Work>]) -> sqlx::Result<()> {
    statement(connection, "BEGIN IMMEDIATE").await?;
    if let [alone] = group {
        if !alone.perform(connection).await {
            return statement(connection, "ROLLBACK").await;
        }
    } else {
        run_pieces(connection, group).await?;
    }
    fail::fail_point!("store.commit.before", |_| std::process::abort());
    statement(connection, "COMMIT").await?;
    fail::fail_point!("store.commit.after", |_| std::process::abort());
    Ok(())
}

async fn run_pieces(connection: &mut SqliteConnection, group: &mut [Box<dyn Work>]) -> sqlx::Result<()> {
    /// Where the savepoint stands.
    enum Savepoint {
        None,
        Here,
        BeforeKept,
    }
    let mut savepoint = Savepoint::None;
    for work in group {
        if work.is_one_statement() {
            if !work.perform(connection).await {
                still_inside(connection).await?;
            } else if matches!(savepoint, Savepoint::Here) {
                savepoint = Savepoint::BeforeKept;
            }
            continue;
        }
        match savepoint {
            Savepoint::None => statement(connection, "SAVEPOINT piece").await?,
            Savepoint::BeforeKept => statement(connection, "RELEASE piece; SAVEPOINT piece").await?,
            Savepoint::Here => {}
        }
        savepoint = if work.perform(connection).await {
            Savepoint::BeforeKept
        } else {
            // If this fails, SQLite has given up the whole transaction.
            statement(connection, "ROLLBACK TO piece").await?;
            Savepoint::Here
        };
    }
    Ok(())
}

/// Fails if SQLite has given up the transaction (disk full, I/O error): then the
/// group fails rather than go on outside one.
async fn still_inside(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    match statement(connection, "BEGIN").await {
        // There is one already, as there should be.
        Err(_) => Ok(()),
        Ok(()) => Err(sqlx::Error::Protocol("the database gave up the transaction".to_owned())),
    }
}

async fn statement(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

async fn shut(mut connection: SqliteConnection) -> Result<()> {
    statement(&mut connection, "PRAGMA optimize").await?;
    statement(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(connection.close().await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions, Row};

    /// Writes numbers, and fails if the last one is there already.
    fn numbers(ns: &'static [i64]) -> impl for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<()>> {
        move |db| {
            Box::pin(async move {
                for n in ns {
                    sqlx::query("INSERT INTO numbers (n) VALUES (?)").bind(n).execute(&mut *db).await?;
                }
                Ok(())
            })
        }
    }

    // One thread, so that all of it waits before the writer begins: one group.
    #[tokio::test(flavor = "current_thread")]
    async fn what_fails_in_a_group_leaves_nothing_and_takes_nobody_along() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("db")).create_if_missing(true);
        let mut connection = options.clone().connect().await.unwrap();
        sqlx::query("CREATE TABLE numbers (n INTEGER PRIMARY KEY)").execute(&mut connection).await.unwrap();
        let writer = Writer::start(connection, 64, 64);
        let outcomes = tokio::join!(
            writer.write(true, numbers(&[1])),
            writer.write(true, numbers(&[1])),
            writer.write(false, numbers(&[2, 3])),
            writer.write(true, numbers(&[4])),
            writer.write(false, numbers(&[5, 6, 1])),
            writer.write(true, numbers(&[7])),
            writer.write(false, numbers(&[8, 7])),
            writer.write(false, numbers(&[9, 10])),
            writer.write(false, numbers(&[11, 9])),
            writer.write(false, numbers(&[12, 10])),
        );
        let (a, b, c, d, e, f, g, h, i, j) = outcomes;
        let kept = [a, b, c, d, e, f, g, h, i, j].map(|outcome| outcome.is_ok());
        assert_eq!(kept, [true, false, true, true, false, true, false, true, false, false]);
        assert!(writer.write(false, numbers(&[13, 1])).await.is_err(), "alone in its group");
        writer.close().await.unwrap();
        let mut connection = options.connect().await.unwrap();
        let rows = sqlx::query("SELECT n FROM numbers ORDER BY n").fetch_all(&mut connection).await.unwrap();
        let there: Vec<i64> = rows.iter().map(|row| row.get("n")).collect();
        assert_eq!(there, [1, 2, 3, 4, 7, 9, 10]);
    }
}
