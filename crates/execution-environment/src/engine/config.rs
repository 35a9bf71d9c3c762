//! Where the engine answers and where the keeper lies.

use std::path::PathBuf;

use bollard::Docker;

use super::{EngineHardening, EngineRuntime, tcp};

/// Says how to reach an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Address of the engine's API: `unix://…` or `tcp://…`, as in `DOCKER_HOST`.
    pub docker_host: String,
    /// The static keeper on the engine's host; only who creates environments needs it.
    pub keeper_path: Option<PathBuf>,
}

/// Says which setting of an engine is unusable.
#[derive(Debug, thiserror::Error)]
pub enum EngineConfigError {
    /// The address is not one of an engine, or its socket does not exist.
    #[error("reach a container engine at {docker_host:?} (--docker-host, DOCKER_HOST)")]
    Address {
        /// The address as given.
        docker_host: String,
        /// What the client said.
        #[source]
        source: bollard::errors::Error,
    },
    /// The keeper is not an absolute path of a file.
    #[error("find the keeper at {} (--keeper-path, CARREL_KEEPER)", .path.display())]
    Keeper {
        /// The path as given.
        path: PathBuf,
    },
}

impl EngineConfig {
    pub(super) fn connect(
        &self,
        hardening: EngineHardening,
    ) -> Result<EngineRuntime, EngineConfigError> {
        if let Some(path) = self
            .keeper_path
            .as_ref()
            .filter(|path| !path.is_absolute() || !path.is_file())
        {
            return Err(EngineConfigError::Keeper { path: path.clone() });
        }
        let docker = match self.docker_host.strip_prefix("tcp://") {
            Some(address) => tcp::connect(address),
            None => Docker::connect_with_host(&self.docker_host),
        };
        let docker = docker.map_err(|source| EngineConfigError::Address {
            docker_host: self.docker_host.clone(),
            source,
        })?;
        Ok(EngineRuntime {
            docker,
            keeper: self.keeper_path.clone(),
            hardening,
        })
    }
}
