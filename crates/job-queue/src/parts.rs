//! What the tasks of one worker share.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Registry, WorkerConfig,
    claim::WorkerIdentity,
    hold::{Hold, Holder},
    listen::LookSignal,
    run::Runner,
    running::RunningJobs,
    slots::Slots,
    terms::ClaimTerms,
};

/// Their common state and the signals by which they stop.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) identity: WorkerIdentity,
    pub(crate) registry: Registry,
    pub(crate) running: Arc<RunningJobs>,
    pub(crate) signal: Arc<LookSignal>,
    pub(crate) terms: Arc<ClaimTerms>,
    pub(crate) runner: Runner,
    pub(crate) slots: Arc<Slots>,
    pub(crate) hold: Hold,
    /// Whether operators drain the worker, as the heartbeat hears.
    pub(crate) drained: watch::Sender<bool>,
    /// Cancelled when claiming must stop.
    pub(crate) draining: CancellationToken,
    /// Cancelled when handlers still running are dropped and released.
    pub(crate) dropping: CancellationToken,
    /// Cancelled when outcomes still unanswered are given up.
    pub(crate) giving_up: CancellationToken,
}

impl Parts {
    pub(crate) fn new(
        identity: WorkerIdentity,
        registry: Registry,
        config: &WorkerConfig,
        holder: &Holder,
    ) -> Self {
        let queues = if config.queues.is_empty() {
            registry.queues()
        } else {
            config.queues.clone()
        };
        // The runner gives up at deadline + cancel_grace; the fence leaves as long again for its
        // answer to arrive before the lease ends by itself.
        let fence = config.cancel_grace * 2 + Duration::from_secs(1);
        let (draining, dropping) = (CancellationToken::new(), CancellationToken::new());
        let drained = watch::Sender::new(false);
        Self {
            running: Arc::new(RunningJobs::new()),
            signal: Arc::default(),
            terms: Arc::new(ClaimTerms::new(&registry, queues, config.lease, fence)),
            runner: Runner::new(
                registry.clone(),
                config.cancel_grace,
                draining.clone(),
                dropping.clone(),
            ),
            slots: Arc::new(Slots::new(config.slots, config.loops)),
            hold: Hold::by(holder, &drained),
            drained,
            draining,
            dropping,
            giving_up: CancellationToken::new(),
            identity,
            registry,
        }
    }
}
