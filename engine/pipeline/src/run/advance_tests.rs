#![allow(clippy::unwrap_used)]
//! [`advance`] driven by a toy world that ends every queued effect as told.

use super::*;
use serde_json::{Value, json};
use warest_model::action::{ActionContext, parse_actions};
use warest_model::content::Content;
use warest_model::fault::Fault;

struct World {
    plan: Plan,
    journal: BTreeMap<Path, Step>,
    now: Millis,
    sent: Vec<String>,
    ids: Vec<String>,
}

impl World {
    fn new(actions: Value) -> Self {
        let context = ActionContext { country_code: "62".into(), chat: None };
        let nodes = parse_actions(&actions, &context).unwrap();
        Self {
            plan: Plan { nodes, ..Plan::default() },
            journal: BTreeMap::new(),
            now: 1_000,
            sent: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Advances once; effects whose text is in `fail` fail, all others succeed.
    fn step(&mut self, fail: &[&str]) -> (RunState, Option<Millis>) {
        let journal: Vec<Step> = self.journal.values().cloned().collect();
        let plan = self.plan.clone();
        let next = advance("run_x", &plan, &journal, self.now);
        for step in &next.writes {
            self.journal.insert(step.path.clone(), step.clone());
        }
        for (path, effect) in &next.effects {
            let Some(Content::Text { text, .. }) = effect.content() else { panic!("only texts here") };
            let step = self.journal.get_mut(path).unwrap();
            assert_eq!(step.state, StepState::Queued);
            self.ids.push(step.message_id.clone().unwrap());
            step.attempts += 1;
            if fail.contains(&text.as_str()) {
                step.state = StepState::Failed;
                step.fault = Some(Fault::retry("x", "y"));
                self.sent.push(format!("!{text}"));
            } else {
                step.state = StepState::Done;
                self.sent.push(text.clone());
            }
        }
        (next.state, next.wake_ms)
    }

    /// Advances until the run ends, jumping over waits.
    fn finish(&mut self, fail: &[&str]) -> RunState {
        for _ in 0..200 {
            let (state, wake) = self.step(fail);
            if state != RunState::Active {
                return state;
            }
            if let Some(wake) = wake {
                self.now = self.now.max(wake);
            }
        }
        panic!("the run does not end: {:#?}", self.journal);
    }

    fn state(&self, path: &str) -> Option<StepState> {
        self.journal.get(&Path::from_text(path)).map(|step| step.state)
    }
}

fn text(text: &str) -> Value {
    json!({"type": "text", "to": "62811111", "text": text})
}

#[test]
fn root_actions_run_in_order_and_a_failure_does_not_stop_the_next() {
    let mut world = World::new(json!([text("a"), text("b"), text("c")]));
    assert_eq!(world.finish(&["b"]), RunState::Failed);
    assert_eq!(world.sent, ["a", "!b", "c"]);
}

#[test]
fn a_queue_stops_at_the_first_failure_and_says_what_it_skipped() {
    let mut world = World::new(json!([{"act": "queue", "items": [text("a"), text("b"), text("c")]}, text("d")]));
    assert_eq!(world.finish(&["b"]), RunState::Failed);
    assert_eq!(world.sent, ["a", "!b", "d"]);
    assert_eq!(world.state("0.2"), Some(StepState::Skipped));
}

#[test]
fn a_delay_is_a_due_time_that_survives_being_asked_again() {
    let mut world = World::new(json!([{"act": "delay", "ms": 500}, text("a")]));
    assert_eq!(world.step(&[]), (RunState::Active, Some(1_500)));
    world.now = 1_499;
    assert_eq!(world.step(&[]), (RunState::Active, Some(1_500)));
    world.now = 1_500;
    world.step(&[]);
    assert_eq!(world.sent, ["a"]);
    assert_eq!(world.step(&[]).0, RunState::Done);
}

#[test]
fn parallel_items_are_queued_at_once() {
    let mut world =
        World::new(json!([{"act": "parallel", "items": [text("a"), {"act": "delay", "ms": 10}, text("b")]}]));
    world.step(&[]);
    assert_eq!(world.sent, ["a", "b"]);
    assert_eq!(world.finish(&[]), RunState::Done);
}

#[test]
fn when_takes_the_branch_that_was_decided() {
    let mut world = World::new(json!([{"act": "when", "cond": "no", "then": [text("a")], "else": [text("b")]}]));
    assert_eq!(world.finish(&[]), RunState::Done);
    assert_eq!(world.sent, ["b"]);
    assert_eq!(world.state("0.else.0"), Some(StepState::Done));
}

#[test]
fn retry_repeats_only_what_failed_with_the_same_message_id() {
    let inner = json!({"act": "queue", "items": [text("a"), text("b"), text("c")]});
    let mut world = World::new(json!([{"act": "retry", "attempts": 3, "delayMs": 100, "item": inner}]));
    world.step(&["b"]);
    world.step(&["b"]);
    let (state, wake) = world.step(&["b"]);
    assert_eq!((state, wake), (RunState::Active, Some(1_100)));
    world.now = 1_100;
    assert_eq!(world.finish(&[]), RunState::Done);
    assert_eq!(world.sent, ["a", "!b", "b", "c"]);
    assert_eq!(world.ids[1], world.ids[2]);
}

#[test]
fn a_retry_that_gives_up_runs_on_fail_and_counts_as_handled() {
    let mut world = World::new(json!([
        {"act": "retry", "attempts": 2, "delayMs": 5, "item": text("a"), "onFail": [text("sorry")]}, text("z")
    ]));
    assert_eq!(world.finish(&["a"]), RunState::Done);
    assert_eq!(world.sent, ["!a", "!a", "sorry", "z"]);
}

#[test]
fn a_retry_without_on_fail_fails_its_run() {
    let mut world = World::new(json!([{"act": "retry", "attempts": 2, "delayMs": 5, "item": text("a")}]));
    assert_eq!(world.finish(&["a"]), RunState::Failed);
    assert_eq!(world.sent, ["!a", "!a"]);
}

#[test]
fn the_pause_comes_between_sends_and_not_after_the_last() {
    let mut world = World::new(json!([text("a"), text("b")]));
    world.plan.pause_ms = 700;
    world.step(&[]);
    assert_eq!(world.step(&[]), (RunState::Active, Some(1_700)));
    world.now = 1_700;
    world.step(&[]);
    assert_eq!(world.step(&[]), (RunState::Done, None));
    assert_eq!(world.state("0.pause"), Some(StepState::Done));
    assert_eq!(world.state("1.pause"), None);
}

#[test]
fn asking_twice_without_news_changes_nothing() {
    let plan = World::new(json!([text("a"), {"act": "delay", "ms": 9}])).plan;
    let first = advance("run_x", &plan, &[], 0);
    let again = advance("run_x", &plan, &first.writes, 0);
    assert!(again.writes.is_empty() && again.effects.is_empty());
    assert_eq!(again.state, RunState::Active);
}
