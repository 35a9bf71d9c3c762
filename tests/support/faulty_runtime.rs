//! A runtime between the workers and the real one that goes wrong at some of its calls.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use execution_environment::{EnvironmentRuntime, RuntimeError};
use failure_classification::Signal;
use tokio::sync::Notify;

use crate::intercepted_runtime::{Answer, Call, Intercept, InterceptedRuntime};

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeFault {
    /// It fails, and nothing was done.
    FailsBefore,
    /// It is done, and its answer is lost.
    FailsAfter,
    /// Whoever calls dies before it.
    DiesBefore,
    /// Whoever calls dies after it was done.
    DiesAfter,
    /// Whoever calls panics.
    Panics,
}

impl RuntimeFault {
    /// Whether the caller is to be ended when it is struck.
    pub const fn is_deadly(self) -> bool {
        matches!(self, Self::DiesBefore | Self::DiesAfter)
    }
}

/// The real runtime, but for some calls.
pub type FaultyRuntime = InterceptedRuntime<Faults>;

/// What goes wrong, and when.
#[derive(Debug)]
pub struct Faults {
    fault: RuntimeFault,
    signal: Signal,
    /// The numbers of the calls, from 0.
    at: Range<usize>,
    /// Not where they come by the clock.
    counts_lists: bool,
    calls: AtomicUsize,
    struck: Notify,
    is_away: AtomicBool,
}

impl FaultyRuntime {
    /// Loses the connection at some calls of a worker. Lists and hints are not counted: they come by
    /// the clock.
    pub fn new(
        real: Arc<dyn EnvironmentRuntime>,
        fault: RuntimeFault,
        at: Range<usize>,
    ) -> Arc<Self> {
        Self::saying(real, fault, at, lost_connection())
    }

    /// Says something else at them, if it fails.
    pub fn saying(
        real: Arc<dyn EnvironmentRuntime>,
        fault: RuntimeFault,
        at: Range<usize>,
        signal: Signal,
    ) -> Arc<Self> {
        Self::with(real, Faults::new(fault, at, signal))
    }

    /// Loses the connection at some calls of a sweep, lists among them.
    pub fn under_a_sweep(
        real: Arc<dyn EnvironmentRuntime>,
        fault: RuntimeFault,
        at: Range<usize>,
    ) -> Arc<Self> {
        let faults = Faults {
            counts_lists: true,
            ..Faults::new(fault, at, lost_connection())
        };
        Self::with(real, faults)
    }

    /// Goes wrong only while it is away: then no call comes through, lists neither.
    pub fn that_goes_away(real: Arc<dyn EnvironmentRuntime>) -> Arc<Self> {
        Self::new(real, RuntimeFault::FailsBefore, 0..0)
    }

    /// Goes away, or comes back.
    pub fn be_away(&self, is_away: bool) {
        self.intercept.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Waits for a call that goes wrong.
    pub async fn struck(&self) {
        self.intercept.struck.notified().await;
    }

    /// Tells whether there were enough calls for one to go wrong.
    pub fn has_struck(&self) -> bool {
        let faults = &self.intercept;
        faults.calls.load(Ordering::SeqCst) > faults.at.start
    }
}

impl Faults {
    fn new(fault: RuntimeFault, at: Range<usize>, signal: Signal) -> Self {
        Self {
            fault,
            signal,
            at,
            counts_lists: false,
            calls: AtomicUsize::new(0),
            struck: Notify::new(),
            is_away: AtomicBool::new(false),
        }
    }

    const fn counts(&self, call: Call) -> bool {
        match call {
            Call::Create
            | Call::Observe
            | Call::Verify
            | Call::Snapshot
            | Call::Destroy
            | Call::DestroyByForce => true,
            Call::List => self.counts_lists,
            // Those of people and of terminals.
            Call::Log | Call::Attach => false,
        }
    }

    async fn strike<T: Send>(
        &self,
        call: Call,
        real: impl Future<Output = Answer<T>> + Send,
    ) -> Answer<T> {
        let (fails, dies) = (
            || Err(RuntimeError::new(call.operation(), self.signal.clone())),
            async || {
                self.struck.notify_one();
                std::future::pending().await
            },
        );
        match self.fault {
            RuntimeFault::FailsBefore => fails(),
            RuntimeFault::FailsAfter => real.await.and_then(|_| fails()),
            RuntimeFault::DiesBefore => dies().await,
            RuntimeFault::DiesAfter => {
                real.await?;
                dies().await
            }
            RuntimeFault::Panics => panic!("{} panics, as it was told to", call.operation()),
        }
    }
}

impl Intercept for Faults {
    async fn around<T: Send>(
        &self,
        call: Call,
        real: impl Future<Output = Answer<T>> + Send,
    ) -> Answer<T> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(RuntimeError::new(call.operation(), lost_connection()));
        }
        if !self.counts(call) {
            return real.await;
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if self.at.contains(&number) {
            self.strike(call, real).await
        } else {
            real.await
        }
    }
}

fn lost_connection() -> Signal {
    Signal::RuntimeUnavailable {
        operation: "any".to_owned(),
        status: None,
        message: "the connection was lost".to_owned(),
        retry_after_ms: None,
    }
}
