//! A life without faults.

use std::sync::Arc;

use futures_util::future::join_all;

use super::Bench;
use crate::{Destroyed, Observation, Phase, RuntimeUid, judge};

pub(super) async fn creating_twice_is_one_environment(bench: &Bench) {
    let spec = bench.spec();
    let first = bench.runtime.create(&spec).await.expect("create");
    let second = bench.runtime.create(&spec).await.expect("create again");
    assert!(!first.adopted, "the first creation adopted something");
    assert!(second.adopted, "the second creation created");
    assert_eq!(first.uid, second.uid);
    assert_eq!(first.name, spec.runtime_name());
}

pub(super) async fn of_racing_creators_one_creates(bench: &Bench) {
    let spec = Arc::new(bench.spec());
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (runtime, spec) = (Arc::clone(&bench.runtime), Arc::clone(&spec));
            tokio::spawn(async move { runtime.create(&spec).await })
        })
        .collect();
    let created: Vec<_> = join_all(tasks)
        .await
        .into_iter()
        .map(|task| task.expect("no panic").expect("create"))
        .collect();
    assert_eq!(
        created.iter().filter(|one| !one.adopted).count(),
        1,
        "{created:?}"
    );
    assert!(
        created.iter().all(|one| one.uid == created[0].uid),
        "{created:?}"
    );
    assert_eq!(
        bench
            .runtime
            .list(bench.install_id)
            .await
            .expect("list")
            .len(),
        1
    );
}

pub(super) async fn an_environment_is_seen_through_its_life(bench: &Bench) {
    let spec = bench.spec();
    let name = spec.runtime_name();
    assert_eq!(
        bench.runtime.observe(&name).await.expect("observe"),
        Observation::Absent
    );
    let uid = bench.running(&spec).await;
    let Observation::Present(seen) = bench.runtime.observe(&name).await.expect("observe") else {
        panic!("{name} is absent");
    };
    assert_eq!(seen.labels, spec.labels());
    assert_eq!(
        bench
            .runtime
            .destroy(&name, Some(&uid))
            .await
            .expect("destroy"),
        Destroyed::Gone
    );
    assert_eq!(
        bench.runtime.observe(&name).await.expect("observe"),
        Observation::Absent
    );
}

pub(super) async fn a_sound_environment_is_proven(bench: &Bench) {
    let spec = bench.spec();
    let uid = bench.running(&spec).await;
    let report = bench
        .runtime
        .verify(&spec.runtime_name(), &uid, &spec.exam)
        .await
        .expect("verify");
    assert_eq!(judge(&report, &spec.exam), [], "{report:#?}");
}

pub(super) async fn a_list_holds_one_install(bench: &Bench) {
    let spec = bench.spec();
    let uid = bench.running(&spec).await;
    let other = Bench::new(Arc::clone(&bench.runtime), bench.exam.clone());
    let listed = bench.runtime.list(bench.install_id).await.expect("list");
    assert_eq!(listed.len(), 1, "{listed:?}");
    let one = &listed[0];
    assert_eq!(
        (&one.name, &one.uid, &one.labels),
        (&spec.runtime_name(), &uid, &spec.labels())
    );
    assert_eq!(one.phase, Phase::Running);
    assert_eq!(
        other.runtime.list(other.install_id).await.expect("list"),
        []
    );
}

pub(super) async fn a_snapshot_tells_status_and_log(bench: &Bench) {
    let spec = bench.spec();
    let uid = bench.running(&spec).await;
    let snapshot = bench
        .runtime
        .snapshot(&spec.runtime_name(), &uid)
        .await
        .expect("snapshot");
    assert_eq!(snapshot["phase"]["phase"], "running", "{snapshot}");
    assert!(snapshot["log_tail"].is_string(), "{snapshot}");
}

pub(super) async fn only_the_meant_uid_is_destroyed(bench: &Bench) {
    let spec = bench.spec();
    let name = spec.runtime_name();
    let uid = bench.running(&spec).await;
    let other = RuntimeUid::from_runtime("0".repeat(uid.as_str().len()));
    let refused = bench
        .runtime
        .destroy(&name, Some(&other))
        .await
        .expect_err("destroyed by a foreign uid");
    assert_eq!(refused.signal.kind(), "name_conflict");
    assert_eq!(bench.until(&name, |_| true).await.phase, Phase::Running);
    let unknown = bench
        .runtime
        .verify(&name, &other, &spec.exam)
        .await
        .expect_err("verified a foreign uid");
    assert_eq!(unknown.signal.kind(), "vanished");
}

pub(super) async fn force_ends_only_the_meant_uid(bench: &Bench) {
    let spec = bench.spec();
    let name = spec.runtime_name();
    let uid = bench.running(&spec).await;
    let other = RuntimeUid::from_runtime("0123456789abcdef");
    let refused = bench.runtime.destroy_by_force(&name, &other).await;
    assert_eq!(
        refused.expect_err("another uid").signal.kind(),
        "name_conflict"
    );
    let Observation::Present(seen) = bench.runtime.observe(&name).await.expect("observe") else {
        panic!("{name} is absent");
    };
    assert_eq!((&seen.uid, seen.is_place_lost), (&uid, false));
    for _ in 0..2 {
        let forced = bench.runtime.destroy_by_force(&name, &uid).await;
        assert_eq!(forced.expect("force"), Destroyed::Gone);
    }
}

pub(super) async fn destroying_twice_is_gone_twice(bench: &Bench) {
    let spec = bench.spec();
    let name = spec.runtime_name();
    let uid = bench.running(&spec).await;
    for _ in 0..2 {
        assert_eq!(
            bench
                .runtime
                .destroy(&name, Some(&uid))
                .await
                .expect("destroy"),
            Destroyed::Gone
        );
    }
    assert_eq!(
        bench.runtime.destroy(&name, None).await.expect("destroy"),
        Destroyed::Gone
    );
}

pub(super) async fn a_new_attempt_has_a_new_uid(bench: &Bench) {
    let mut spec = bench.spec();
    let first = bench.running(&spec).await;
    let first_name = spec.runtime_name();
    assert_eq!(
        bench
            .runtime
            .destroy(&first_name, None)
            .await
            .expect("destroy"),
        Destroyed::Gone
    );
    spec.attempt = 2;
    let second = bench.running(&spec).await;
    assert_ne!(first, second);
    assert_ne!(first_name, spec.runtime_name());
}
