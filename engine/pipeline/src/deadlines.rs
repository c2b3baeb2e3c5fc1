//! When waits are over, on a machine whose clock may be set.
//!
//! Due times are times of day: they must outlive a restart. While the process
//! runs, a wait also ends once it has taken as long as it was to take, so that a
//! clock that is set back makes nothing late. A clock that is set forward ends
//! the waits that it passes, as a time of day is what was asked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use warest_model::clock::{Millis, SharedClock};

/// How much the time of day may run ahead before it counts as set.
const STEP_MS: Millis = 500;

/// Keys with the moments they wait for.
pub(crate) struct Deadlines<K> {
    clock: SharedClock,
    /// By the steady moment; then the due time.
    heap: BinaryHeap<Reverse<(Millis, Millis, K)>>,
    /// How far the time of day is from the steady clock, as last seen.
    offset: Millis,
}

impl<K: Ord> Deadlines<K> {
    pub(crate) fn new(clock: SharedClock) -> Self {
        let offset = clock.now_ms() - clock.steady_ms();
        Self { clock, heap: BinaryHeap::new(), offset }
    }

    /// Lets a key wait until `due_ms`, which is in `wait_ms`.
    pub(crate) fn push(&mut self, due_ms: Millis, wait_ms: Millis, key: K) {
        self.heap.push(Reverse((self.clock.steady_ms().saturating_add(wait_ms), due_ms, key)));
    }

    /// A key whose wait is over.
    pub(crate) fn pop(&mut self) -> Option<K> {
        self.look_at_clock();
        let steady = self.clock.steady_ms();
        if self.heap.peek().is_some_and(|Reverse((moment, _, _))| *moment <= steady) {
            return self.heap.pop().map(|Reverse((_, _, key))| key);
        }
        None
    }

    /// How long until the next wait is over; `None` if nothing waits.
    pub(crate) fn next(&self) -> Option<Millis> {
        let steady = self.clock.steady_ms();
        self.heap.peek().map(|Reverse((moment, _, _))| (moment - steady).max(0))
    }

    /// Brings forward what a clock that was set forward has passed.
    fn look_at_clock(&mut self) {
        let offset = self.clock.now_ms() - self.clock.steady_ms();
        let step = offset - self.offset;
        if step.abs() < STEP_MS {
            return;
        }
        self.offset = offset;
        if step > 0 {
            let now = self.clock.now_ms();
            let waiting = std::mem::take(&mut self.heap);
            self.heap = waiting
                .into_iter()
                .map(|Reverse((moment, due, key))| Reverse((if due <= now { Millis::MIN } else { moment }, due, key)))
                .collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
    use warest_model::clock::Clock;

    /// A time of day that can be set, over a steady clock.
    #[derive(Default)]
    struct Settable {
        steady: AtomicI64,
        set_by: AtomicI64,
    }

    impl Clock for Settable {
        fn now_ms(&self) -> Millis {
            self.steady_ms() + self.set_by.load(SeqCst)
        }
        fn steady_ms(&self) -> Millis {
            self.steady.load(SeqCst)
        }
    }

    const HOUR: Millis = 3_600_000;

    fn waits() -> (Arc<Settable>, Deadlines<&'static str>) {
        let clock = Arc::new(Settable { steady: 10.into(), set_by: (100 * HOUR).into() });
        let mut deadlines = Deadlines::new(clock.clone());
        deadlines.push(clock.now_ms() + 2 * HOUR, 2 * HOUR, "long");
        deadlines.push(clock.now_ms() + 5_000, 5_000, "short");
        (clock, deadlines)
    }

    #[test]
    fn waits_end_in_their_order_when_they_are_due() {
        let (clock, mut deadlines) = waits();
        assert_eq!((deadlines.pop(), deadlines.next()), (None, Some(5_000)));
        clock.steady.fetch_add(5_000, SeqCst);
        assert_eq!((deadlines.pop(), deadlines.pop()), (Some("short"), None));
        clock.steady.fetch_add(2 * HOUR, SeqCst);
        assert_eq!((deadlines.pop(), deadlines.next()), (Some("long"), None));
    }

    #[test]
    fn a_clock_set_back_makes_nothing_late() {
        let (clock, mut deadlines) = waits();
        clock.set_by.fetch_sub(HOUR, SeqCst);
        assert_eq!((deadlines.pop(), deadlines.next()), (None, Some(5_000)));
        clock.steady.fetch_add(5_000, SeqCst);
        assert_eq!(deadlines.pop(), Some("short"));
        // What begins to wait now waits by the clock as it is.
        deadlines.push(clock.now_ms() + 1_000, 1_000, "new");
        assert_eq!(deadlines.next(), Some(1_000));
    }

    #[test]
    fn a_clock_set_forward_ends_the_waits_that_it_passes() {
        let (clock, mut deadlines) = waits();
        clock.set_by.fetch_add(HOUR, SeqCst);
        assert_eq!((deadlines.pop(), deadlines.pop()), (Some("short"), None));
        clock.set_by.fetch_add(HOUR, SeqCst);
        assert_eq!(deadlines.pop(), Some("long"));
    }
}
