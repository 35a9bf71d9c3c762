//! A worker's parts inside the test's own process, on a runtime of the test's choice.

use std::sync::Arc;
use std::time::Duration;

use execution_environment::EnvironmentRuntime;
use job_queue::{EnqueueOptions, QueueWorker, Waker, WorkerConfig, enqueue};
use orchestrator::{
    ActivateSession, EndRequest, SessionRequest, SweepLoop, Sweeps, Workshop, end_session,
    registry, request_session,
};
use session_identity::{ExamSessionId, LoginId, Principal, Role, UserId, WorkerIncarnation};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::exams::SAMPLE;

/// A lease that ends within seconds, and that no slow machine loses.
const LEASE: Duration = Duration::from_secs(4);

/// Works until it is dropped: then it is as dead as a killed process, its leases run out.
pub async fn work(pool: PgPool, runtime: Arc<dyn EnvironmentRuntime>) {
    let workshop = Workshop {
        pool: pool.clone(),
        runtime,
        waker: Waker::new(pool.clone()),
    };
    let config = WorkerConfig {
        lease: LEASE,
        heartbeat: LEASE / 8,
        ..WorkerConfig::new("crew")
    };
    let worker = QueueWorker::builder(pool, registry(&workshop), config).build();
    let sweeps = SweepLoop::new(workshop, Sweeps::default(), worker.incarnation());
    let never = CancellationToken::new();
    let worked = Box::pin(worker.run(never.clone()));
    let (worked, ()) = tokio::join!(worked, Box::pin(sweeps.run(never)));
    worked.expect("only a drain ends a worker");
}

/// Sweeps until it is dropped, and works on no job.
pub async fn sweep(pool: PgPool, runtime: Arc<dyn EnvironmentRuntime>, sweeps: Sweeps) {
    let workshop = Workshop {
        pool: pool.clone(),
        runtime,
        waker: Waker::new(pool),
    };
    let sweeps = SweepLoop::new(workshop, sweeps, WorkerIncarnation::generate());
    Box::pin(sweeps.run(CancellationToken::new())).await;
}

/// Lets every lease run out now, as it does of itself some time after its worker died.
pub async fn expire_leases(pool: &PgPool) {
    let expired = sqlx::query!(
        "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second'
         WHERE state = 'running'"
    );
    expired.execute(pool).await.expect("the database answers");
}

/// Lets the startup budget of a session be over.
pub async fn end_budget(pool: &PgPool, session: ExamSessionId) {
    let ended = sqlx::query!(
        "UPDATE exam_sessions SET ready_by = now(), version = version + 1 WHERE id = $1",
        session.as_uuid()
    );
    ended.execute(pool).await.expect("the database answers");
}

/// Requests a session of the sample exam, as the exam platform does.
pub async fn request(pool: &PgPool, user: &str) -> ExamSessionId {
    request_of(pool, user, SAMPLE).await
}

/// Requests a session of an exam.
pub async fn request_of(pool: &PgPool, user: &str, exam: &str) -> ExamSessionId {
    let request = SessionRequest {
        user_id: UserId::parse(user).expect("a user id"),
        exam_name: exam.to_owned(),
        exam_version: None,
        principal: principal("exam-platform", Role::Service),
        idempotency_key: None,
        trace: None,
    };
    let requested = request_session(pool, &request).await;
    requested.expect("the session is written").session.id
}

/// Starts a session's clock, as the first attach does.
pub async fn activate(pool: &PgPool, session_id: ExamSessionId) {
    let mut conn = pool.acquire().await.expect("the database answers");
    let options = EnqueueOptions {
        enqueued_by: "tests".to_owned(),
        ..EnqueueOptions::default()
    };
    let enqueued = enqueue(&mut conn, &ActivateSession { session_id }, &options).await;
    enqueued.expect("the job is written");
}

/// Ends a session, as an operator does.
pub async fn end(pool: &PgPool, session_id: ExamSessionId) {
    let request = EndRequest {
        session_id,
        principal: principal("operator-1", Role::Operator),
        reason: Some("the test is over".to_owned()),
        trace: None,
    };
    end_session(pool, &request).await.expect("it is asked for");
}

fn principal(user: &str, role: Role) -> Principal {
    Principal {
        user_id: UserId::parse(user).expect("a user id"),
        role,
        login_id: LoginId::new("tests"),
    }
}
