//! The engine runtime against a real engine: the conformance suite, and the proof of isolation
//! with each protection removed in turn.

#[path = "engine/commands.rs"]
mod commands;
#[path = "store/fixtures.rs"]
mod fixtures;
#[path = "engine/live.rs"]
mod live;
#[path = "engine/racing.rs"]
mod racing;
#[path = "engine/readme.rs"]
mod readme;
#[path = "engine/support.rs"]
mod support;
#[path = "engine/trials.rs"]
mod trials;

use execution_environment::conformance::CHECKS;
use execution_environment::engine::EngineHardening;
use execution_environment::{EnvironmentRuntime, Protection, judge};
use support::{bench, bench_without, on_bench};

macro_rules! conformance {
    ($($check:ident),+ $(,)?) => {
        $(#[tokio::test] async fn $check() { on_bench(bench(), stringify!($check)).await; })+

        #[test]
        fn every_check_of_the_suite_is_run_here() {
            let run = [$(stringify!($check)),+];
            for (name, _) in CHECKS {
                assert!(run.contains(&name), "{name} is not run");
            }
        }
    };
}

conformance!(
    creating_twice_is_one_environment,
    of_racing_creators_one_creates,
    an_environment_is_seen_through_its_life,
    a_sound_environment_is_proven,
    a_list_holds_one_install,
    a_snapshot_tells_status_and_log,
    only_the_meant_uid_is_destroyed,
    force_ends_only_the_meant_uid,
    destroying_twice_is_gone_twice,
    a_new_attempt_has_a_new_uid,
    foreign_labels_are_a_name_conflict,
    a_missing_image_is_named,
    what_cannot_start_never_becomes_proven,
    a_stopped_environment_stays_stopped,
    what_has_stopped_can_still_be_read,
    a_terminal_echoes_through_keeper_frames,
);

/// What the engine can leave out and is seen to have left out. Of the other three, a container
/// engine gives neither user namespaces nor platform tokens, and Podman does not tell whether a
/// log is bounded; unit tests cover their checks.
const REMOVABLE: [Protection; 17] = [
    Protection::OrdinaryUser,
    Protection::NoCapabilities,
    Protection::NoNewPrivileges,
    Protection::SeccompFilter,
    Protection::ReadOnlyRoot,
    Protection::BoundedScratch,
    Protection::NoNetwork,
    Protection::MemoryLimit,
    Protection::CpuLimit,
    Protection::PidsLimit,
    Protection::ResourceLimits,
    Protection::KeeperFirst,
    Protection::KeeperReadOnly,
    Protection::NoDevices,
    Protection::NoForeignMounts,
    Protection::OwnNamespaces,
    Protection::NoRestart,
];

#[tokio::test]
async fn an_environment_without_any_one_protection_is_never_proven() {
    let mut proven = Vec::new();
    for protection in REMOVABLE {
        let bench = bench_without(EngineHardening::default().without(protection));
        let spec = bench.spec();
        let uid = bench.running(&spec).await;
        let report = bench
            .runtime
            .verify(&spec.runtime_name(), &uid, &spec.exam)
            .await;
        bench.clear().await;
        let report = report.expect("verify");
        let gaps: Vec<_> = judge(&report, &spec.exam)
            .into_iter()
            .map(|gap| gap.protection)
            .collect();
        if !gaps.contains(&protection) {
            proven.push((protection, gaps, report));
        }
    }
    assert!(proven.is_empty(), "not noticed: {proven:#?}");
}

#[tokio::test]
async fn without_a_keeper_nothing_is_created() {
    let bench = support::bench_without_keeper();
    let refused = bench
        .runtime
        .create(&bench.spec())
        .await
        .expect_err("created without a keeper");
    assert_eq!(refused.signal.kind(), "config_invalid");
    assert_eq!(
        bench.runtime.list(bench.install_id).await.expect("list"),
        []
    );
}

#[tokio::test]
async fn what_the_engine_cannot_give_is_refused_before_anything_exists() {
    let bench = bench();
    let mut spec = bench.spec();
    spec.exam.egress = vec!["mirror.example:443".to_owned()];
    let refused = bench
        .runtime
        .create(&spec)
        .await
        .expect_err("created with egress");
    assert_eq!(refused.signal.kind(), "spec_invalid");
    assert_eq!(
        bench.runtime.list(bench.install_id).await.expect("list"),
        []
    );
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_transient() {
    let runtime = support::runtime_at("tcp://127.0.0.1:9");
    let spec = bench().spec();
    let refused = runtime
        .create(&spec)
        .await
        .expect_err("created without an engine");
    assert!(refused.is_transient(), "{refused:?}");
    let refused = runtime
        .observe(&spec.runtime_name())
        .await
        .expect_err("observed without an engine");
    assert_eq!(refused.signal.kind(), "runtime_unavailable");
}
