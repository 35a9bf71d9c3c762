//! Exams and their sessions, made the way the product makes them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use execution_environment::{ExamBasis, ExamDefinition, apply_exam};
use orchestrator::{
    Cohort, CohortError, CohortExtension, CohortOutcome, CohortReport, Consent, extend_cohort,
};
use session_identity::{Actor, ExamSessionId, ExecutionEnvironmentId, UserId};
use session_lifecycle::{
    Advance, Ending, EndingKind, ExamClock, Expected, Inserted, NewSession, Provenance,
    SessionRecord, SessionState, advance, extensions, insert_session, load_session,
};
use sqlx::{PgConnection, PgPool};

/// The exam that an outage hit.
pub(crate) const EXAM: &str = "linux-fundamentals";
/// The one that it did not.
pub(crate) const OTHER: &str = "networking";

/// Applies the next version of an exam: the sample, under a name.
pub(crate) async fn exam(conn: &mut PgConnection, name: &str, title: &str) -> i32 {
    let sample = include_str!("../../../../deploy/exams/linux-fundamentals.json");
    let mut definition: ExamDefinition = serde_json::from_str(sample).unwrap();
    name.clone_into(&mut definition.name);
    title.clone_into(&mut definition.title);
    let reason = "no environment is made here".to_owned();
    let basis = ExamBasis::Unproven { reason };
    let applied = apply_exam(conn, &definition, &basis, &Actor::System("test")).await;
    applied.unwrap().version
}

fn by_test() -> Provenance {
    Provenance {
        actor: Actor::System("test"),
        cause: "test".into(),
        job_id: None,
        trace: None,
    }
}

fn terminate() -> Advance {
    Advance::Terminate(Ending {
        kind: EndingKind::OperatorEnded,
        note: None,
    })
}

async fn step(conn: &mut PgConnection, id: ExamSessionId, to: Advance) -> SessionRecord {
    let moved = advance(conn, id, Expected::AnyVersion, to, &by_test()).await;
    moved.unwrap()
}

/// Makes a session of one hour from the first attach, capped at four, and brings it to `state`.
pub(crate) async fn session(
    conn: &mut PgConnection,
    (exam, version): (&str, i32),
    user: &str,
    state: SessionState,
) -> SessionRecord {
    let new = NewSession {
        id: ExamSessionId::generate(),
        environment_id: ExecutionEnvironmentId::generate(),
        user_id: UserId::parse(user).unwrap(),
        exam_name: exam.to_owned(),
        exam_version: version,
        startup_budget: Duration::from_mins(1),
        clock: ExamClock::FromFirstAttach {
            duration: Duration::from_hours(1),
        },
        absolute_cap: Duration::from_hours(4),
    };
    let Inserted::New(mut session) = insert_session(conn, &new, &by_test()).await.unwrap() else {
        panic!("{user} has a session");
    };
    for (reached, to) in [
        (SessionState::Initializing, Advance::ToInitializing),
        (SessionState::Ready, Advance::ToReady),
        (SessionState::Running, Advance::ToRunning),
    ] {
        if reached <= state {
            session = step(conn, session.id, to).await;
        }
    }
    session
}

/// Makes so many running sessions of the exam.
pub(crate) async fn running(conn: &mut PgConnection, count: usize) -> Vec<SessionRecord> {
    exam(conn, EXAM, "the first").await;
    let mut made = Vec::new();
    for number in 0..count {
        let user = format!("u-{number}");
        made.push(session(conn, (EXAM, 1), &user, SessionState::Running).await);
    }
    made
}

pub(crate) async fn end(conn: &mut PgConnection, id: ExamSessionId) {
    step(conn, id, terminate()).await;
}

pub(crate) fn cohort() -> Cohort {
    Cohort {
        exam_name: EXAM.to_owned(),
        exam_version: None,
    }
}

/// A quarter of an hour for the exam.
pub(crate) fn quarter(key: &str) -> CohortExtension {
    CohortExtension {
        cohort: cohort(),
        by: Duration::from_mins(15),
        actor: Actor::Staff(UserId::parse("dana").unwrap()),
        reason: "INC-7".to_owned(),
        key: key.to_owned(),
    }
}

/// Extends, and gives what was told.
pub(crate) async fn extend(
    pool: &PgPool,
    extension: &CohortExtension,
    consent: Consent,
) -> Result<CohortReport, CohortError> {
    let mut report = CohortReport::default();
    extend_cohort(pool, extension, consent, |visit| report.note(visit)).await?;
    Ok(report)
}

/// How many were granted, had it already, were capped and were refused.
pub(crate) fn counts(report: &CohortReport) -> [usize; 4] {
    [
        report.count(|outcome| matches!(outcome, CohortOutcome::Granted { .. })),
        report.count(|outcome| matches!(outcome, CohortOutcome::AlreadyGranted { .. })),
        report.count(|outcome| matches!(outcome, CohortOutcome::Capped { .. })),
        report.count(|outcome| matches!(outcome, CohortOutcome::Refused { .. })),
    ]
}

/// What became of one session.
pub(crate) fn outcome(report: &CohortReport, id: ExamSessionId) -> &CohortOutcome {
    let mut visits = report.visits().iter();
    &visits.find(|visit| visit.session_id == id).unwrap().outcome
}

pub(crate) async fn ends_at(conn: &mut PgConnection, id: ExamSessionId) -> DateTime<Utc> {
    let session = load_session(conn, id).await.unwrap().unwrap();
    session.ends_at.unwrap()
}

/// By how many minutes each deadline was moved since `made`, in its order. The rows agree.
pub(crate) async fn minutes_more(conn: &mut PgConnection, made: &[SessionRecord]) -> Vec<i64> {
    let mut more = Vec::new();
    for session in made {
        let moved = ends_at(conn, session.id).await - session.ends_at.unwrap();
        let rows = extensions(conn, session.id).await.unwrap();
        let written: i64 = rows.iter().map(|row| i64::from(row.by_seconds)).sum();
        assert_eq!(moved.num_seconds(), written, "{}", session.id);
        more.push(moved.num_minutes());
    }
    more
}

/// Waits until a statement waits for a lock.
pub(crate) async fn somebody_waits(pool: &PgPool) {
    let waiting = "DO $$ BEGIN
        FOR i IN 1..2000 LOOP
            PERFORM pg_stat_clear_snapshot();
            IF EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                                                      AND datname = current_database()) THEN
                RETURN;
            END IF;
            PERFORM pg_sleep(0.01);
        END LOOP;
        RAISE 'nobody waits';
    END $$";
    sqlx::raw_sql(waiting).execute(pool).await.unwrap();
}
