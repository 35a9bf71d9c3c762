//! Exams to take, and sessions moved along as a worker would.

use execution_environment::{ExamBasis, ExamDefinition, apply_exam};
use serde_json::{Value, json};
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{Advance, Cause, Ending, EndingKind, Expected, Provenance, advance};
use sqlx::PgPool;

/// The sample exam's name.
pub(crate) const NAME: &str = "linux-fundamentals";

/// Applies the sample exam.
pub(crate) async fn apply(pool: &PgPool) {
    apply_as(
        pool,
        NAME,
        &json!({"kind": "from_first_attach", "duration_seconds": 3600}),
    )
    .await;
}

/// Applies an exam with a clock of choice.
pub(crate) async fn apply_as(pool: &PgPool, name: &str, clock: &Value) {
    let definition = json!({
        "name": name,
        "title": "Linux fundamentals",
        "image": "localhost/exam:1",
        "shell": ["/bin/bash", "-l"],
        "user": {"uid": 1000, "gid": 1000, "name": "candidate"},
        "workdir": "/home/candidate",
        "limits": {"cpu_millis": 500, "memory_mib": 256, "pids": 100, "scratch_mib": 64},
        "clock": clock,
        "absolute_cap_seconds": 7200,
    });
    let definition = ExamDefinition::parse(&definition.to_string()).expect("a sound definition");
    let mut conn = pool.acquire().await.expect("a connection");
    let reason = "no environment is made here".to_owned();
    let basis = ExamBasis::Unproven { reason };
    apply_exam(&mut conn, &definition, &basis, &Actor::System("test"))
        .await
        .expect("applied");
}

/// Moves a session along.
pub(crate) async fn move_to(pool: &PgPool, session_id: &str, step: Advance) {
    let session_id: ExamSessionId = session_id.parse().expect("an id");
    let provenance = Provenance {
        actor: Actor::System("test"),
        cause: Cause::from("test"),
        job_id: None,
        trace: None,
    };
    let mut conn = pool.acquire().await.expect("a connection");
    advance(
        &mut conn,
        session_id,
        Expected::AnyVersion,
        step,
        &provenance,
    )
    .await
    .expect("allowed");
}

/// Brings a session to running.
pub(crate) async fn run(pool: &PgPool, session_id: &str) {
    for step in [
        Advance::ToInitializing,
        Advance::ToReady,
        Advance::ToRunning,
    ] {
        move_to(pool, session_id, step).await;
    }
}

/// Ends a session.
pub(crate) async fn end(pool: &PgPool, session_id: &str) {
    let ending = Ending {
        kind: EndingKind::Completed,
        note: None,
    };
    move_to(pool, session_id, Advance::Terminate(ending)).await;
}
