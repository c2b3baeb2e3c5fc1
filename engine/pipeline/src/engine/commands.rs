//! The commands of sessions.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use warest_model::command::CommandBook;

impl Engine {
    /// Makes this the session's book; the next message is looked up in it.
    pub async fn set_commands(&self, entry: &SessionEntry, book: &CommandBook) -> Result<(), EngineError> {
        self.store.set_command_book(&entry.session.id, book).await?;
        self.directory.reload_commands().await
    }
}
