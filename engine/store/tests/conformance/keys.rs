//! Requests with an idempotency key.

use super::*;
use warest_store::KeyState;

const DAY: i64 = 24 * 3_600_000;

pub async fn a_key_is_begun_once_and_keeps_its_answer(driver: &mut impl Driver) {
    let (ann, bob) = (UserId::new(NOW), UserId::new(NOW));
    let store = driver.store();
    let begun = KeyState::Begun { at_ms: NOW, first: true };
    assert_eq!(store.begin_key(&ann, "k", [1; 32], NOW, DAY).await.unwrap(), begun);
    assert_eq!(store.begin_key(&bob, "k", [2; 32], NOW, DAY).await.unwrap(), begun, "a key is a user's own");
    store.answer_key(&ann, "k", 202, b"{}".to_vec()).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let answer = KeyState::Answered { status: 202, body: b"{}".to_vec() };
    assert_eq!(store.begin_key(&ann, "k", [1; 32], NOW + 9, DAY).await.unwrap(), answer);
    assert_eq!(store.begin_key(&ann, "k", [9; 32], NOW + 9, DAY).await.unwrap(), KeyState::Other);
    store.free_key(&ann, "k").await.unwrap();
    assert_eq!(store.begin_key(&ann, "k", [1; 32], NOW + 9, DAY).await.unwrap(), answer, "an answer is not freed");
}

pub async fn a_key_that_was_cut_off_begins_again_as_it_was(driver: &mut impl Driver) {
    let ann = UserId::new(NOW);
    driver.store().begin_key(&ann, "k", [1; 32], NOW, DAY).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    let again = KeyState::Begun { at_ms: NOW, first: false };
    assert_eq!(store.begin_key(&ann, "k", [1; 32], NOW + 50, DAY).await.unwrap(), again);
    store.free_key(&ann, "k").await.unwrap();
    let anew = KeyState::Begun { at_ms: NOW + 60, first: true };
    assert_eq!(store.begin_key(&ann, "k", [2; 32], NOW + 60, DAY).await.unwrap(), anew);
}

pub async fn old_keys_are_forgotten(driver: &mut impl Driver) {
    let (store, ann) = (driver.store(), UserId::new(NOW));
    for index in 0..5 {
        store.begin_key(&ann, &format!("k{index}"), [1; 32], NOW + index, DAY).await.unwrap();
        store.answer_key(&ann, &format!("k{index}"), 200, Vec::new()).await.unwrap();
    }
    let late = NOW + DAY;
    let anew = KeyState::Begun { at_ms: late, first: true };
    assert_eq!(store.begin_key(&ann, "k0", [2; 32], late, DAY).await.unwrap(), anew, "even before it is removed");
    assert_eq!(store.purge_keys(NOW + 4, 2).await.unwrap(), 2);
    assert_eq!(store.purge_keys(NOW + 4, 2).await.unwrap(), 1);
    let kept = store.begin_key(&ann, "k4", [1; 32], late, DAY).await.unwrap();
    assert_eq!(kept, KeyState::Answered { status: 200, body: Vec::new() });
}
