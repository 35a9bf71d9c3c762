//! Whether the engine can be used at all.

use std::error::Error as _;

use super::EngineRuntime;
use crate::RuntimeFinding;

/// Asks the engine whether it answers; nothing is found when it does.
pub(super) async fn check(runtime: &EngineRuntime) -> Vec<RuntimeFinding> {
    let Err(error) = runtime.ping().await else {
        return Vec::new();
    };
    let why = error.source().map_or_else(
        || "it gave no answer in time".to_owned(),
        ToString::to_string,
    );
    vec![RuntimeFinding {
        code: "engine.unreachable",
        message: format!("the container engine does not answer: {why}"),
        mend: "start Docker or Podman's service, or name another with --docker-host (DOCKER_HOST)"
            .to_owned(),
    }]
}
