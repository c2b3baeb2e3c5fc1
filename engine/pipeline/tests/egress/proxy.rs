//! Through a proxy: what it is asked for, and what it is never asked for.

use crate::support::{Names, OK, Outcome, PUBLIC, Server, egress, get, policy};
use std::sync::Arc;
use warest_pipeline::egress::{Egress, EgressError, EgressPolicy};

fn proxied(proxy: &Server, names: &Arc<Names>) -> Egress {
    let proxy = Some(format!("http://user:pw@{}", proxy.address).parse().unwrap());
    egress(EgressPolicy { ports: "80,443".parse().unwrap(), proxy, ..policy() }, names)
}

#[tokio::test]
async fn a_proxy_gets_every_request_with_the_name() {
    let proxy = Server::start(OK).await;
    let egress = proxied(&proxy, &Names::answering(&[&["93.184.216.34"]]));
    assert_eq!(get(&egress, "http://hooks.example/x").await.status(), Some(200));
    assert_eq!(get(&egress, "http://93.184.216.34/y").await.status(), Some(200));
    // No TLS comes out of that tunnel, but it was asked for.
    assert!(matches!(get(&egress, "https://hooks.example/").await, Outcome::Failed(_)));
    assert_eq!(
        proxy.requests(),
        [
            "GET http://hooks.example/x HTTP/1.1",
            "GET http://93.184.216.34/y HTTP/1.1",
            "CONNECT hooks.example:443 HTTP/1.1"
        ]
    );
}

#[tokio::test]
async fn a_proxy_is_never_asked_for_what_is_refused() {
    let proxy = Server::start(OK).await;
    for answer in [&["127.0.0.1"][..], &["93.184.216.34", "10.0.0.5"], &["64:ff9b::a00:5"]] {
        let egress = proxied(&proxy, &Names::answering(&[answer]));
        for url in ["http://hooks.example/", "https://hooks.example/", "http://127.0.0.1/", "http://[fd00::1]/"] {
            assert!(get(&egress, url).await.private(), "{url} {answer:?}");
        }
    }
    let nowhere = proxied(&proxy, &Arc::new(Names::default()));
    let outcome = get(&nowhere, "http://hooks.example/").await;
    assert!(matches!(outcome, Outcome::Refused(EgressError::Unresolved { .. })), "{outcome:?}");
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn the_proxy_of_a_sandbox_build_is_on_this_machine() {
    let through = |proxy: &str, names: &Arc<Names>| {
        let proxy = Some(proxy.parse().unwrap());
        let policy = EgressPolicy { loopback_only: true, proxy, ..EgressPolicy::default() };
        let _ = rustls::crypto::ring::default_provider().install_default();
        Egress::with_resolver(policy, crate::support::TIMEOUT, names.clone())
    };
    let names = Names::answering(&[&["10.0.0.5"]]);
    assert!(matches!(through("http://10.0.0.5:3128", &names), Err(EgressError::NotLoopback(_))));
    // By name, it shows when it is resolved.
    let outcome = get(&through("http://proxy.lan:3128", &names).unwrap(), "http://127.0.0.1:9/").await;
    assert!(matches!(outcome, Outcome::Refused(EgressError::NotLoopback(_))), "{outcome:?}");

    let proxy = Server::start(OK).await;
    let egress = through(&format!("http://{PUBLIC}:{}", proxy.port()), &names).unwrap();
    assert_eq!(get(&egress, "http://127.0.0.1:9/").await.status(), Some(200));
    assert_eq!(proxy.connections(), 1);
}
