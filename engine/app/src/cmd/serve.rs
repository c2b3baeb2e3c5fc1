//! `warest serve`: the engine for real accounts.

use crate::compose::Running;
use crate::config::Settings;
use crate::interrupts::Signals;
use clap::Args;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::path::PathBuf;
use tokio::sync::broadcast::error::RecvError;
use warest_model::event::{Event, EventKind};

/// Flags of `serve`.
#[derive(Args)]
pub struct ServeArgs {
    /// Where state is kept.
    #[arg(long, env = "WAREST_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// Address to listen on.
    #[arg(long, env = "HOST", default_value = "0.0.0.0")]
    host: String,
    /// Port to listen on.
    #[arg(long, env = "PORT", default_value_t = 7308)]
    port: u16,
}

/// Runs until a signal comes.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    crate::logging::init("info");
    let settings = Settings::from_env(args.data_dir, args.host, args.port)?;
    let mut signals = Signals::listen()?;
    let running = signals.start(Running::start(settings)).await?;
    say!("WAREST {} listens on {}", env!("CARGO_PKG_VERSION"), running.url());
    if let Some(key) = &running.made_key {
        say!("Administrator's API key, shown this once: {key}");
    }
    if running.engine.all_sessions().is_empty() {
        say!(
            "No session yet. Create one and scan the code that appears here:\n  \
             curl -H \"X-WAREST-API-KEY: $KEY\" \"{}/api/v1/session/create?sessionId=main\"",
            running.url()
        );
    }
    let codes = tokio::spawn(show_codes(running.engine.live()));
    signals.next().await;
    codes.abort();
    signals.stop(running).await
}

/// Draws every pairing code as it comes.
async fn show_codes(mut live: tokio::sync::broadcast::Receiver<std::sync::Arc<Event>>) {
    loop {
        match live.recv().await {
            Ok(event) if event.kind == EventKind::SessionStatus => {
                if let Some(code) = event.data.get("qr").and_then(|qr| qr.as_str()) {
                    draw(event.session.as_str(), code);
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn draw(session: &str, code: &str) {
    match QrCode::new(code) {
        Ok(qr) => {
            // Terminals are mostly dark: what is dark in the code is left empty.
            let picture = qr.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
            say!("Session {session}: scan this in WhatsApp > Linked devices\n{picture}");
        }
        Err(error) => tracing::warn!(session, %error, "the pairing code could not be drawn"),
    }
}
