//! Names that change their minds, and answers that point elsewhere.

use crate::support::{Names, OK, Outcome, PUBLIC, Server, egress, get, policy};
use std::sync::atomic::Ordering;
use warest_pipeline::egress::EgressPolicy;

#[tokio::test]
async fn a_name_that_turns_private_after_the_check_is_not_followed() {
    let (public, forbidden) = Server::pair(OK).await;
    let names = Names::answering(&[&[PUBLIC], &["127.0.0.1"]]);
    let egress = egress(policy(), &names);
    let url = format!("http://rebind.example:{}/", public.port());

    assert_eq!(get(&egress, &url).await.status(), Some(200));
    // Were the name resolved once to check and once to connect, the second
    // answer would have been used.
    assert_eq!(names.lookups.load(Ordering::SeqCst), 1);
    for _ in 0..3 {
        assert!(get(&egress, &url).await.private());
    }
    assert_eq!((public.connections(), forbidden.connections()), (1, 0));
}

#[tokio::test]
async fn of_mixed_answers_only_those_that_pass_are_tried() {
    let (public, forbidden) = Server::pair(OK).await;
    let url = format!("http://mixed.example:{}/", public.port());
    let mixed = Names::answering(&[&["127.0.0.1", PUBLIC, "::1"]]);
    assert_eq!(get(&egress(policy(), &mixed), &url).await.status(), Some(200));

    // Nor is the forbidden one a fallback for a public one that is down.
    let down = Names::answering(&[&["127.0.0.1", "127.0.0.3"]]);
    let both = EgressPolicy { allow: vec!["127.0.0.2/31".parse().unwrap()], ..policy() };
    let outcome = get(&egress(both, &down), &url).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert_eq!((public.connections(), forbidden.connections()), (1, 0));
}

#[tokio::test]
async fn redirects_are_answers_not_orders() {
    for status in [301, 302, 303, 307, 308] {
        let (public, forbidden) = Server::pair("").await;
        let location = format!("http://127.0.0.1:{}/", forbidden.port());
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\nrefresh: 0;url={location}\r\ncontent-length: 0\r\n\r\n"
        );
        let redirecting = Server::start(Box::leak(answer.into_boxed_str())).await;
        let egress = egress(policy(), &Names::answering(&[&[PUBLIC]]));
        let outcome = get(&egress, &format!("http://moved.example:{}/", redirecting.port())).await;
        assert_eq!(outcome.status(), Some(status));
        assert_eq!((redirecting.connections(), public.connections(), forbidden.connections()), (1, 0, 0));
    }
}

#[tokio::test]
async fn a_host_named_with_a_port_is_reached_at_that_port_alone() {
    let (public, forbidden) = Server::pair(OK).await;
    let port = forbidden.port();
    let named = |entry: &str| EgressPolicy { allow: vec![entry.parse().unwrap()], ..EgressPolicy::default() };
    let names = Names::answering(&[&["127.0.0.1"]]);

    let by_name = egress(named(&format!("hooks.lan:{port}")), &names);
    assert_eq!(get(&by_name, &format!("http://hooks.lan.:{port}/")).await.status(), Some(200));
    assert!(get(&by_name, "http://hooks.lan:8080/").await.private());
    assert!(matches!(get(&by_name, "http://hooks.lan:6379/").await, Outcome::Refused(_)));

    let by_address = egress(named(&format!("127.0.0.1:{port}")), &names);
    assert_eq!(get(&by_address, &format!("http://127.1:{port}/")).await.status(), Some(200));
    assert!(get(&by_address, "http://127.0.0.1:8080/").await.private());
    // A name that leads there does not have the port that was meant.
    assert!(get(&by_address, "http://elsewhere.example:8080/").await.private());
    assert_eq!((public.connections(), forbidden.connections()), (0, 2));
}
