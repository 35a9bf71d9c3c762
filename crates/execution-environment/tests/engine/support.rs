//! The engine, the image and the keeper that the tests run with.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use execution_environment::ExamDefinition;
use execution_environment::conformance::{Bench, CHECKS};
use execution_environment::engine::{EngineConfig, EngineHardening, EngineRuntime};
use futures_util::FutureExt;

/// Reads what `cargo xtask test` sets. Isolation is never skipped and never imitated, so without
/// an engine these tests fail.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no command line; the runner passes variables"
)]
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; run this suite with `cargo xtask test`, which starts an engine")
    })
}

fn config() -> EngineConfig {
    EngineConfig {
        docker_host: setting("DOCKER_HOST"),
        keeper_path: Some(PathBuf::from(setting("CARREL_KEEPER"))),
    }
}

/// A sound exam on this run's image.
pub(crate) fn exam() -> ExamDefinition {
    let mut exam =
        ExamDefinition::parse(include_str!("../exam.json")).expect("the sample is sound");
    exam.image = setting("CARREL_TEST_IMAGE");
    exam
}

/// A bench on the engine as it is in production.
pub(crate) fn bench() -> Bench {
    bench_without(EngineHardening::default())
}

/// A bench on an engine whose environments lack protections.
pub(crate) fn bench_without(hardening: EngineHardening) -> Bench {
    let runtime = EngineRuntime::connect_weakened(&config(), hardening).expect("connect");
    Bench::new(Arc::new(runtime), exam())
}

/// A bench in a process that was not told where the keeper lies.
pub(crate) fn bench_without_keeper() -> Bench {
    let config = EngineConfig {
        keeper_path: None,
        ..config()
    };
    Bench::new(
        Arc::new(EngineRuntime::connect(&config).expect("connect")),
        exam(),
    )
}

/// A runtime with a client of its own.
pub(crate) fn runtime() -> EngineRuntime {
    EngineRuntime::connect(&config()).expect("connect")
}

/// A runtime at another address.
pub(crate) fn runtime_at(docker_host: &str) -> EngineRuntime {
    EngineRuntime::connect(&EngineConfig {
        docker_host: docker_host.to_owned(),
        ..config()
    })
    .expect("connect")
}

/// Runs one check and destroys what it made, whatever became of it.
pub(crate) async fn on_bench(bench: Bench, name: &str) {
    let (_, check) = CHECKS
        .into_iter()
        .find(|(known, _)| *known == name)
        .expect("the check exists");
    let ended = AssertUnwindSafe(check(&bench)).catch_unwind().await;
    bench.clear().await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}
