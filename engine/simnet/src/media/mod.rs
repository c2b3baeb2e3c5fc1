//! The media host: where clients upload encrypted files and fetch them again, on a TLS port of its
//! own under an authority made for it.
//!
//! - [`store`] keeps the bytes, on disk and bounded; [`serve`] speaks HTTP; [`tls`] has the
//!   authority and the listener; [`cipher`] is what a phone encrypts and decrypts with.
//! - Uploads need the token that `media_conn` gives; downloads need the path that the upload was
//!   given, which carries its own key and expiry, as at WhatsApp.
//!
//! Laws: no file is held in memory; what is stored is what its hash says; a fault strikes a bounded
//! number of times.

pub(crate) mod cipher;
mod serve;
pub(crate) mod store;
mod tls;

use crate::chance::now;
use crate::error::SimnetError;
use crate::network::Network;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long a token for uploads is good for, in seconds.
pub(crate) const AUTH_TTL: u64 = 6 * 3600;

/// The running media host.
pub(crate) struct MediaHost {
    pub(crate) store: Store,
    /// `localhost:PORT`, as clients are told.
    pub(crate) host: String,
    /// The authority's certificate, PEM.
    pub(crate) certificate: String,
    secret: [u8; 32],
}

impl MediaHost {
    /// Starts a host on a free port of `ip`. Without a directory, what it stores is gone with it.
    pub(crate) async fn start(
        net: &Arc<Network>,
        ip: IpAddr,
        directory: Option<PathBuf>,
    ) -> Result<JoinHandle<()>, SimnetError> {
        let at = directory.clone().unwrap_or_else(std::env::temp_dir);
        let failed = |reason: String| SimnetError::Media(format!("the media host cannot start at {at:?}: {reason}"));
        let store = tokio::task::spawn_blocking(move || Store::open(directory)).await;
        let store = store.map_err(|_| SimnetError::Stopping)?.map_err(|e| failed(e.to_string()))?;
        let identity = tls::Identity::open(store.directory()).map_err(|e| failed(e.to_string()))?;
        let addr = SocketAddr::new(ip, 0);
        let bind = |source| SimnetError::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(bind)?;
        let port = listener.local_addr().map_err(bind)?.port();
        let listener = tls::listen(listener, identity.server, net.stop.clone()).map_err(bind)?;
        let host = Self {
            store,
            host: format!("localhost:{port}"),
            certificate: identity.authority,
            secret: net.chance.bytes(),
        };
        if net.media.set(host).is_err() {
            return Err(failed("it runs already".into()));
        }
        let router = serve::router(net.clone());
        let stop = net.stop.clone();
        tracing::info!(port, "media host is up");
        Ok(tokio::spawn(async move {
            let served =
                axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await;
            if let Err(error) = served {
                tracing::error!(%error, "media host ended");
            }
        }))
    }

    /// A token that lets the devices of `phone` upload.
    pub(crate) fn token(&self, phone: &str) -> String {
        let content = format!("{phone}.{}", now() + AUTH_TTL);
        let mac = self.mac(&content);
        format!("{content}.{mac}")
    }

    /// Whose token this is; `None` when it is not one or has expired.
    pub(crate) fn holder<'a>(&self, token: &'a str) -> Option<&'a str> {
        let (content, mac) = token.rsplit_once('.')?;
        let (phone, expiry) = content.split_once('.')?;
        let fresh = expiry.parse::<u64>().is_ok_and(|at| at > now());
        (fresh && self.mac(content) == mac).then_some(phone)
    }

    fn mac(&self, content: &str) -> String {
        // A key of any length is accepted.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { return String::new() };
        mac.update(content.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}
