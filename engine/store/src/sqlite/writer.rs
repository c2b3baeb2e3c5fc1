//! The one writer, and group commit.
//!
//! Callers hand over what they want changed and wait. The writer takes all that
//! is waiting (up to a bound), does each piece inside a savepoint of one
//! transaction, commits once and then answers everybody: under load, many
//! changes share one sync of the disk. A piece that fails is rolled back to its
//! savepoint and answered with its error; the others are not touched. If the
//! commit fails, everybody is told so. Nobody is told "done" before the commit.
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
    /// Answers the caller: with what `perform` got, or with why the group failed.
    fn answer(self: Box<Self>, group: std::result::Result<(), String>);
}

struct Piece<T, F> {
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

    /// Has `work` done and waits until it is on the disk.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let piece = Piece { work: Some(work), outcome: None, reply };
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
    for work in group {
        statement(connection, "SAVEPOINT piece").await?;
        if !work.perform(connection).await {
            // If this fails, SQLite has given up the whole transaction (disk
            // full, I/O error): the group fails rather than go on outside one.
            statement(connection, "ROLLBACK TO piece").await?;
        }
        statement(connection, "RELEASE piece").await?;
    }
    fail::fail_point!("store.commit.before", |_| std::process::abort());
    statement(connection, "COMMIT").await?;
    fail::fail_point!("store.commit.after", |_| std::process::abort());
    Ok(())
}

async fn statement(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

async fn shut(mut connection: SqliteConnection) -> Result<()> {
    statement(&mut connection, "PRAGMA optimize").await?;
    statement(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(connection.close().await?)
}
