//! The command books of sessions.

use super::{SqliteStore, all, or_not_found, text};
use crate::Result;
use crate::codec::{corrupt, parse};
use crate::command_books::CommandBooks;
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use warest_model::command::CommandBook;
use warest_model::id::SessionId;

#[async_trait]
impl CommandBooks for SqliteStore {
    async fn command_book(&self, session: &SessionId) -> Result<CommandBook> {
        let row = sqlx::query("SELECT book FROM command_books WHERE session = ?").bind(session.as_str());
        row.fetch_optional(self.readers()).await?.as_ref().map_or_else(|| Ok(CommandBook::default()), book_of)
    }

    async fn set_command_book(&self, session: &SessionId, book: &CommandBook) -> Result<()> {
        let (session, book) = (session.clone(), serde_json::json!(book).to_string());
        self.write_one(move |db| {
            Box::pin(async move {
                let done = sqlx::query(
                    "INSERT INTO command_books (session, book) SELECT id, ?2 FROM sessions WHERE id = ?1
                     ON CONFLICT (session) DO UPDATE SET book = excluded.book",
                );
                or_not_found("session", done.bind(session.as_str()).bind(book).execute(db).await?.rows_affected())
            })
        })
        .await
    }

    async fn command_books(&self) -> Result<Vec<(SessionId, CommandBook)>> {
        let rows = sqlx::query("SELECT session, book FROM command_books ORDER BY session");
        all(rows.fetch_all(self.readers()).await?, |row| {
            Ok((parse("command book", text(row, "session")?)?, book_of(row)?))
        })
    }
}

fn book_of(row: &SqliteRow) -> Result<CommandBook> {
    serde_json::from_str(row.try_get("book")?).map_err(|error| corrupt("command book", error))
}
