//! What a run does next: a pure function of its plan, its journal and the time.
//!
//! [`advance`] walks the plan in its order, looks every node up in the journal,
//! and says which lines to write, which effects to queue and when to look again.
//! It performs nothing and keeps nothing, so that a crash at any moment resumes
//! exactly where the journal ends, and so that it can be tested without a store.

use std::collections::BTreeMap;
use warest_model::clock::Millis;
use warest_model::plan::{Effect, Node, Path, Plan, message_id};
use warest_model::run::{RunState, Step, StepState};

/// What a run does next.
#[derive(Debug)]
pub struct Advance<'p> {
    /// Journal lines to write or overwrite.
    pub writes: Vec<Step>,
    /// Effects to queue, each for the step at its path.
    pub effects: Vec<(Path, &'p Effect)>,
    /// The run's state from now on.
    pub state: RunState,
    /// When the next wait is over.
    pub wake_ms: Option<Millis>,
}

/// Decides what the run `run_id` does next, given its journal.
pub fn advance<'p>(run_id: &str, plan: &'p Plan, journal: &[Step], now_ms: Millis) -> Advance<'p> {
    let mut walk = Walk {
        run_id,
        pause_ms: plan.pause_ms,
        now_ms,
        journal: journal.iter().map(|step| (step.path.clone(), step.clone())).collect(),
        written: Vec::new(),
        effects: Vec::new(),
        wake_ms: None,
    };
    let mut failed = false;
    let mut state = None;
    for (index, node) in plan.nodes.iter().enumerate() {
        match walk.node(node, &Path::root(index), index + 1 == plan.nodes.len()) {
            Outcome::Pending => {
                state = Some(RunState::Active);
                break;
            }
            Outcome::Failed => failed = true,
            Outcome::Done => {}
        }
    }
    let ended = if failed { RunState::Failed } else { RunState::Done };
    let Walk { journal, written, effects, wake_ms, .. } = walk;
    Advance {
        writes: written.into_iter().filter_map(|path| journal.get(&path).cloned()).collect(),
        effects,
        state: state.unwrap_or(ended),
        wake_ms,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Pending,
    Done,
    Failed,
}

struct Walk<'p, 'r> {
    run_id: &'r str,
    pause_ms: u64,
    now_ms: Millis,
    journal: BTreeMap<Path, Step>,
    /// Paths whose line changed, in order, without repeats.
    written: Vec<Path>,
    effects: Vec<(Path, &'p Effect)>,
    wake_ms: Option<Millis>,
}

impl<'p> Walk<'p, '_> {
    /// `tail` says that nothing follows this node, so no pause is needed after it.
    fn node(&mut self, node: &'p Node, path: &Path, tail: bool) -> Outcome {
        match node {
            Node::Effect { effect } => self.effect(effect, path, tail),
            Node::Delay { ms } => self.wait(path, "delay", *ms),
            Node::Noop => {
                if self.state(path).is_none() {
                    self.write(path, "noop", |step, now| step.end(StepState::Done, now));
                }
                Outcome::Done
            }
            Node::Queue { items, delay_ms } => self.sequence(items, path, *delay_ms, tail),
            Node::When { cond, then, otherwise } => {
                let (branch, items) = if *cond { ("then", then) } else { ("else", otherwise) };
                self.sequence(items, &path.child(branch), 0, tail)
            }
            Node::Parallel { items } => {
                let mut outcome = Outcome::Done;
                for (index, item) in items.iter().enumerate() {
                    match self.node(item, &path.child(index), tail) {
                        Outcome::Pending => outcome = Outcome::Pending,
                        Outcome::Failed if outcome == Outcome::Done => outcome = Outcome::Failed,
                        _ => {}
                    }
                }
                outcome
            }
            Node::Retry { item, attempts, delay_ms, on_fail } => {
                self.retry(item, *attempts, *delay_ms, on_fail, path, tail)
            }
        }
    }

    fn sequence(&mut self, items: &'p [Node], path: &Path, delay_ms: u64, tail: bool) -> Outcome {
        for (index, item) in items.iter().enumerate() {
            let at = path.child(index);
            if index > 0 && delay_ms > 0 && self.wait(&at.child("gap"), "delay", delay_ms) == Outcome::Pending {
                return Outcome::Pending;
            }
            match self.node(item, &at, tail && index + 1 == items.len()) {
                Outcome::Done => {}
                Outcome::Pending => return Outcome::Pending,
                Outcome::Failed => {
                    for (rest, item) in items.iter().enumerate().skip(index + 1) {
                        let at = path.child(rest);
                        if self.state(&at).is_none() {
                            self.write(&at, name_of(item), |step, now| step.end(StepState::Skipped, now));
                        }
                    }
                    return Outcome::Failed;
                }
            }
        }
        Outcome::Done
    }

    fn effect(&mut self, effect: &'p Effect, path: &Path, tail: bool) -> Outcome {
        match self.journal.get(path).map(|step| (step.state, step.due_ms)) {
            Some((StepState::Done, _)) => {
                let pauses = self.pause_ms > 0 && !tail && effect.content().is_some();
                if pauses { self.wait(&path.child("pause"), "delay", self.pause_ms) } else { Outcome::Done }
            }
            Some((StepState::Failed, _)) => Outcome::Failed,
            Some((StepState::Queued, _)) => Outcome::Pending,
            Some((StepState::Waiting, Some(due))) if due > self.now_ms => self.until(due),
            // Never tried, skipped before a `retry` came round, or due again.
            _ => {
                let id = effect.is_message().then(|| message_id(self.run_id, path.as_str()));
                self.write(path, effect.name(), |step, _| {
                    step.state = StepState::Queued;
                    step.message_id = id;
                    step.due_ms = None;
                    step.ended_ms = None;
                });
                self.effects.push((path.clone(), effect));
                Outcome::Pending
            }
        }
    }

    fn wait(&mut self, path: &Path, action: &'static str, ms: u64) -> Outcome {
        let due = match self.journal.get(path).map(|step| (step.state, step.due_ms)) {
            Some((StepState::Done, _)) => return Outcome::Done,
            Some((StepState::Waiting, Some(due))) => due,
            _ => {
                let due = self.now_ms.saturating_add(ms as Millis);
                self.write(path, action, |step, _| {
                    step.state = StepState::Waiting;
                    step.due_ms = Some(due);
                    step.ended_ms = None;
                });
                due
            }
        };
        if due > self.now_ms {
            return self.until(due);
        }
        self.write(path, action, |step, now| step.end(StepState::Done, now));
        Outcome::Done
    }

    fn retry(
        &mut self,
        item: &'p Node,
        attempts: u32,
        delay_ms: u64,
        on_fail: &'p [Node],
        path: &Path,
        tail: bool,
    ) -> Outcome {
        if self.state(path).is_none_or(|state| state == StepState::Skipped) {
            self.write(path, "retry", |step, _| {
                step.state = StepState::Waiting;
                step.attempts = 1;
                step.ended_ms = None;
            });
        }
        let inner = path.child("item");
        if self.state(path) != Some(StepState::Failed) {
            match self.node(item, &inner, tail && on_fail.is_empty()) {
                Outcome::Pending => return Outcome::Pending,
                Outcome::Done => {
                    if self.state(path) != Some(StepState::Done) {
                        self.write(path, "retry", |step, now| step.end(StepState::Done, now));
                    }
                    return Outcome::Done;
                }
                Outcome::Failed => {}
            }
            let tried = self.journal.get(path).map_or(1, |step| step.attempts);
            if tried < attempts {
                let due = self.now_ms.saturating_add(delay_ms as Millis);
                self.write(path, "retry", |step, _| step.attempts += 1);
                self.rearm(&inner, due);
                return self.until(due);
            }
            self.write(path, "retry", |step, now| step.end(StepState::Failed, now));
        }
        if on_fail.is_empty() {
            return Outcome::Failed;
        }
        self.sequence(on_fail, &path.child("onFail"), 0, tail)
    }

    /// Makes every failed step below `within` due again at `due`. What was done
    /// stays done. A nested `retry` that gave up starts over.
    fn rearm(&mut self, within: &Path, due: Millis) {
        let failed: Vec<(Path, String)> = self
            .journal
            .values()
            .filter(|step| step.state == StepState::Failed && step.path.is_within(within))
            .map(|step| (step.path.clone(), step.action.clone()))
            .collect();
        for (path, action) in failed {
            let is_retry = action == "retry";
            self.write(&path, &action, |step, _| {
                step.state = StepState::Waiting;
                step.due_ms = Some(due);
                step.ended_ms = None;
                if is_retry {
                    step.attempts = 1;
                    step.due_ms = None;
                }
            });
        }
    }

    fn until(&mut self, due: Millis) -> Outcome {
        self.wake_ms = Some(self.wake_ms.map_or(due, |wake| wake.min(due)));
        Outcome::Pending
    }

    fn state(&self, path: &Path) -> Option<StepState> {
        self.journal.get(path).map(|step| step.state)
    }

    fn write(&mut self, path: &Path, action: &str, change: impl FnOnce(&mut Step, Millis)) {
        let now = self.now_ms;
        let step = self.journal.entry(path.clone()).or_insert_with(|| Step {
            path: path.clone(),
            action: action.to_owned(),
            state: StepState::Waiting,
            attempts: 0,
            message_id: None,
            due_ms: None,
            fault: None,
            started_ms: now,
            ended_ms: None,
        });
        change(step, now);
        if !self.written.contains(path) {
            self.written.push(path.clone());
        }
    }
}

trait Ends {
    fn end(&mut self, state: StepState, now_ms: Millis);
}

impl Ends for Step {
    fn end(&mut self, state: StepState, now_ms: Millis) {
        self.state = state;
        self.due_ms = None;
        self.ended_ms = Some(now_ms);
    }
}

fn name_of(node: &Node) -> &'static str {
    match node {
        Node::Effect { effect } => effect.name(),
        Node::Delay { .. } => "delay",
        Node::Noop => "noop",
        Node::Queue { .. } => "queue",
        Node::Parallel { .. } => "parallel",
        Node::When { .. } => "when",
        Node::Retry { .. } => "retry",
    }
}

#[cfg(test)]
#[path = "advance_tests.rs"]
mod tests;
