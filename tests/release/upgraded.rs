//! Every process is replaced while a candidate works.

use std::cell::Cell;

use system_tests::release::Release;
use system_tests::typist::Typist;
use system_tests::wait::{STARTUP, until};

use crate::poll::Poll;

/// One value that every pod has: all of them are replaced.
const ROLLS_EVERYTHING: &str = "pods.annotations.carrel-test=rolled";

#[tokio::test]
async fn an_upgrade_during_an_exam_drops_no_keystroke_and_the_api_goes_on_answering() {
    let release = Release::with_exam().await;
    let candidate = release.ready_candidate("u-1").await;
    let mut typist = Typist::sit_down(release.door(&candidate)).await;
    typist.type_lines().await;
    let before = release.pod_names().await;
    let rolled = Cell::new(false);
    let upgrade = async {
        release.helm("upgrade", &["--set", ROLLS_EVERYTHING]).await;
        until("the old processes are gone", STARTUP, async || {
            let left = release.pod_names().await;
            (!left.iter().any(|name| before.contains(name))).then_some(())
        })
        .await;
        rolled.set(true);
    };
    let typing = async {
        while !rolled.get() {
            typist.type_on().await;
        }
    };
    let ((), (), fresh, kept) = tokio::join!(
        upgrade,
        typing,
        Poll::on_new_connections(&release, &candidate).until(&rolled),
        Poll::on_one_connection(&release, &candidate).until(&rolled),
    );
    typist.type_lines().await;
    assert!(typist.reconnections() > 0, "its process was replaced");
    typist.prove().await;
    assert_eq!(release.status(&candidate).await.state, "running");
    fresh.assert_answered();
    kept.assert_answered();

    // What is new works: the next candidate is served.
    release.ready_candidate("u-2").await;
    release.assert_invariants().await;
}
