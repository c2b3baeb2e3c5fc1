//! The threads that flows run on.
//!
//! Rhai is synchronous and recursive, so it gets threads of its own: a script
//! that computes until its deadline holds one of these and no worker of the
//! async runtime, and their stacks are so large that the limits on calls and
//! expressions always strike first. Handing a run over costs some ten
//! microseconds. The stacks are address space; only touched pages are memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Stack of one thread, in bytes.
pub(super) const STACK_BYTES: usize = 64 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads and the jobs that wait for them. Its callers bound
/// how many wait.
#[derive(Debug)]
pub(super) struct Pool {
    jobs: Mutex<Sender<Job>>,
}

impl Pool {
    /// Starts `threads` threads; they end when the pool is dropped.
    pub(super) fn new(threads: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for index in 0..threads {
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new()
                .name(format!("warest-flow-{index}"))
                .stack_size(STACK_BYTES)
                .spawn(move || work(&waiting))?;
        }
        Ok(Self { jobs: Mutex::new(jobs) })
    }

    /// Runs `job` on the next free thread.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        // The receiving end lives as long as any thread of the pool does. Were
        // they all gone, the job's answer channel would close with the job.
        let _ = jobs.send(Box::new(job));
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // A panic is a bug of ours or of Rhai's: it fails its own run, whose
            // answer channel closes, and the thread goes on.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            Err(_) => return,
        }
    }
}
