//! A runtime between the workers and the real one that goes wrong at some of its calls.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use execution_environment::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, EnvironmentSpec,
    ExamDefinition, IsolationReport, Listed, Observation, RuntimeError, RuntimeKind, RuntimeName,
    RuntimeUid,
};
use failure_classification::Signal;
use serde_json::Value;
use session_identity::InstallId;
use tokio::sync::Notify;

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
#[derive(Debug)]
pub struct FaultyRuntime {
    real: Arc<dyn EnvironmentRuntime>,
    fault: RuntimeFault,
    signal: Signal,
    /// The numbers of the calls, from 0.
    at: Range<usize>,
    calls: AtomicUsize,
    struck: Notify,
    is_away: AtomicBool,
}

impl FaultyRuntime {
    /// Loses the connection at some calls. Lists and hints are not counted: they come by the clock.
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
        Arc::new(Self {
            real,
            fault,
            signal,
            at,
            calls: AtomicUsize::new(0),
            struck: Notify::new(),
            is_away: AtomicBool::new(false),
        })
    }

    /// Goes wrong only while it is away: then no call comes through, lists neither.
    pub fn that_goes_away(real: Arc<dyn EnvironmentRuntime>) -> Arc<Self> {
        Self::new(real, RuntimeFault::FailsBefore, 0..0)
    }

    /// Goes away, or comes back.
    pub fn be_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Waits for a call that goes wrong.
    pub async fn struck(&self) {
        self.struck.notified().await;
    }

    /// Tells whether there were enough calls for one to go wrong.
    pub fn has_struck(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.at.start
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        real: impl Future<Output = Result<T, RuntimeError>>,
    ) -> Result<T, RuntimeError> {
        self.fail_while_away(operation)?;
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if !self.at.contains(&number) {
            return real.await;
        }
        let (fails, dies) = (
            || Err(RuntimeError::new(operation, self.signal.clone())),
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
            RuntimeFault::Panics => panic!("{operation} panics, as it was told to"),
        }
    }
}

impl FaultyRuntime {
    fn fail_while_away(&self, operation: &'static str) -> Result<(), RuntimeError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(RuntimeError::new(operation, lost_connection()));
        }
        Ok(())
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

#[async_trait]
impl EnvironmentRuntime for FaultyRuntime {
    fn kind(&self) -> RuntimeKind {
        self.real.kind()
    }

    async fn create(&self, spec: &EnvironmentSpec) -> Result<Created, RuntimeError> {
        self.call("create", self.real.create(spec)).await
    }

    async fn observe(&self, name: &RuntimeName) -> Result<Observation, RuntimeError> {
        self.call("observe", self.real.observe(name)).await
    }

    async fn wait_for_change(&self, name: &RuntimeName, at_most: Duration) {
        self.real.wait_for_change(name, at_most).await;
    }

    async fn verify(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        exam: &ExamDefinition,
    ) -> Result<IsolationReport, RuntimeError> {
        self.call("verify", self.real.verify(name, uid, exam)).await
    }

    async fn snapshot(&self, name: &RuntimeName, uid: &RuntimeUid) -> Result<Value, RuntimeError> {
        self.call("snapshot", self.real.snapshot(name, uid)).await
    }

    async fn log(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        lines: u32,
    ) -> Result<String, RuntimeError> {
        self.real.log(name, uid, lines).await
    }

    async fn destroy(
        &self,
        name: &RuntimeName,
        uid: Option<&RuntimeUid>,
    ) -> Result<Destroyed, RuntimeError> {
        self.call("destroy", self.real.destroy(name, uid)).await
    }

    async fn list(&self, install_id: InstallId) -> Result<Vec<Listed>, RuntimeError> {
        self.fail_while_away("list")?;
        self.real.list(install_id).await
    }

    async fn attach(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
        request: &AttachRequest,
    ) -> Result<AttachStreams, RuntimeError> {
        self.real.attach(name, uid, request).await
    }
}
