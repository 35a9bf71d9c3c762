//! A runtime that can be attached to and nothing else.

use async_trait::async_trait;
use execution_environment::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, EnvironmentSpec,
    ExamDefinition, IsolationReport, Listed, Observation, RuntimeError, RuntimeKind, RuntimeName,
    RuntimeUid,
};
use failure_classification::Signal;
use serde_json::Value;
use session_identity::InstallId;

/// Where an attach leads.
#[async_trait]
pub(crate) trait Door: std::fmt::Debug + Send + Sync {
    /// Begins an exec in an environment.
    async fn open(&self, name: &RuntimeName) -> Result<AttachStreams, RuntimeError>;
}

/// The runtime of a door: the gateway needs nothing else of one.
#[derive(Debug)]
pub(crate) struct OnlyAttaches<D>(pub(crate) D);

#[async_trait]
impl<D: Door> EnvironmentRuntime for OnlyAttaches<D> {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Engine
    }

    async fn create(&self, _: &EnvironmentSpec) -> Result<Created, RuntimeError> {
        Err(not_there("create"))
    }

    async fn observe(&self, _: &RuntimeName) -> Result<Observation, RuntimeError> {
        Err(not_there("observe"))
    }

    async fn verify(
        &self,
        _: &RuntimeName,
        _: &RuntimeUid,
        _: &ExamDefinition,
    ) -> Result<IsolationReport, RuntimeError> {
        Err(not_there("verify"))
    }

    async fn snapshot(&self, _: &RuntimeName, _: &RuntimeUid) -> Result<Value, RuntimeError> {
        Err(not_there("snapshot"))
    }

    async fn log(&self, _: &RuntimeName, _: &RuntimeUid, _: u32) -> Result<String, RuntimeError> {
        Err(not_there("log"))
    }

    async fn destroy(
        &self,
        _: &RuntimeName,
        _: Option<&RuntimeUid>,
    ) -> Result<Destroyed, RuntimeError> {
        Err(not_there("destroy"))
    }

    async fn list(&self, _: InstallId) -> Result<Vec<Listed>, RuntimeError> {
        Err(not_there("list"))
    }

    async fn attach(
        &self,
        name: &RuntimeName,
        _: &RuntimeUid,
        _: &AttachRequest,
    ) -> Result<AttachStreams, RuntimeError> {
        self.0.open(name).await
    }
}

/// Says that there is nobody, in an operation or behind a door.
pub(crate) fn not_there(operation: &'static str) -> RuntimeError {
    let message = "no such process".to_owned();
    RuntimeError::new(operation, Signal::ExecTargetMissing { message })
}
