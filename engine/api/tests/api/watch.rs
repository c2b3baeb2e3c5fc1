//! What the tests of streams do to a world.

use crate::world::World;
use std::time::Duration;
use warest_api::connection::Patient;
use warest_model::event::{EventKind, Observation};
use warest_model::jid::Jid;

impl World {
    /// Has a session see a message in each of these chats, at once.
    pub async fn see(&self, session: &str, chats: &[&str]) {
        let seen = chats.iter().map(|chat| {
            let chat = Jid::parse(chat, "62").unwrap();
            Observation::new(EventKind::MessageReceived, Some(chat), serde_json::json!({ "text": "hi" }))
        });
        self.intake.record(&session.parse().unwrap(), seen.collect()).await.unwrap();
    }

    /// Listens on this machine, and answers the address.
    pub async fn listen(&self, write_timeout: Duration) -> std::net::SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (listener, router) = (Patient::new(listener, write_timeout), self.router.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}
