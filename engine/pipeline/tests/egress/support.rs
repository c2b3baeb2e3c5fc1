//! Sockets that count, and names that answer what a test says.

use async_trait::async_trait;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use warest_pipeline::egress::{Egress, EgressError, EgressPolicy, Resolver, refusal};

/// Stands in for a public address.
pub const PUBLIC: &str = "127.0.0.2";
/// How long an exchange of a test may take.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// A policy that reaches [`PUBLIC`], at the ports of test servers.
pub fn policy() -> EgressPolicy {
    EgressPolicy {
        allow: vec![format!("{PUBLIC}/32").parse().unwrap()],
        ports: "1024-65535".parse().unwrap(),
        ..EgressPolicy::default()
    }
}

/// With names that answer what `names` says.
pub fn egress(policy: EgressPolicy, names: &Arc<Names>) -> Egress {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Egress::with_resolver(policy, TIMEOUT, names.clone()).unwrap()
}

/// Each look-up gets the next of the answers; the last stays.
#[derive(Default)]
pub struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    pub lookups: AtomicUsize,
}

impl Names {
    pub fn answering(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        Arc::new(Self { answers: Mutex::new(answers), lookups: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Resolver for Names {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.ok_or_else(|| std::io::Error::other("no such name"))
    }
}

/// A server that counts connections and answers every request with `answer`,
/// then closes.
pub struct Server {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// On a port of its own.
    pub async fn start(answer: &'static str) -> Self {
        Self::serve(TcpListener::bind((PUBLIC, 0)).await.unwrap(), answer)
    }

    /// A pair at one port: what may be reached, and what is forbidden.
    pub async fn pair(answer: &'static str) -> (Self, Self) {
        for _ in 0..100 {
            let forbidden = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = forbidden.local_addr().unwrap().port();
            if let Ok(public) = TcpListener::bind((PUBLIC, port)).await {
                return (Self::serve(public, answer), Self::serve(forbidden, OK));
            }
        }
        panic!("no port is free at both addresses");
    }

    pub fn serve(listener: TcpListener, answer: &'static str) -> Self {
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let server = Self { address, connections: connections.clone(), requests: requests.clone() };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(exchange(socket, answer, requests.clone()));
            }
        });
        server
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How often anybody has connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The first lines of the requests.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An ordinary answer.
pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

async fn exchange(mut socket: TcpStream, answer: &'static str, requests: Arc<Mutex<Vec<String>>>) {
    if let Some(line) = request_line(&mut socket).await {
        requests.lock().unwrap().push(line);
        let _ = socket.write_all(answer.as_bytes()).await;
    }
}

/// Reads a request's head; answers its first line.
pub async fn request_line(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = socket.read_buf(&mut head).await.ok()?;
        if read == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&head).lines().next()?.to_owned())
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    Answered(reqwest::Response),
    Refused(EgressError),
    Failed(reqwest::Error),
}

impl Outcome {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(response) => Some(response.status().as_u16()),
            _ => None,
        }
    }

    /// Whether the address was refused.
    pub fn private(&self) -> bool {
        matches!(self, Self::Refused(EgressError::Private(_)))
    }
}

/// Makes a request.
pub async fn get(egress: &Egress, url: &str) -> Outcome {
    let request = match egress.request(reqwest::Method::GET, url).await {
        Ok(request) => request,
        Err(error) => return Outcome::Refused(error),
    };
    match request.send().await {
        Ok(response) => Outcome::Answered(response),
        Err(error) => refusal(&error).map_or(Outcome::Failed(error), Outcome::Refused),
    }
}
