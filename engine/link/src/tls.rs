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

/// The configuration for HTTP, made from the one above.
///
/// A sandbox build takes any certificate: simnet's media host has one of its
/// own, and whatever name it is for, such a build reaches this machine alone
/// ([`crate::address`]).
#[cfg(feature = "sandbox")]
pub(crate) fn http_config(chat: &ClientConfig) -> ClientConfig {
    let mut config = chat.clone();
    let verifier = sandbox::Any(chat.crypto_provider().clone());
    config.dangerous().set_certificate_verifier(Arc::new(verifier));
    config
}

/// The configuration for HTTP: the one above.
#[cfg(not(feature = "sandbox"))]
pub(crate) fn http_config(chat: &ClientConfig) -> ClientConfig {
    chat.clone()
}

#[cfg(feature = "sandbox")]
mod sandbox {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};
    use std::sync::Arc;

    /// Takes any certificate whose key signed the handshake.
    #[derive(Debug)]
    pub(super) struct Any(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for Any {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
