//! The containers of sessions, asked of the engine.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    ResourcesUlimits,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use execution_environment::{DESCRIPTORS, ExamDefinition, PROCESSES_PER_USER, scratch_volumes};
use futures_util::{StreamExt as _, stream};
use system_tests::engine::TestEngine;
use system_tests::settings::setting;
use system_tests::wait::in_time;

use crate::figures::Figures;

/// An engine under the load of dozens of creations.
const PATIENCE: Duration = Duration::from_mins(1);
const SHARED_MEMORY: &str = "/dev/shm";

/// Creates and starts containers, so many at once; returns when each ran, since the beginning.
pub(crate) async fn measure(
    engine: &TestEngine,
    exam: &ExamDefinition,
    count: usize,
    at_once: usize,
) -> Figures {
    // What a killed run left bears the same names.
    let containers = Containers { count };
    remove_all(engine, count).await;
    let body = body(exam);
    let begun = Instant::now();
    let started = stream::iter((0..count).map(|number| {
        let body = body.clone();
        async move {
            let run = create_and_start(engine, number, body);
            in_time("a container starts", PATIENCE, run).await;
            begun.elapsed()
        }
    }));
    let times = started.buffer_unordered(at_once).collect().await;
    drop(containers);
    Figures::of(times)
}

async fn create_and_start(engine: &TestEngine, number: usize, body: ContainerCreateBody) {
    let options = CreateContainerOptionsBuilder::default()
        .name(&name(number))
        .build();
    let created = engine.docker.create_container(Some(options), body).await;
    let id = created.expect("the engine creates a container").id;
    let started = engine
        .docker
        .start_container(&id, None::<StartContainerOptions>);
    started.await.expect("the engine starts a container");
}

/// Removes the containers, also when the measurement panics or is cut short.
struct Containers {
    count: usize,
}

impl Drop for Containers {
    fn drop(&mut self) {
        let count = self.count;
        // The engine's client belongs to a runtime that may stand still meanwhile.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async { remove_all(&TestEngine::connect(), count).await });
        });
        // Its panic was printed; a second one while dropping would abort the run.
        thread.join().ok();
    }
}

async fn remove_all(engine: &TestEngine, count: usize) {
    let removed = stream::iter(0..count).map(|number| async move {
        engine.remove(&name(number)).await;
    });
    removed.buffer_unordered(8).collect::<()>().await;
}

fn name(number: usize) -> String {
    format!("carrel-load-by-hand-{number}")
}

/// What a worker asks for, but for the labels.
fn body(exam: &ExamDefinition) -> ContainerCreateBody {
    let mut command: Vec<String> = ["run", "--socket", carrel_keeper::SOCKET_PATH, "--workdir"]
        .map(str::to_owned)
        .into();
    command.extend([exam.workdir.clone(), "--".to_owned()]);
    command.extend(exam.shell.iter().cloned());
    ContainerCreateBody {
        image: Some(exam.image.clone()),
        user: Some(format!("{}:{}", exam.user.uid, exam.user.gid)),
        hostname: Some("carrel".to_owned()),
        entrypoint: Some(vec![carrel_keeper::BINARY_PATH.to_owned()]),
        cmd: Some(command),
        env: Some(vec![
            format!("HOME={}", exam.workdir),
            format!("USER={}", exam.user.name),
            format!("LOGNAME={}", exam.user.name),
            "LANG=C.UTF-8".to_owned(),
            "TERM=xterm-256color".to_owned(),
        ]),
        working_dir: Some(exam.workdir.clone()),
        stop_timeout: Some(1),
        host_config: Some(host_config(exam)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(exam: &ExamDefinition) -> HostConfig {
    let memory = Some(signed(exam.limits.memory_bytes()));
    let (shared, scratch): (Vec<_>, Vec<_>) = scratch_volumes(exam)
        .into_iter()
        .partition(|volume| volume.path == SHARED_MEMORY);
    let tmpfs = scratch.into_iter().map(|volume| {
        let options = format!("rw,nosuid,nodev,mode=1777,size={}", volume.size_bytes);
        (volume.path, options)
    });
    let keeper = setting("CARREL_KEEPER");
    HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        readonly_rootfs: Some(true),
        network_mode: Some("none".to_owned()),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        privileged: Some(false),
        binds: Some(vec![format!("{keeper}:{}:ro", carrel_keeper::BINARY_PATH)]),
        tmpfs: Some(tmpfs.collect()),
        shm_size: shared.first().map(|volume| signed(volume.size_bytes)),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([("max-size".to_owned(), "1m".to_owned())])),
        }),
        auto_remove: Some(false),
        init: Some(false),
        memory,
        memory_swap: memory,
        nano_cpus: Some(i64::from(exam.limits.cpu_millis) * 1_000_000),
        pids_limit: Some(i64::from(exam.limits.pids)),
        ulimits: Some(vec![
            ulimit("nofile", DESCRIPTORS / 2, DESCRIPTORS),
            ulimit("nproc", PROCESSES_PER_USER, PROCESSES_PER_USER),
        ]),
        ..HostConfig::default()
    }
}

fn ulimit(name: &str, soft: u64, hard: u64) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(signed(soft)),
        hard: Some(signed(hard)),
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("limits are small")
}
