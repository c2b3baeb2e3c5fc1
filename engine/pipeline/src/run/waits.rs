//! The runs that wait, as the timekeeper knows them: until a time of day, or
//! until the wait has taken as long as it was to take, if the clock was set back
//! meanwhile (`deadlines` says why).

use std::collections::HashMap;
use std::time::Duration;
use warest_model::clock::{Clock, Millis};
use warest_model::id::RunId;

/// The runs that wait soonest, with their due times and steady moments.
#[derive(Default)]
pub(super) struct Waits(HashMap<RunId, (Millis, Millis)>);

impl Waits {
    /// Takes note of the runs that wait soonest. Answers those whose wait is
    /// over, with the due time that counts as reached, and how long none will be.
    pub(super) fn look(
        &mut self,
        waiting: Vec<(RunId, Millis)>,
        clock: &dyn Clock,
    ) -> (Vec<(RunId, Millis)>, Option<Duration>) {
        let (now, steady) = (clock.now_ms(), clock.steady_ms());
        let before = std::mem::take(&mut self.0);
        let (mut over, mut pause) = (Vec::new(), None::<Millis>);
        for (run, due) in waiting {
            let known = before.get(&run).filter(|(known, _)| *known == due).map(|(_, moment)| *moment);
            let moment = known.unwrap_or_else(|| steady.saturating_add(due.saturating_sub(now)));
            if due <= now || moment <= steady {
                over.push((run, due));
            } else {
                let left = (moment - steady).min(due - now);
                pause = Some(pause.map_or(left, |pause| pause.min(left)));
                self.0.insert(run, (due, moment));
            }
        }
        (over, pause.map(|pause| Duration::from_millis(pause.max(1) as u64)))
    }
}
