//! Environments as containers of a Docker-compatible engine (Docker, Podman) on one host.

mod address;
mod admitted;
mod args;
mod attach;
mod body;
mod call;
mod check;
mod config;
mod create;
mod destroy;
mod exec;
mod hardening;
mod inspect;
mod log;
#[cfg(test)]
mod recorded;
mod snapshot;
mod stream;

use std::path::PathBuf;

use async_trait::async_trait;
use bollard::Docker;
use serde_json::Value;
use session_identity::InstallId;

use address::EngineAddress;
pub use args::EngineArgs;
pub use config::{EngineConfig, EngineConfigError};
pub use hardening::EngineHardening;

#[cfg(test)]
pub(crate) use recorded::signals as recorded_signals;

use crate::{
    AttachRequest, AttachStreams, Created, Destroyed, EnvironmentRuntime, EnvironmentSpec,
    ExamDefinition, IsolationReport, Listed, Observation, Purpose, RuntimeError, RuntimeFinding,
    RuntimeKind, RuntimeName, RuntimeUid,
};

/// Runs environments as containers. Holds a client, no state: any number of processes may.
#[derive(Clone, Debug)]
pub struct EngineRuntime {
    docker: Docker,
    address: EngineAddress,
    keeper: Option<PathBuf>,
    hardening: EngineHardening,
}

impl EngineRuntime {
    /// Prepares a client of the engine. Nothing is asked of the engine yet.
    ///
    /// Errors: an address that is no engine's, a socket that does not exist, a keeper that is no
    /// file.
    pub fn connect(config: &EngineConfig) -> Result<Self, EngineConfigError> {
        config.connect(EngineHardening::default())
    }

    /// Prepares a client whose environments lack protections. Only tests of the proof do that.
    pub fn connect_weakened(
        config: &EngineConfig,
        hardening: EngineHardening,
    ) -> Result<Self, EngineConfigError> {
        config.connect(hardening)
    }

    /// Asks the engine whether it answers.
    pub async fn ping(&self) -> Result<(), RuntimeError> {
        call::within("ping", call::QUICK, self.docker.ping())
            .await
            .map_err(|fault| fault.into_error("ping"))?;
        Ok(())
    }
}

#[async_trait]
impl EnvironmentRuntime for EngineRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Engine
    }

    async fn check(&self, _purpose: Purpose) -> Vec<RuntimeFinding> {
        check::check(self).await
    }

    async fn create(&self, spec: &EnvironmentSpec) -> Result<Created, RuntimeError> {
        create::create(self, spec).await
    }

    async fn observe(&self, name: &RuntimeName) -> Result<Observation, RuntimeError> {
        inspect::observe(self, name).await
    }

    async fn verify(
        &self,
        _name: &RuntimeName,
        uid: &RuntimeUid,
        exam: &ExamDefinition,
    ) -> Result<IsolationReport, RuntimeError> {
        exec::verify(self, uid, exam).await
    }

    async fn snapshot(&self, _name: &RuntimeName, uid: &RuntimeUid) -> Result<Value, RuntimeError> {
        snapshot::snapshot(self, uid).await
    }

    async fn log(
        &self,
        _name: &RuntimeName,
        uid: &RuntimeUid,
        lines: u32,
    ) -> Result<String, RuntimeError> {
        log::log(self, uid, lines).await
    }

    async fn destroy(
        &self,
        name: &RuntimeName,
        uid: Option<&RuntimeUid>,
    ) -> Result<Destroyed, RuntimeError> {
        destroy::destroy(self, name, uid).await
    }

    async fn list(&self, install_id: InstallId) -> Result<Vec<Listed>, RuntimeError> {
        inspect::list(self, install_id).await
    }

    async fn attach(
        &self,
        _name: &RuntimeName,
        uid: &RuntimeUid,
        request: &AttachRequest,
    ) -> Result<AttachStreams, RuntimeError> {
        attach::attach(self, uid, request).await
    }
}
