//! What every driver of the cache must do, and the local driver doing it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;
use warest_model::clock::{Clock, ManualClock, Millis};
use warest_store::cache::local::{LocalCache, LocalOptions};
use warest_store::cache::{Cache, CacheError, Count, Key, VALUE_BYTES};

const SECOND: Duration = Duration::from_secs(1);

/// Runs every case. `pass` lets time go by, for a driver in real time by
/// waiting; `prefix` makes the keys of this run its own.
async fn suite<P: AsyncFn(Duration)>(cache: Arc<dyn Cache>, now_ms: impl Fn() -> Millis, pass: P, prefix: &str) {
    let key = |name: &str| Key::new("suite", &[prefix, name]);

    // Values: there until their end, and only then replaceable by `add`.
    let (a, b) = (key("a"), key("b"));
    assert_eq!(cache.get(&a).await.unwrap(), None);
    cache.set(&a, b"one", 10 * SECOND).await.unwrap();
    cache.set(&a, b"two\0\xff", SECOND).await.unwrap();
    assert_eq!(cache.get(&a).await.unwrap().as_deref(), Some(&b"two\0\xff"[..]));
    assert!(!cache.add(&a, b"three", SECOND).await.unwrap());
    assert_eq!(cache.get(&b).await.unwrap(), None, "another key is another entry");
    pass(Duration::from_millis(1_100)).await;
    assert_eq!(cache.get(&a).await.unwrap(), None, "it has ended");
    assert!(!cache.delete(&a).await.unwrap());
    assert!(cache.add(&a, b"", 10 * SECOND).await.unwrap());
    assert_eq!(cache.get(&a).await.unwrap().as_deref(), Some(&b""[..]), "an empty value is a value");
    assert!(cache.delete(&a).await.unwrap());
    assert_eq!(cache.get(&a).await.unwrap(), None);
    let long = cache.set(&a, &vec![0; VALUE_BYTES + 1], SECOND).await;
    assert!(matches!(long, Err(CacheError::TooLarge(_))));
    cache.set(&a, &vec![7; VALUE_BYTES], SECOND).await.unwrap();

    // Counters: one window, from the first count on.
    let n = key("n");
    let begun = now_ms();
    assert_eq!(cache.count(&n, 0, SECOND).await.unwrap().total, 0);
    let first = cache.count(&n, 2, SECOND).await.unwrap();
    assert_eq!(first.total, 2);
    assert!((begun + 900..=now_ms() + 1_100).contains(&first.reset_ms), "{first:?}");
    pass(Duration::from_millis(400)).await;
    let later = cache.count(&n, 3, 60 * SECOND).await.unwrap();
    assert_eq!(later.total, 5);
    assert!((later.reset_ms - first.reset_ms).abs() <= 50, "a later count does not prolong it: {later:?}");
    assert_eq!(cache.count(&n, 0, SECOND).await.unwrap().total, 5);
    assert_eq!(cache.get(&n).await.unwrap(), None, "a counter is no value");
    pass(Duration::from_millis(800)).await;
    let next = cache.count(&n, 1, SECOND).await.unwrap();
    assert_eq!(next.total, 1, "another window has begun");
    assert!(next.reset_ms > first.reset_ms);

    // Turns: one after the other, and none far ahead.
    let (line, other) = (key("line"), key("other line"));
    let begun = now_ms();
    let near = |at_ms: Millis, after: Millis| (begun + after - 20..=begun + after + 300).contains(&at_ms);
    let turn = async |length, ahead| cache.take_turn(&line, length, ahead).await.unwrap();
    let first = turn(SECOND, SECOND).await;
    assert!(first.taken && near(first.at_ms, 0), "{first:?}");
    let second = turn(2 * SECOND, SECOND).await;
    assert!(second.taken && second.at_ms == first.at_ms + 1_000, "{second:?}");
    let far = turn(SECOND, SECOND).await;
    assert!(!far.taken && far.at_ms == first.at_ms + 3_000, "{far:?}");
    assert!(turn(SECOND, 5 * SECOND).await.taken, "what was not taken holds nobody up");
    assert!(cache.take_turn(&other, SECOND, Duration::ZERO).await.unwrap().taken, "another line is another entry");
    pass(Duration::from_millis(4_100)).await;
    let again = turn(SECOND, Duration::ZERO).await;
    assert!(again.taken && near(again.at_ms, 4_100), "nobody is before: {again:?}");

    // All are atomic.
    let (sum, mark) = (key("sum"), key("mark"));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64_u32 {
        let (cache, sum, mark) = (cache.clone(), sum.clone(), mark.clone());
        tasks.spawn(async move {
            let total = cache.count(&sum, 1, 60 * SECOND).await.unwrap().total;
            (total, cache.add(&mark, &task.to_be_bytes(), 60 * SECOND).await.unwrap())
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_unstable();
    assert_eq!(results.iter().map(|(total, _)| *total).collect::<Vec<_>>(), (1..=64).collect::<Vec<_>>());
    assert_eq!(results.iter().filter(|(_, put)| *put).count(), 1);
    let turns = key("turns");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (cache, turns) = (cache.clone(), turns.clone());
        tasks.spawn(async move { cache.take_turn(&turns, 5 * SECOND, 600 * SECOND).await.unwrap().at_ms });
    }
    let mut at = tasks.join_all().await;
    at.sort_unstable();
    assert!(at.windows(2).all(|pair| pair[1] == pair[0] + 5_000), "{at:?}");
}

fn local(options: LocalOptions) -> (Arc<LocalCache>, Arc<ManualClock>) {
    let clock = ManualClock::at(1_700_000_000_000);
    (Arc::new(LocalCache::new(options, clock.clone())), clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_cache_passes_the_suite() {
    let (cache, clock) = local(LocalOptions::default());
    let pass = async |time: Duration| clock.advance(time.as_millis() as Millis);
    suite(cache, || clock.now_ms(), pass, "local").await;
}

#[tokio::test]
async fn the_local_cache_stays_small_and_keeps_what_is_new() {
    let (cache, _clock) = local(LocalOptions { entries: 50, bytes: 1 << 20 });
    for index in 0..5_000 {
        let key = Key::new("x", &[&index.to_string()]);
        assert_eq!(cache.count(&key, 1, SECOND).await.unwrap().total, 1);
        assert_eq!(cache.count(&key, 1, SECOND).await.unwrap().total, 2, "a new counter is not turned away");
    }
    assert!(cache.len() <= 50, "{}", cache.len());

    let (cache, _clock) = local(LocalOptions { entries: 5_000, bytes: 10 * VALUE_BYTES as u64 });
    for index in 0..100 {
        cache.set(&Key::new("x", &[&index.to_string()]), &vec![1; VALUE_BYTES], SECOND).await.unwrap();
    }
    assert!(cache.len() < 10, "large values take the room of many: {}", cache.len());
}

#[tokio::test]
async fn windows_hold_whatever_the_order_of_counts() {
    // Fixed windows as a model says: the sum since the window's first count.
    let (cache, clock) = local(LocalOptions::default());
    let key = Key::new("x", &["model"]);
    let (mut total, mut until) = (0, 0);
    let mut seed = 42_u64;
    for _ in 0..5_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (n, step) = ((seed >> 60) % 4, (seed >> 33) % 700);
        clock.advance(step as Millis);
        let now = clock.now_ms();
        if now >= until {
            (total, until) = (0, now + 1_000);
        }
        total += n;
        if total == 0 {
            until = 0; // Only looking begins no window.
        }
        let got = cache.count(&key, n, SECOND).await.unwrap();
        let reset_ms = if until == 0 { now + 1_000 } else { until };
        assert_eq!(got, Count { total, reset_ms });
    }
}
