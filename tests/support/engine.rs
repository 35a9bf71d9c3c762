//! The container engine as the tests see it: past Carrel, straight at what is there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerState, ContainerSummary};
use bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder,
};
use execution_environment::engine::{EngineConfig, EngineRuntime};
use execution_environment::{EnvironmentRuntime as _, Listed};
use futures_util::StreamExt as _;
use session_identity::InstallId;

use crate::leftovers::lives;
use crate::runtime::Said;
use crate::settings::setting;
use crate::wait::{SOON, until};

/// A container that ended is cleaned up within a second, or a few under load.
const LISTED_WITHIN: Duration = Duration::from_secs(20);

/// Takes more memory than the sample exam has, in processes of which each has a fraction of it.
const SPENDER: &str = "for _ in 1 2 3 4 5 6 7 8; do \
                       (a=$(head -c 50M /dev/zero | tr '\\0' x); sleep 600) & done; wait";

/// A client of the run's engine.
#[derive(Debug, Clone)]
pub struct TestEngine {
    /// The engine's own API.
    pub docker: Docker,
    /// Carrel's runtime on it.
    pub runtime: EngineRuntime,
}

impl TestEngine {
    /// Connects to the engine that the runner names.
    pub fn connect() -> Self {
        let docker = Docker::connect_with_host(&setting("DOCKER_HOST"))
            .expect("the engine's address is sound");
        let runtime = runtime(setting("CARREL_KEEPER").into());
        Self { docker, runtime }
    }

    /// Carrel's runtime on it with another keeper.
    pub fn runtime_with_keeper(&self, keeper: &Path) -> EngineRuntime {
        runtime(keeper.to_owned())
    }

    /// Lists the environments of one database, running or not.
    pub async fn environments(&self, install_id: InstallId) -> Vec<Listed> {
        self.runtime
            .list(install_id)
            .await
            .expect("the engine lists containers")
    }

    /// Kills the first process of one container, and with it all others.
    pub async fn kill(&self, uid: &str) {
        let kill = KillContainerOptionsBuilder::default()
            .signal("SIGKILL")
            .build();
        // What does not run cannot be killed.
        self.docker.kill_container(uid, Some(kill)).await.ok();
    }

    /// Freezes what runs inside one container.
    pub async fn pause(&self, uid: &str) {
        let paused = self.docker.pause_container(uid).await;
        paused.expect("the container runs");
    }

    /// Spends a container's memory until the kernel ends its first process, and waits until the
    /// engine says that it has ended. Returns whether the engine says why.
    ///
    /// The first process is made the kernel's choice among smaller ones, so that all end with it.
    pub async fn spend_memory(&self, uid: &str) -> bool {
        let pid = self.state(uid).await.and_then(|state| state.pid);
        let pid = pid.expect("the container runs");
        let score = format!("/proc/{pid}/oom_score_adj");
        std::fs::write(score, "1000").expect("the container runs on this machine");
        let command = vec!["/bin/bash", "-c", SPENDER];
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            cmd: Some(command),
            ..CreateExecOptions::default()
        };
        let exec = self.docker.create_exec(uid, options).await;
        let exec = exec.expect("the container runs");
        let _output = self.docker.start_exec(&exec.id, None).await;
        let ended = until("the container has ended", SOON, async || {
            let state = self.state(uid).await?;
            (state.running == Some(false)).then_some(state)
        });
        ended.await.oom_killed == Some(true)
    }

    /// `None` while Podman says a word that the client cannot read, as of one that just ended.
    async fn state(&self, uid: &str) -> Option<ContainerState> {
        let inspect = self
            .docker
            .inspect_container(uid, None::<InspectContainerOptions>);
        match inspect.await {
            Err(Error::JsonDataError { .. }) => None,
            found => found.expect("the container is there").state,
        }
    }

    /// Kills and removes one container: without a word to what runs inside.
    pub async fn remove(&self, uid: &str) {
        self.kill(uid).await;
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        // It may be gone already: a worker destroys it too.
        self.docker.remove_container(uid, Some(options)).await.ok();
    }

    /// Removes containers that bear this label with the process id of a test run that is gone.
    pub async fn remove_leftovers(&self, label: &str) {
        for container in self.labelled(label).await {
            let labels = container.labels.unwrap_or_default();
            let run = labels.get(label).and_then(|run| run.parse().ok());
            if let Some(id) = container.id.filter(|_| run.is_some_and(|run| !lives(run))) {
                self.remove(&id).await;
            }
        }
    }

    /// Lists containers that bear a label, running or not.
    ///
    /// One that just ended is `stopped` to Podman until it has cleaned up: a state that the client
    /// does not read, so the list is asked for again.
    async fn labelled(&self, label: &str) -> Vec<ContainerSummary> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        until("a list of containers", LISTED_WITHIN, async || {
            match self.docker.list_containers(Some(options.clone())).await {
                Err(Error::JsonDataError { .. }) => None,
                listed => Some(listed.expect("the engine lists containers")),
            }
        })
        .await
    }

    /// Removes every environment of one database.
    pub async fn remove_all(&self, install_id: InstallId) {
        for environment in self.environments(install_id).await {
            self.remove(environment.uid.as_str()).await;
        }
    }

    /// Runs a script inside an environment, as the environment's own user.
    pub async fn run_inside(&self, uid: &str, script: &str) -> Said {
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(vec!["/bin/bash", "-c", script]),
            ..CreateExecOptions::default()
        };
        let exec = self
            .docker
            .create_exec(uid, options)
            .await
            .expect("the environment runs");
        let started = self
            .docker
            .start_exec(&exec.id, None)
            .await
            .expect("the command starts");
        let StartExecResults::Attached { mut output, .. } = started else {
            panic!("the engine did not attach to the command");
        };
        let mut text = Vec::new();
        while let Some(piece) = output.next().await {
            let (LogOutput::StdOut { message }
            | LogOutput::StdErr { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message }) = piece.expect("the output is whole");
            text.extend_from_slice(&message);
        }
        let ended = self
            .docker
            .inspect_exec(&exec.id)
            .await
            .expect("the engine knows the command");
        Said {
            text: String::from_utf8_lossy(&text).into_owned(),
            exit_code: ended.exit_code,
        }
    }
}

fn runtime(keeper: PathBuf) -> EngineRuntime {
    let config = EngineConfig {
        docker_host: setting("DOCKER_HOST"),
        keeper_path: Some(keeper),
    };
    EngineRuntime::connect(&config).expect("the engine's address is sound")
}
