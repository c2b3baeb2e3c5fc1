//! The media host's TLS: an authority of its own with a certificate for this machine's names, made
//! once per directory, and a listener that hands over connections whose handshake is done.

use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// Names the certificate is for. The last one is what some clients dial whatever they are told; it
/// is theirs to direct here.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "mmg.whatsapp.net"];
/// Handshakes under way at once.
const HANDSHAKES: usize = 256;
const HANDSHAKE: Duration = Duration::from_secs(15);

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Who the host is.
pub(super) struct Identity {
    /// The authority's certificate, PEM.
    pub(super) authority: String,
    pub(super) server: Arc<ServerConfig>,
}

impl Identity {
    /// The identity kept in `directory`, made there if there is none.
    pub(super) fn open(directory: &Path) -> Result<Self, TlsError> {
        let [authority, certificate, key] = ["authority.pem", "host.pem", "host.key"].map(|name| directory.join(name));
        // The authority is written last: where it is, the others are whole.
        if !authority.exists() {
            let made = make()?;
            std::fs::write(&key, &made[2])?;
            std::fs::write(&certificate, &made[1])?;
            std::fs::write(&authority, &made[0])?;
        }
        let chain = vec![CertificateDer::from_pem_file(&certificate)?];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(&key)?)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority: std::fs::read_to_string(&authority)?, server: Arc::new(server) })
    }
}

/// The authority's certificate, the host's, and the host's key, as PEM.
fn make() -> Result<[String; 3], TlsError> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "simnet media authority");
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let mut host = CertificateParams::new(NAMES.map(str::to_owned))?;
    host.distinguished_name.push(DnType::CommonName, "simnet media host");
    let host_key = KeyPair::generate()?;
    let host_certificate = host.signed_by(&host_key, &Issuer::new(authority, authority_key))?;
    Ok([authority_certificate.pem(), host_certificate.pem(), host_key.serialize_pem()])
}

/// Connections with TLS on them.
pub(super) struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    local: SocketAddr,
}

/// Accepts on `listener` until `stop`; a slow handshake holds up no other.
pub(super) fn listen(
    listener: TcpListener,
    server: Arc<ServerConfig>,
    stop: CancellationToken,
) -> io::Result<TlsListener> {
    let local = listener.local_addr()?;
    let (done, ready) = mpsc::channel(16);
    let acceptor = TlsAcceptor::from(server);
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "media host: no connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            let (acceptor, done) = (acceptor.clone(), done.clone());
            tokio::spawn(async move {
                let _permit = permit;
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let _ = done.send((stream, peer)).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "media host: handshake failed"),
                    Err(_) => {}
                }
            });
        }
    });
    Ok(TlsListener { ready, local })
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // Only at shutdown, where axum stops by its own signal.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}
