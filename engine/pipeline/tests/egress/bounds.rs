//! Answers without end, and answers without haste.

use crate::support::{Names, Outcome, PUBLIC, egress, get, policy, request_line};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use warest_pipeline::egress::{Egress, bounded_body};

/// A server that writes `head`, then `more` again and again, with a pause
/// before each, until nobody listens. Answers its URL.
async fn endless(head: &'static str, more: &'static [u8], pause: Duration) -> String {
    let listener = TcpListener::bind((PUBLIC, 0)).await.unwrap();
    let url = format!("http://endless.example:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                request_line(&mut socket).await;
                let mut written = socket.write_all(head.as_bytes()).await;
                while written.is_ok() {
                    tokio::time::sleep(pause).await;
                    written = socket.write_all(more).await;
                }
            });
        }
    });
    url
}

fn reaching_it() -> Egress {
    egress(policy(), &Names::answering(&[&[PUBLIC]]))
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_its_bound() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"] {
        let url = endless(head, &[b'x'; 8_192], Duration::ZERO).await;
        let Outcome::Answered(response) = get(&reaching_it(), &url).await else { panic!("no answer") };
        assert_eq!(bounded_body(response, 100_000).await.unwrap().len(), 100_001);
    }
}

#[tokio::test]
async fn a_head_without_end_is_no_answer() {
    let lines = |count| &*Box::leak("x-more: and more\r\n".repeat(count).into_boxed_str());
    let many: &'static str = Box::leak(format!("HTTP/1.1 200 OK\r\n{}\r\n", lines(200)).into_boxed_str());
    for (head, more) in [
        ("HTTP/1.1 200 OK\r\n", lines(500).as_bytes()),
        ("HTTP/1.1 200 OK\r\nx-long: ", &[b'x'; 8_192]),
        // It ends, with more lines than are taken.
        (many, b"body"),
    ] {
        let url = endless(head, more, Duration::ZERO).await;
        let outcome = get(&reaching_it(), &url).await;
        assert!(matches!(&outcome, Outcome::Failed(error) if !error.is_timeout()), "{outcome:?}");
    }
}

#[tokio::test]
async fn drops_that_keep_coming_do_not_move_the_deadline() {
    let drop_by_drop = Duration::from_millis(20);
    for (head, more) in [
        ("HTTP/1.1 200 OK\r\n\r\n", &b"x"[..]),
        ("HTTP/1.1 200 OK\r\nx-slow: ", &b"x"[..]),
        ("", &b"HTTP/1.1 100 Continue\r\n\r\n"[..]),
    ] {
        let url = endless(head, more, drop_by_drop).await;
        let begun = Instant::now();
        let request = reaching_it().request(reqwest::Method::GET, &url).await.unwrap();
        let error = match request.timeout(Duration::from_millis(500)).send().await {
            Ok(response) => bounded_body(response, 1_000_000).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.is_timeout(), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(4), "it took {:?}", begun.elapsed());
    }
}
