//! `GET /stats`, `GET /root`.

use super::Control;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What went through the network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsReport {
    /// Phones on the network.
    pub phones: usize,
    /// Linked companions.
    pub companions: usize,
    /// Companions that are connected now.
    pub online: usize,
    /// Stanzas that companions have not acknowledged yet.
    pub queued: usize,
    /// Stanzas dropped because a queue was full.
    pub dropped: u64,
    /// Messages on show at all phones.
    pub messages: usize,
    /// Repeats of those, counted and not shown.
    pub repeats: u64,
    /// Messages that fell off a full inbox.
    pub inbox_dropped: u64,
    /// Named counters.
    pub counters: BTreeMap<String, u64>,
    /// Requests answered with an empty result, by `xmlns/tag`.
    pub unknown_iqs: BTreeMap<String, u64>,
}

/// What a client is told to trust.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootInfo {
    /// The root's public key, 32 bytes in hex.
    pub public_key: String,
    /// The serial that the intermediate names as its issuer.
    pub serial: u32,
    /// The certificate of the authority behind the media host, PEM.
    pub media_certificate: String,
    /// The media host, as `localhost:PORT`.
    pub media_host: String,
}

impl Control {
    /// What went through the network.
    pub async fn stats(&self) -> StatsReport {
        let (counters, unknown_iqs) = self.net.stats.read();
        let accounts = self.net.accounts();
        let mut report = StatsReport {
            phones: accounts.len(),
            companions: 0,
            online: 0,
            queued: 0,
            dropped: 0,
            messages: 0,
            repeats: 0,
            inbox_dropped: 0,
            counters: counters.into_iter().map(|(name, n)| (name.to_owned(), n)).collect(),
            unknown_iqs,
        };
        for account in accounts {
            let (messages, repeats, dropped) = account.primary.inbox.counts();
            report.messages += messages;
            report.repeats += repeats;
            report.inbox_dropped += dropped;
            for device in account.devices() {
                report.queued += device.queue.backlog().0;
                report.dropped += device.queue.dropped();
                if device.id != 0 {
                    report.companions += 1;
                    report.online += usize::from(device.connection().is_some());
                }
            }
        }
        report
    }

    /// The root certificate's key, and the authority behind the media host.
    pub async fn root(&self) -> RootInfo {
        let (media_certificate, media_host) =
            self.net.media.get().map(|host| (host.certificate.clone(), host.host.clone())).unwrap_or_default();
        RootInfo { public_key: hex::encode(self.net.authority.root_public()), serial: 0, media_certificate, media_host }
    }
}

pub(super) fn routes() -> Router<Control> {
    Router::new().route("/stats", get(stats)).route("/root", get(root))
}

async fn stats(State(control): State<Control>) -> Json<StatsReport> {
    Json(control.stats().await)
}

async fn root(State(control): State<Control>) -> Json<RootInfo> {
    Json(control.root().await)
}
