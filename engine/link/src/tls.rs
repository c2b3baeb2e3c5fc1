//! The one TLS configuration of outgoing connections: rustls with ring, and
//! Mozilla's roots compiled in, so that it is the same on every machine.

use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Builds the configuration.
///
/// # Errors
/// If ring offers none of the TLS versions that rustls knows; it does.
pub(crate) fn client_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
