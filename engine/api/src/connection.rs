//! Connections that are closed when their client takes nothing.
//!
//! An answer is pulled by the connection as its client takes it. A client that
//! stops reading would keep it, and all it holds, for as long as it likes: after
//! the write timeout the connection fails instead, and everything of it goes.

use axum::serve::Listener;
use std::pin::Pin;
use std::time::Duration;
use tokio_io_timeout::TimeoutStream;

/// A listener whose connections have a write timeout.
pub struct Patient<L> {
    listener: L,
    write_timeout: Duration,
}

impl<L: Listener> Patient<L> {
    /// Gives the connections of `listener` a write timeout.
    pub fn new(listener: L, write_timeout: Duration) -> Self {
        Self { listener, write_timeout }
    }
}

impl<L: Listener> Listener for Patient<L> {
    type Io = Pin<Box<TimeoutStream<L::Io>>>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.listener.accept().await;
        let mut io = TimeoutStream::new(io);
        io.set_write_timeout(Some(self.write_timeout));
        (Box::pin(io), address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
