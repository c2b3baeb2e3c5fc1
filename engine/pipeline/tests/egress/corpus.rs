//! The corpus: URLs in every disguise, each with the verdict it must get.
//!
//! `{port}` in a URL stands for that of the forbidden socket, at 127.0.0.1 and
//! ::1. Those URLs are requested in earnest; the others are only judged, so
//! that no test ever sends anything to another machine.

use crate::support::{OK, Outcome, Server, get};
use async_trait::async_trait;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use warest_pipeline::egress::{Egress, EgressError, EgressPolicy, Guard, Resolver};

#[derive(Deserialize)]
struct Case {
    url: String,
    verdict: String,
    trick: String,
}

fn corpus() -> Vec<Case> {
    include_str!("corpus.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of the corpus; all others have no address.
struct Zone(BTreeMap<String, Vec<IpAddr>>);

impl Zone {
    fn new() -> Arc<Self> {
        Arc::new(Self(serde_json::from_str(include_str!("names.json")).unwrap()))
    }
}

#[async_trait]
impl Resolver for Zone {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = self.0.get(host.strip_suffix('.').unwrap_or(host)).cloned();
        found.ok_or_else(|| std::io::Error::other("no such name"))
    }
}

/// The verdict that the guard gives, without a request.
async fn judge(guard: &Guard, url: &str) -> &'static str {
    let judged = match guard.policy().check_url(url) {
        Ok(url) => match url.domain() {
            Some(name) => guard.lookup(name).await.map(drop),
            None => Ok(()),
        },
        Err(error) => Err(error),
    };
    match judged {
        Ok(()) => "ok",
        Err(error) => verdict(&error),
    }
}

fn verdict(error: &EgressError) -> &'static str {
    match error {
        EgressError::Url(_) => "url",
        EgressError::Scheme(_) => "scheme",
        EgressError::Userinfo => "userinfo",
        EgressError::Port(_) => "port",
        EgressError::Private(_) => "private",
        EgressError::NotLoopback(_) => "not loopback",
        EgressError::Unresolved { .. } => "unresolved",
        EgressError::Client(_) => "client",
    }
}

#[tokio::test]
async fn every_url_of_the_corpus_gets_its_verdict() {
    let guard = Guard::new(Arc::new(EgressPolicy::default()), Zone::new());
    let (mut wrong, mut seen) = (Vec::new(), HashSet::new());
    for case in corpus() {
        assert!(seen.insert(case.url.clone()), "{:?} is there twice", case.url);
        let given = judge(&guard, &case.url.replace("{port}", "8080")).await;
        if given != case.verdict {
            wrong.push(format!("{}: {:?} is {given}, not {}", case.trick, case.url, case.verdict));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() >= 250, "the corpus has shrunk to {}", seen.len());
}

/// Every address among the answers for a name is looked at, not the first.
#[tokio::test]
async fn mixed_answers_are_reached_at_their_public_addresses() {
    let guard = Guard::new(Arc::new(EgressPolicy::default()), Zone::new());
    let public: IpAddr = "93.184.216.34".parse().unwrap();
    assert_eq!(guard.lookup("mixed.example").await.unwrap(), [public]);
    assert!(matches!(guard.lookup("all-private.example").await, Err(EgressError::Private(_))));
}

/// Counting sockets at both loopback addresses, at one port.
async fn forbidden() -> (Server, Server) {
    for _ in 0..100 {
        let v4 = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(v6) = TcpListener::bind(("::1", v4.local_addr().unwrap().port())).await {
            return (Server::serve(v4, OK), Server::serve(v6, OK));
        }
    }
    panic!("no port is free at 127.0.0.1 and ::1");
}

#[tokio::test]
async fn no_url_of_the_corpus_reaches_a_forbidden_socket() {
    let (v4, v6) = forbidden().await;
    let port = v4.port().to_string();
    let policy = EgressPolicy { ports: port.parse().unwrap(), ..EgressPolicy::default() };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let open = |policy| Egress::with_resolver(policy, crate::support::TIMEOUT, Zone::new()).unwrap();
    let egress = open(policy.clone());
    let mut tried = 0;
    for case in corpus().into_iter().filter(|case| case.url.contains("{port}")) {
        let url = case.url.replace("{port}", &port);
        match get(&egress, &url).await {
            Outcome::Refused(error) => assert_eq!(verdict(&error), case.verdict, "{}: {url:?}", case.trick),
            other => panic!("{}: {url:?} was not refused: {other:?}", case.trick),
        }
        tried += 1;
    }
    assert!(tried >= 60, "only {tried} were tried");
    assert_eq!((v4.connections(), v6.connections()), (0, 0));

    // The sockets are there, and the same requests reach them where allowed.
    let allow = ["127.0.0.0/8", "::1"].map(|entry| entry.parse().unwrap()).to_vec();
    let open = open(EgressPolicy { allow, ..policy });
    for host in ["127.1", "0x7f000001", "[::1]", "localhost", "localtest.example", "[::ffff:127.0.0.1]"] {
        let outcome = get(&open, &format!("http://{host}:{port}/")).await;
        assert_eq!(outcome.status(), Some(200), "{host}: {outcome:?}");
    }
    assert_eq!(v4.connections() + v6.connections(), 6);
}

#[test]
fn a_sandbox_build_reaches_loopback_alone() {
    let policy = EgressPolicy {
        loopback_only: true,
        allow: vec!["10.0.0.7".parse().unwrap(), "example.com".parse().unwrap()],
        ..EgressPolicy::default()
    };
    for url in ["http://127.0.0.1:1/", "http://[::1]:6379/", "http://[::ffff:127.0.0.1]:9/"] {
        assert!(policy.check_url(url).is_ok(), "{url}");
    }
    for url in ["http://93.184.216.34/", "http://10.0.0.7/", "http://0.0.0.0/", "http://[2606:4700::1111]/"] {
        assert!(matches!(policy.check_url(url), Err(EgressError::NotLoopback(_))), "{url}");
    }
    // Names that the policy vouches for elsewhere count for nothing here.
    let named = policy.check_url("http://example.com/").unwrap();
    assert!(!policy.names(&named));
}
