//! The settings of an engine, the same for every process and command line.

use std::path::PathBuf;

use clap::Args;

use super::EngineConfig;

/// Groups the settings of a container engine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Container engine")]
pub struct EngineArgs {
    /// Address of the Docker-compatible engine, unix:// or tcp://
    #[arg(
        long,
        env = "DOCKER_HOST",
        default_value = "unix:///var/run/docker.sock",
        value_name = "URL"
    )]
    pub docker_host: String,
    /// Absolute path of the static keeper on the engine's host; needed to create environments
    #[arg(long, env = "CARREL_KEEPER", value_name = "FILE")]
    pub keeper_path: Option<PathBuf>,
}

impl From<EngineArgs> for EngineConfig {
    fn from(args: EngineArgs) -> Self {
        Self {
            docker_host: args.docker_host,
            keeper_path: args.keeper_path,
        }
    }
}
