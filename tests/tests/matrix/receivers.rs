//! Receivers that misbehave at the first attempt of every event.

use crate::receiver::Manner;
use crate::stage::Stage;
use reqwest::Method;

/// Four chats fail four times in a row at most, which opens no circuit.
const CUSTOMERS: usize = 4;

async fn a_receiver_that(manner: Manner, rounds: usize) -> Stage {
    let mut stage = Stage::new(CUSTOMERS, Vec::new()).await;
    stage.receiver.behave(manner);
    stage.customers.rounds(rounds).await;
    stage.settles(&format!("a receiver that behaves {manner:?}")).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_resets_or_answers_half_hears_everything_and_its_answers_count_once() {
    for (manner, rounds) in [(Manner::Hangs, 2), (Manner::Resets, 5), (Manner::Half, 5)] {
        let stage = a_receiver_that(manner, rounds).await;
        assert!(stage.receiver.repeats() >= rounds * CUSTOMERS, "{manner:?} never struck");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_alternates_between_500_and_200_hears_everything_once_it_answers() {
    let stage = a_receiver_that(Manner::Fails, 6).await;
    assert!(stage.receiver.repeats() >= 6 * CUSTOMERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_10_mb_is_refused_and_listed_and_harms_nobody() {
    let mut stage = Stage::new(CUSTOMERS, Vec::new()).await;
    stage.receiver.behave(Manner::TenMegabytes);
    stage.expect_no_hook();
    stage.customers.rounds(3).await;
    stage.settles("a receiver that answers 10 MB").await;
    let failed = stage.engine.api(Method::GET, "/runs?state=failed&limit=200", None).await.unwrap();
    assert_eq!(failed.body["results"].as_array().unwrap().len(), 3 * CUSTOMERS, "{failed:?}");
}
