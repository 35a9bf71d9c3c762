//! How a worker works, and which settings go together.

use std::time::Duration;

use crate::Registry;

/// How a worker works. [`WorkerConfig::new`] has the values design and tests agree on.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The worker's name, for people; restarts may share it, their incarnations differ.
    pub name: String,
    /// The host it runs on, for people.
    pub host: String,
    /// The build it runs, for people.
    pub build: String,
    /// The queues to claim from; empty means those of the registered kinds.
    pub queues: Vec<String>,
    /// Jobs run at once.
    pub slots: usize,
    /// How long a claim holds without a heartbeat.
    pub lease: Duration,
    /// How often leases are renewed; at most a third of the lease.
    pub heartbeat: Duration,
    /// The longest pause between two looks for work, at most 1 s: what a lost notification costs.
    pub poll: Duration,
    /// Statements that finish and claim in flight at once, each on a connection of its own.
    pub loops: usize,
    /// How long a drain waits before it cancels what still runs.
    pub drain_grace: Duration,
    /// How long a cancelled run may take before it is dropped at its next await.
    pub cancel_grace: Duration,
}

impl WorkerConfig {
    /// Returns the usual settings under the given name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            host: "unknown".to_owned(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            queues: Vec::new(),
            slots: 20,
            lease: Duration::from_secs(20),
            heartbeat: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            loops: 2,
            drain_grace: Duration::from_secs(20),
            cancel_grace: Duration::from_secs(5),
        }
    }

    pub(super) fn check(&self, registry: &Registry) -> Result<(), ConfigError> {
        let refuse = |field, rule| Err(ConfigError { field, rule });
        if registry.is_empty() {
            return refuse("registry", "has at least one kind");
        }
        if self.slots == 0 || self.loops == 0 {
            return refuse("slots", "and loops are at least 1");
        }
        if self.heartbeat.is_zero() || self.heartbeat * 3 > self.lease {
            return refuse(
                "heartbeat",
                "is above zero and at most a third of the lease",
            );
        }
        if self.poll.is_zero() || self.poll > Duration::from_secs(1) {
            return refuse("poll", "is above zero and at most 1 s");
        }
        Ok(())
    }
}

/// A setting that breaks its rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("configure the worker: {field} {rule}")]
pub struct ConfigError {
    /// The setting.
    pub field: &'static str,
    /// The rule, to be read after the setting's name.
    pub rule: &'static str,
}
