//! What a worker may claim, and for how long.

use std::time::Duration;

use crate::{Registry, job::millis};

/// The terms of one worker's claims.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimTerms {
    pub(crate) queues: Vec<String>,
    pub(crate) kinds: Vec<KindTerms>,
    pub(crate) lease_ms: i64,
    /// How long past its deadline a run may still hold its lease.
    pub(crate) fence_ms: i64,
}

/// The terms of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindTerms {
    pub(crate) name: &'static str,
    pub(crate) timeout_ms: i64,
    /// The payload versions that this build reads, both included.
    pub(crate) oldest_version: i32,
    pub(crate) newest_version: i32,
}

impl ClaimTerms {
    pub(crate) fn new(
        registry: &Registry,
        queues: Vec<String>,
        lease: Duration,
        fence: Duration,
    ) -> Self {
        let kinds = registry.registered().map(|registered| KindTerms {
            name: registered.kind.0,
            timeout_ms: millis(registered.timeout),
            oldest_version: *registered.versions.start(),
            newest_version: *registered.versions.end(),
        });
        Self {
            queues,
            kinds: kinds.collect(),
            lease_ms: millis(lease),
            fence_ms: millis(fence),
        }
    }

    /// The same without some kinds.
    pub(crate) fn without(&self, held: &[&str]) -> Self {
        let mut narrowed = self.clone();
        narrowed.kinds.retain(|kind| !held.contains(&kind.name));
        narrowed
    }

    /// Terms under which nothing is claimed: the statement only finishes.
    pub(crate) fn finish_only() -> Self {
        Self::default()
    }
}
