//! The machine's clock is set by an hour, while messages are under way and
//! while a plan waits.

use crate::receiver::Manner;
use crate::shim::Shim;
use crate::stage::{BOT, Stage};
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600;
/// Writes later what she hears.
const ANA: &str = "6281499999999";
const LATER: &str = r#"if event.data.text == "later" { delay(2000); reply("it is later"); }"#;

async fn a_clock_set(what: &str, steps: &[i64]) {
    let folder = tempfile::tempdir().unwrap();
    let shim = Shim::build(folder.path());
    // Three chats fail three times in a row at most, which opens no circuit.
    let mut stage = Stage::new(3, shim.env()).await;
    stage.network.phone(ANA).await.unwrap();
    stage.engine.flow(LATER).await.unwrap();
    // Each event's delivery waits for a second attempt at some time.
    stage.receiver.behave(Manner::Fails);
    let writing = stage.writing(Duration::from_millis(300));
    for (count, step) in steps.iter().enumerate() {
        stage.network.say(ANA, BOT, "later").await.unwrap();
        stage.network.wait_text(ANA, "flow later").await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        shim.set_clock(*step);
        let begun = Instant::now();
        while stage.network.received(ANA).await.unwrap().iter().filter(|reply| reply["text"] == "it is later").count()
            <= count
        {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}: what was due in 2 s is not done after 20 s");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    writing.end().await;
    stage.settles(what).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_forward_by_an_hour_and_right_again_loses_and_delays_nothing() {
    a_clock_set("clock set forward and back", &[HOUR, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_by_an_hour_loses_and_delays_nothing() {
    a_clock_set("clock set back and forth", &[-HOUR, 0, -HOUR]).await;
}
