//! A runtime between the workers and the real one whose deletions do not come through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use execution_environment::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, EnvironmentSpec,
    ExamDefinition, IsolationReport, Listed, Observation, RuntimeError, RuntimeKind, RuntimeName,
    RuntimeUid,
};
use serde_json::Value;
use session_identity::InstallId;

/// The real runtime, but what is to be destroyed stays until it is forced.
#[derive(Debug)]
pub struct HangingRuntime {
    real: Arc<dyn EnvironmentRuntime>,
    is_place_lost: AtomicBool,
    looks: AtomicUsize,
    forced: AtomicUsize,
}

impl HangingRuntime {
    /// Hangs from the beginning, in a place that answers.
    pub fn new(real: Arc<dyn EnvironmentRuntime>) -> Arc<Self> {
        Arc::new(Self {
            real,
            is_place_lost: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            forced: AtomicUsize::new(0),
        })
    }

    /// Loses the place where the environments are, or finds it again.
    pub fn lose_place(&self, is_place_lost: bool) {
        self.is_place_lost.store(is_place_lost, Ordering::SeqCst);
    }

    /// How often an environment was looked at.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    /// How often one was deleted by force.
    pub fn forced(&self) -> usize {
        self.forced.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl EnvironmentRuntime for HangingRuntime {
    fn kind(&self) -> RuntimeKind {
        self.real.kind()
    }

    async fn create(&self, spec: &EnvironmentSpec) -> Result<Created, RuntimeError> {
        self.real.create(spec).await
    }

    async fn observe(&self, name: &RuntimeName) -> Result<Observation, RuntimeError> {
        let mut seen = self.real.observe(name).await?;
        if let Observation::Present(found) = &mut seen {
            found.is_place_lost = self.is_place_lost.load(Ordering::SeqCst);
        }
        self.looks.fetch_add(1, Ordering::SeqCst);
        Ok(seen)
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
        self.real.verify(name, uid, exam).await
    }

    async fn snapshot(&self, name: &RuntimeName, uid: &RuntimeUid) -> Result<Value, RuntimeError> {
        self.real.snapshot(name, uid).await
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
        match self.real.observe(name).await? {
            Observation::Present(_) => Ok(Destroyed::StillThere),
            Observation::Absent => self.real.destroy(name, uid).await,
        }
    }

    async fn destroy_by_force(
        &self,
        name: &RuntimeName,
        uid: &RuntimeUid,
    ) -> Result<Destroyed, RuntimeError> {
        self.forced.fetch_add(1, Ordering::SeqCst);
        self.real.destroy_by_force(name, uid).await
    }

    async fn list(&self, install_id: InstallId) -> Result<Vec<Listed>, RuntimeError> {
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
