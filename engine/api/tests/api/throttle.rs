//! The rate limit of the API.

use crate::world::{ADMIN, ALICE, BOB, World};
use std::time::Duration;
use warest_api::RateLimit;

async fn limited(max: u64, window: Duration) -> World {
    World::with(|config| config.rate_limit = Some(RateLimit { max, window })).await
}

#[tokio::test]
async fn a_user_who_calls_too_often_is_told_when_to_come_back() {
    let world = limited(3, Duration::from_secs(60)).await;
    for left in ["2", "1", "0"] {
        let answer = world.get("/session/list").await;
        assert_eq!(answer.codes(), (200, 1000));
        assert_eq!(answer.header("x-ratelimit-limit"), Some("3"));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        assert_eq!(answer.header("retry-after"), None);
    }
    // Also what is not there counts, and keys that name the same user share.
    let refused = world.call(ALICE, "GET", "/nope", None).await;
    assert_eq!(refused.codes(), (429, 2400), "{}", refused.body);
    assert_eq!(refused.body["error"], "Too many requests");
    assert_eq!(refused.body["status"], false);
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&seconds), "{seconds}");
    assert_eq!(refused.body["retryAfter"], seconds);
    let reset: i64 = refused.header("x-ratelimit-reset").unwrap().parse().unwrap();
    let now = world.engine.clock().now_ms() / 1_000;
    assert!((now + 50..=now + 61).contains(&reset), "{reset} is not epoch seconds");
    assert_eq!(refused.header("x-warest-username"), Some("alice"));

    for other in [BOB, ADMIN] {
        let answer = world.call(other, "GET", "/session/list", None).await;
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("2"), "a user's limit is their own");
    }
    let probe = world.get("/server/ready").await;
    assert_eq!((probe.status.as_u16(), probe.header("x-ratelimit-limit")), (200, None), "probes are not counted");
    let nobody = world.call("not-a-key", "GET", "/session/list", None).await;
    assert_eq!((nobody.status.as_u16(), nobody.header("x-ratelimit-limit")), (401, None));
}

#[tokio::test]
async fn a_window_ends() {
    let world = limited(1, Duration::from_millis(300)).await;
    assert_eq!(world.get("/session/list").await.status.as_u16(), 200);
    assert_eq!(world.get("/session/list").await.status.as_u16(), 429);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while world.get("/session/list").await.status.as_u16() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "the window never ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn without_a_limit_there_are_no_headers() {
    let world = World::new().await;
    assert_eq!(world.get("/session/list").await.header("x-ratelimit-limit"), None);
}
