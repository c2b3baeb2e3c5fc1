//! The variables of the egress guard.

use super::{list, var};
use anyhow::Context;
use warest_pipeline::egress::EgressPolicy;

/// Where HTTP requests to others' URLs may go.
pub fn policy() -> anyhow::Result<EgressPolicy> {
    let entries = list("WAREST_EGRESS_ALLOW");
    let allow = entries.iter().map(|entry| entry.parse()).collect::<Result<_, _>>().context("WAREST_EGRESS_ALLOW")?;
    Ok(EgressPolicy {
        loopback_only: cfg!(feature = "sandbox"),
        allow,
        ports: var("WAREST_EGRESS_PORTS")?.unwrap_or_default(),
        // It may hold a password, so it is not repeated.
        proxy: super::text("WAREST_EGRESS_PROXY")
            .map(|proxy| proxy.parse())
            .transpose()
            .context("WAREST_EGRESS_PROXY")?,
    })
}
