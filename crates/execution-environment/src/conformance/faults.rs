//! Lives with faults.

use session_identity::InstallId;

use super::Bench;
use crate::{Destroyed, Phase, RuntimeUid};

pub(super) async fn foreign_labels_are_a_name_conflict(bench: &Bench) {
    let spec = bench.spec();
    bench.running(&spec).await;
    let mut foreign = spec.clone();
    foreign.install_id = InstallId::generate();
    let refused = bench
        .runtime
        .create(&foreign)
        .await
        .expect_err("adopted what another install made");
    assert_eq!(refused.signal.kind(), "name_conflict");
    assert!(!refused.is_transient());
}

pub(super) async fn a_missing_image_is_named(bench: &Bench) {
    let mut spec = bench.spec();
    "localhost/carrel-no-such-image:1".clone_into(&mut spec.exam.image);
    // A runtime that pulls in the background reports it by observation instead.
    let signal = match bench.runtime.create(&spec).await {
        Err(refused) => refused.signal,
        Ok(created) => {
            let seen = bench
                .until(&created.name, |phase| {
                    matches!(phase, Phase::Pending { signal: Some(_) })
                })
                .await;
            let Phase::Pending {
                signal: Some(signal),
            } = seen.phase
            else {
                unreachable!("waited for a signal")
            };
            signal
        }
    };
    assert_eq!(signal.kind(), "image_missing", "{signal:?}");
}

pub(super) async fn what_cannot_start_never_becomes_proven(bench: &Bench) {
    let mut spec = bench.spec();
    spec.exam.shell = vec!["/no/such/shell".to_owned()];
    match bench.runtime.create(&spec).await {
        Err(refused) => assert_eq!(
            refused.signal.kind(),
            "start_failed",
            "{:?}",
            refused.signal
        ),
        Ok(created) => {
            let seen = bench
                .until(&created.name, |phase| {
                    matches!(phase, Phase::Stopped { .. })
                })
                .await;
            let Phase::Stopped { exit_code, .. } = seen.phase else {
                unreachable!("waited for the end")
            };
            assert_ne!(exit_code, Some(0));
            let refused = bench
                .runtime
                .verify(&created.name, &created.uid, &spec.exam)
                .await
                .expect_err("verified");
            assert_eq!(
                refused.signal.kind(),
                "exec_target_missing",
                "{:?}",
                refused.signal
            );
        }
    }
}

pub(super) async fn a_stopped_environment_stays_stopped(bench: &Bench) {
    let mut spec = bench.spec();
    spec.exam.shell = vec!["/no/such/shell".to_owned()];
    let Ok(created) = bench.runtime.create(&spec).await else {
        return;
    };
    let stopped = |phase: &Phase| matches!(phase, Phase::Stopped { .. });
    bench.until(&created.name, stopped).await;
    let again = bench.runtime.create(&spec).await.expect("create again");
    assert!(again.adopted);
    assert!(
        stopped(&bench.until(&created.name, |_| true).await.phase),
        "it was started again"
    );
    assert_eq!(
        bench
            .runtime
            .destroy(&created.name, Some(&created.uid))
            .await
            .expect("destroy"),
        Destroyed::Gone
    );
}

pub(super) async fn what_has_stopped_can_still_be_read(bench: &Bench) {
    const LINES: u32 = 3;
    let mut spec = bench.spec();
    spec.exam.shell = vec!["/no/such/shell".to_owned()];
    let Ok(created) = bench.runtime.create(&spec).await else {
        return;
    };
    let stopped = |phase: &Phase| matches!(phase, Phase::Stopped { .. });
    bench.until(&created.name, stopped).await;
    let log = bench.runtime.log(&created.name, &created.uid, LINES).await;
    let log = log.expect("log");
    // Podman may lose the beginning of a line that was written in pieces.
    assert!(log.contains("/no/such/shell"), "{log:?}");
    assert!(log.lines().count() <= LINES as usize, "{log:?}");
    let other = RuntimeUid::from_runtime("0".repeat(created.uid.as_str().len()));
    let unknown = bench.runtime.log(&created.name, &other, LINES).await;
    let unknown = unknown.expect_err("read the log of a foreign uid");
    assert_eq!(unknown.signal.kind(), "vanished");
}
