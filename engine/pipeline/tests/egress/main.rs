#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
//! The egress guard against those who try to get past it. "Forbidden" is a
//! socket that counts who connects to it; the second loopback address, where
//! the policy names it, stands in for the public internet.

mod bounds;
mod corpus;
mod proxy;
mod rebinding;
mod support;
