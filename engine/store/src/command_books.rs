//! What the store can be asked of the commands of sessions.

use crate::Result;
use async_trait::async_trait;
use warest_model::command::CommandBook;
use warest_model::id::SessionId;

/// The command books of sessions.
#[async_trait]
pub trait CommandBooks: Send + Sync {
    /// The book of a session; an empty one if it has none.
    async fn command_book(&self, session: &SessionId) -> Result<CommandBook>;
    /// Makes this the book of a session. `NotFound` if there is no such session.
    async fn set_command_book(&self, session: &SessionId, book: &CommandBook) -> Result<()>;
    /// Every book.
    async fn command_books(&self) -> Result<Vec<(SessionId, CommandBook)>>;
}
