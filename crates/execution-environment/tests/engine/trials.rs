//! Trials of exams on a real engine: what is proven, which check fails, and that nothing is left.

use std::future::{pending, ready};
use std::time::Duration;

use execution_environment::conformance::Bench;
use execution_environment::engine::EngineHardening;
use execution_environment::{
    ExamDefinition, Protection, RuntimeKind, TrialCheck, TrialError, TrialProof, install_id,
    prove_exam, trials_of,
};
use session_identity::InstallId;
use sqlx::PgPool;
use tokio::time::timeout;

use crate::support::{bench, bench_without};

/// A startup budget and a removal, at their longest for the sample exam.
const STORY: Duration = Duration::from_mins(3);

async fn installed(pool: &PgPool) -> InstallId {
    let mut conn = pool.acquire().await.expect("connected");
    install_id(&mut conn).await.expect("installed")
}

/// Tries an exam to its end and asserts that nothing of it is left.
async fn tried(
    pool: &PgPool,
    bench: &Bench,
    exam: &ExamDefinition,
) -> Result<TrialProof, TrialError> {
    let proof = prove_exam(pool, &*bench.runtime, exam, pending()).await;
    assert_nothing_left(pool, bench).await;
    proof
}

async fn assert_nothing_left(pool: &PgPool, bench: &Bench) {
    let trials = trials_of(installed(pool).await);
    assert_eq!(bench.runtime.list(trials).await.expect("list"), []);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_sound_exam_is_proven_with_its_image_and_evidence(pool: PgPool) {
    let bench = bench();
    let proof = tried(&pool, &bench, &bench.exam).await.expect("proven");
    assert_eq!(proof.runtime, RuntimeKind::Engine);
    assert!(proof.image_digest.is_some_and(|digest| digest.len() >= 64));
    assert_eq!(proof.evidence["gaps"], serde_json::json!([]));
    assert_eq!(proof.evidence["declared"]["name"], bench.exam.name);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_check_that_fails_is_named_with_the_field_and_the_mend(pool: PgPool) {
    let bench = bench();
    let mut no_image = bench.exam.clone();
    "localhost/carrel-no-such-image:1".clone_into(&mut no_image.image);
    let mut no_shell = bench.exam.clone();
    no_shell.shell = vec!["/no/such/shell".to_owned()];
    for (exam, check, field) in [
        (no_image, TrialCheck::Image, "image"),
        (no_shell, TrialCheck::Start, "shell"),
    ] {
        let error = tried(&pool, &bench, &exam).await.expect_err("proven");
        assert_eq!(error.check(), Some(check), "{error}");
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(error.mend().contains(field), "{}", error.mend());
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_environment_that_lacks_a_protection_is_not_isolated(pool: PgPool) {
    let bench = bench_without(EngineHardening::default().without(Protection::MemoryLimit));
    // Enough for a first attempt and the beginning of a second.
    let mut exam = bench.exam.clone();
    exam.startup_budget_seconds = 20;
    let error = tried(&pool, &bench, &exam).await.expect_err("proven");
    assert_eq!(error.check(), Some(TrialCheck::Isolation), "{error}");
    let reason = error.reason().expect("a check failed");
    assert!(reason.contains("memory_limit"), "{reason}");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_interrupted_trial_leaves_nothing(pool: PgPool) {
    let bench = bench();
    let ended = prove_exam(&pool, &*bench.runtime, &bench.exam, ready(())).await;
    assert!(
        matches!(ended, Err(TrialError::Interrupted { left: None })),
        "{ended:?}"
    );
    assert_nothing_left(&pool, &bench).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn no_list_of_the_installation_s_environments_holds_a_trial(pool: PgPool) {
    let bench = bench();
    let ours = installed(&pool).await;
    // Between its creation and its removal a trial asks the engine a dozen things, this two.
    let mut seen = None;
    let look = async {
        loop {
            let trials = bench.runtime.list(trials_of(ours)).await.expect("list");
            let listed = bench.runtime.list(ours).await.expect("list");
            if !trials.is_empty() {
                seen = Some(listed);
                pending::<()>().await;
            }
        }
    };
    let tried = prove_exam(&pool, &*bench.runtime, &bench.exam, pending());
    let proof = timeout(STORY, async {
        tokio::select! {
            proof = tried => proof,
            () = look => unreachable!("it looks for ever"),
        }
    });
    proof.await.expect("it ends").expect("proven");
    assert_eq!(seen, Some(Vec::new()), "what was listed beside the trial");
}
