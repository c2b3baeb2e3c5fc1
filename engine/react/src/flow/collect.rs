//! Which actions a run has said so far.
//!
//! The rule: **to say an action is to do it, unless another action takes it.**
//! Every constructor (`reply`, `text`, …) puts its action at the end of the plan
//! and returns it as a map with a hidden number. A combinator (`queue`,
//! `parallel`, `when`, `retry`) takes the actions it is given out of the plan
//! again and stands in it as one. The value that a script ends with is taken the
//! same way and put last, so that neither `reply("x")` as a last line nor
//! `[reply("a"), reply("b")]` says anything twice. Maps written by hand carry no
//! number: they count where a combinator, `action(…)` or the end of the script
//! receives them.

use super::fault::{Stop, stop, wrong};
use super::value::too_large;
use rhai::{Dynamic, Map};
use std::collections::BTreeMap;
use warest_model::fault::Fault;
use warest_model::limits::{PLAN_BYTES, PLAN_DEPTH, PLAN_NODES};

/// The field that holds an action's number. It never leaves this module's maps.
const NUMBER: &str = "$number";

/// The plan while it is being said.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// By number, which is the order in which they were said.
    said: BTreeMap<i64, Map>,
    /// How deeply each action said so far nests, by number.
    depths: Vec<usize>,
    /// The deepest of those taken since the last one was said: they become its
    /// children.
    taken: usize,
    bytes: usize,
}

impl Collector {
    /// Puts an action at the end of the plan; returns it for combinators.
    pub(super) fn say(&mut self, mut action: Map) -> Result<Dynamic, Stop> {
        // A plan is refused past its limits anyway: these stop a script that
        // would fill the memory with what it says or takes back.
        let texts = action.values().filter_map(|value| value.as_immutable_string_ref().ok().map(|text| text.len()));
        self.bytes += texts.sum::<usize>();
        if self.bytes > PLAN_BYTES {
            return Err(stop(too_large()));
        }
        let depth = std::mem::take(&mut self.taken) + 1;
        if depth > PLAN_DEPTH + 1 {
            return Err(stop(Fault::fail("plan_too_deep", "nested too deeply; flatten queues and branches")));
        }
        if self.said.len() >= PLAN_NODES || self.depths.len() >= 4 * PLAN_NODES {
            return Err(stop(Fault::fail(
                "plan_too_large",
                format!("a plan may have at most {PLAN_NODES} nodes; split the work over several events"),
            )));
        }
        let number = self.depths.len() as i64;
        self.depths.push(depth);
        self.said.insert(number, action.clone());
        action.insert(NUMBER.into(), number.into());
        Ok(action.into())
    }

    /// Takes one action out of the plan, for use within another.
    pub(super) fn take(&mut self, value: Dynamic) -> Result<Map, Stop> {
        let kind = value.type_name();
        let mut action = value
            .try_cast::<Map>()
            .ok_or_else(|| wrong(format!("an action was expected, not a {kind}; see `action(#{{…}})`")))?;
        if let Some(number) = action.remove(NUMBER).and_then(|number| number.as_int().ok()) {
            self.said.remove(&number);
            let depth = usize::try_from(number).ok().and_then(|number| self.depths.get(number));
            self.taken = self.taken.max(depth.copied().unwrap_or(0));
        }
        Ok(action)
    }

    /// Takes a list of actions, or one that stands for a list of itself. `()` is
    /// an empty list, so that an `if` without `else` may stand in one.
    pub(super) fn take_list(&mut self, value: Dynamic) -> Result<Vec<Dynamic>, Stop> {
        let items = if value.is_array() { value.into_array().unwrap_or_default() } else { vec![value] };
        items.into_iter().filter(|item| !item.is_unit()).map(|item| Ok(self.take(item)?.into())).collect()
    }

    /// The whole plan, after the script ended with `last`.
    pub(super) fn finish(mut self, last: Dynamic) -> Result<Vec<Dynamic>, Stop> {
        let mut end = Vec::new();
        if is_action(&last) {
            end.push(self.take(last)?.into());
        } else if last.is_array() {
            for item in last.into_array().unwrap_or_default() {
                if is_action(&item) {
                    end.push(self.take(item)?.into());
                }
            }
        }
        Ok(self.said.into_values().map(Dynamic::from).chain(end).collect())
    }
}

/// Whether a script's last value means something to be done: any other value,
/// such as the result of a last assignment, is let go.
fn is_action(value: &Dynamic) -> bool {
    value.as_map_ref().is_ok_and(|map| ["type", "act", "action"].iter().any(|name| map.contains_key(*name)))
}
