//! Named moments at which a test can stop the process as a power cut would.
//!
//! Active only in builds with the `failpoints` feature, by the `FAILPOINTS`
//! variable: `FAILPOINTS=send.acked=5*off->1*return` aborts at the sixth ack.

/// Aborts the process if the failpoint `name` says so.
macro_rules! crash_point {
    ($name:literal) => {
        fail::fail_point!($name, |_| {
            std::process::abort();
        })
    };
}

pub(crate) use crash_point;
