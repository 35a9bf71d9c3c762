//! The end for everybody: asked for once, and of nobody else.

use job_queue::{EnqueueOptions, JobFilter, enqueue, list_jobs};
use orchestrator::{
    CohortEnd, CohortError, CohortOutcome, CohortReport, Consent, EndedBy, TerminateSession,
    end_cohort,
};
use session_identity::{LoginId, Principal, Role, UserId};
use session_lifecycle::{EndingKind, SessionRecord, SessionState};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::fixtures::{EXAM, OTHER, cohort, end, exam, outcome, running, session, somebody_waits};

fn everybody() -> CohortEnd {
    CohortEnd {
        cohort: cohort(),
        principal: Principal {
            user_id: UserId::parse("dana").unwrap(),
            role: Role::Operator,
            login_id: LoginId::new("test"),
        },
        reason: Some("INC-7".to_owned()),
        trace: None,
    }
}

async fn ask(pool: &PgPool, consent: Consent) -> Result<CohortReport, CohortError> {
    let mut report = CohortReport::default();
    end_cohort(pool, &everybody(), consent, |visit| report.note(visit)).await?;
    Ok(report)
}

fn all(report: &CohortReport, outcome: &CohortOutcome) -> bool {
    report.count(|found| found == outcome) == report.matched()
}

fn ids(sessions: &[SessionRecord]) -> Vec<Uuid> {
    let ids = sessions.iter().map(|session| session.id.as_uuid());
    ids.collect()
}

/// Whose end waits for a worker, oldest session first.
async fn asked_for(conn: &mut PgConnection) -> Vec<Uuid> {
    let filter = JobFilter {
        kind: Some("terminate_session".to_owned()),
        ..JobFilter::default()
    };
    let jobs = list_jobs(conn, &filter, None, 500).await.unwrap();
    let mut ids: Vec<_> = jobs.iter().filter_map(|job| job.session_id).collect();
    ids.sort_unstable();
    ids
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn every_live_session_of_the_exam_and_of_no_other_is_ended_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let mut live = running(&mut conn, 130).await;
    live.push(session(&mut conn, (EXAM, 1), "early", SessionState::Created).await);
    exam(&mut conn, OTHER, "another").await;
    session(&mut conn, (OTHER, 1), "u-0", SessionState::Running).await;
    let ended = session(&mut conn, (EXAM, 1), "gone", SessionState::Running).await;
    end(&mut conn, ended.id).await;

    let told = ask(&pool, Consent::Rehearsal).await.unwrap();
    assert!(all(&told, &CohortOutcome::Requested), "{told:?}");
    let refused = ask(&pool, Consent::Sessions(130)).await.unwrap_err();
    let counted = matches!(refused, CohortError::CountDiffers { found: 131, .. });
    assert!(counted, "{refused}");
    assert_eq!(asked_for(&mut conn).await, ids(&[]), "nobody agreed to 131");

    let done = ask(&pool, Consent::Sessions(131)).await.unwrap();
    assert!(all(&done, &CohortOutcome::Requested), "{done:?}");
    assert_eq!(asked_for(&mut conn).await, ids(&live));
    let again = ask(&pool, Consent::Sessions(131)).await.unwrap();
    assert!(all(&again, &CohortOutcome::AlreadyRequested), "{again:?}");
    assert_eq!(asked_for(&mut conn).await, ids(&live));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn who_ended_meanwhile_is_told_and_stops_nobody(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 3).await;
    let by_another = TerminateSession {
        session_id: made[2].id,
        kind: EndingKind::OperatorEnded,
        ended_by: EndedBy {
            user_id: UserId::parse("kim").unwrap(),
            role: Role::Operator,
        },
        note: None,
    };
    // The newest is visited first and waits for this to commit.
    let mut another = conn.begin().await.unwrap();
    let options = EnqueueOptions::default();
    enqueue(&mut another, &by_another, &options).await.unwrap();
    end(&mut another, made[1].id).await;
    let (done, ()) = tokio::join!(ask(&pool, Consent::Sessions(3)), async {
        somebody_waits(&pool).await;
        another.commit().await.unwrap();
    });
    let done = done.unwrap();
    let state = SessionState::Terminated;
    let ended = CohortOutcome::AlreadyEnded { state };
    assert_eq!(outcome(&done, made[0].id), &CohortOutcome::Requested);
    assert_eq!(outcome(&done, made[1].id), &ended);
    assert_eq!(outcome(&done, made[2].id), &CohortOutcome::AlreadyRequested);
    let live = [made[0].clone(), made[2].clone()];
    assert_eq!(asked_for(&mut conn).await, ids(&live));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn dropped_midway_and_asked_again_each_end_is_asked_for_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let made = running(&mut conn, 60).await;
    let (midway, mut visited) = (Notify::new(), 0);
    let (everybody, all) = (everybody(), Consent::Sessions(60));
    let count = |_| {
        visited += 1;
        if visited == 25 {
            midway.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = midway.notified() => {}
        done = end_cohort(&pool, &everybody, all, count) => panic!("not dropped: {done:?}"),
    }
    let rest = ask(&pool, all).await.unwrap();
    let already = |found: &CohortOutcome| *found == CohortOutcome::AlreadyRequested;
    assert!((25..60).contains(&rest.count(already)), "{rest:?}");
    assert_eq!(rest.left(), 0);
    assert_eq!(asked_for(&mut conn).await, ids(&made));
}
