//! Where the engine answers and where the keeper lies.

use std::path::PathBuf;

use super::address::EngineAddress;
use super::{EngineHardening, EngineRuntime};

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
        let unusable = |source| EngineConfigError::Address {
            docker_host: self.docker_host.clone(),
            source,
        };
        let address = EngineAddress::parse(&self.docker_host).map_err(unusable)?;
        Ok(EngineRuntime {
            docker: address.client().map_err(unusable)?,
            address,
            keeper: self.keeper_path.clone(),
            hardening,
        })
    }
}
