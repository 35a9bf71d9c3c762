//! Fails what did not become ready within its startup budget, with the last thing that blocked it;
//! ends what nobody came to; tells what nobody has begun.

use chrono::{DateTime, TimeDelta, Utc};
use cleanup_ttl::{ExpiryPolicy, Verdict, database_now, end_no_shows, judge};
use execution_environment::load_environment;
use failure_classification::{Classified, Phase, Signal, classify};
use job_queue::{Job as _, JobFilter, JobState, list_jobs};
use serde_json::{Value, json};
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{
    Advance, Cause, Expected, Provenance, SessionState, TransitionError, advance,
    find_past_startup, load_session,
};
use sqlx::PgConnection;

use super::SweepReport;
use super::unclaimed::{Unclaimed, by_reason, unclaimed};
use crate::{
    ObserveEnvironment, ProvisionEnvironment, StepError, Workshop,
    follow_up::{after_end, signed},
    measure,
    work::failure,
};

/// The kinds without which no environment becomes ready.
const PREPARES: [&str; 2] = [ProvisionEnvironment::KIND, ObserveEnvironment::KIND];
/// A session has a handful of jobs.
const DEAD_JOBS: i64 = 20;
/// A job whose last run noted a signal dies a moment after the note.
const SAME_MOMENT: TimeDelta = TimeDelta::seconds(5);

/// Fails every overdue session of one batch in one transaction, and ends every no-show in another.
pub(super) async fn sweep(
    workshop: &Workshop,
    policy: &ExpiryPolicy,
) -> Result<SweepReport, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let mut failed = Vec::new();
    for session_id in find_past_startup(&mut transaction, policy.batch).await? {
        failed.extend(fail(&mut transaction, session_id).await?);
    }
    transaction.commit().await?;
    failed.iter().for_each(measure::session_failed);
    let no_shows = no_shows(workshop, policy).await?;
    if !failed.is_empty() || no_shows > 0 {
        workshop.waker.wake();
    }
    Ok(SweepReport {
        stuck: failed.len(),
        no_shows,
        unclaimed: by_reason(&waiting(workshop, policy).await),
        ..SweepReport::default()
    })
}

/// What waits is only told: that it could not be read undoes nothing of what was done.
async fn waiting(workshop: &Workshop, policy: &ExpiryPolicy) -> Vec<Unclaimed> {
    let read = async {
        let mut connection = workshop.pool.acquire().await?;
        unclaimed(&mut connection, policy).await
    };
    read.await.unwrap_or_else(|error: StepError| {
        tracing::warn!(
            error = error.chain(),
            "what nobody begins could not be read"
        );
        Vec::new()
    })
}

async fn no_shows(workshop: &Workshop, policy: &ExpiryPolicy) -> Result<usize, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let ended = end_no_shows(&mut transaction, policy, &by_sweep("sweep:no_show")).await?;
    for one in &ended {
        let by = signed("system:sweep", None);
        after_end(&mut transaction, one.session.id, &by).await?;
    }
    transaction.commit().await?;
    Ok(ended.len())
}

fn by_sweep(cause: &'static str) -> Provenance {
    Provenance {
        actor: Actor::System("sweep"),
        cause: Cause::new(cause),
        job_id: None,
        trace: None,
    }
}

/// Says as what it failed; `None` where it need not.
async fn fail(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<Classified>, StepError> {
    let Some(session) = load_session(conn, session_id).await? else {
        return Ok(None);
    };
    // An exam whose time is over did not fail: the expired sweep has it within a second.
    let now = database_now(conn).await?;
    if !matches!(judge(&session, now), Verdict::StartupMissed { .. }) {
        return Ok(None);
    }
    let environment = load_environment(conn, session_id).await?;
    let note = environment.and_then(|environment| environment.last_signal);
    let dead = dead_job(conn, session_id).await?;
    let signal = blocking(note.as_ref(), dead, session.state);
    let evidence = json!({
        "signal": signal, "last_signal": note, "state": session.state.as_str(),
    });
    let classified = classify(&signal, Phase::BeforeReady);
    let step = Advance::Fail(failure(&classified, evidence));
    let by = by_sweep("sweep:stuck");
    match advance(conn, session_id, Expected::AnyVersion, step, &by).await {
        Ok(_) => {}
        Err(TransitionError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    after_end(conn, session_id, &signed("system:sweep", None)).await?;
    Ok(Some(classified))
}

/// A job of a session that died before its environment was ready: the platform's own doing.
#[derive(Debug, PartialEq, Eq)]
struct DeadJob {
    signal: Signal,
    died_at: DateTime<Utc>,
}

async fn dead_job(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
) -> Result<Option<DeadJob>, StepError> {
    let dead = JobFilter {
        session_id: Some(session_id),
        state: Some(JobState::Dead),
        ..JobFilter::default()
    };
    let dead = list_jobs(conn, &dead, None, DEAD_JOBS).await?;
    let mut preparing = dead
        .into_iter()
        .filter(|job| PREPARES.contains(&&*job.kind));
    Ok(preparing.find_map(|job| {
        Some(DeadJob {
            died_at: job.finished_at?,
            signal: Signal::JobExhausted {
                message: job.outcome_reason.unwrap_or_default(),
                job_kind: job.kind,
            },
        })
    }))
}

/// The last signal names what blocked, unless a job died well after it; without either nobody came
/// to begin, or the environment never answered.
fn blocking(note: Option<&Value>, dead: Option<DeadJob>, state: SessionState) -> Signal {
    let noted = note
        .and_then(|note| note.get("signal"))
        .and_then(|signal| serde_json::from_value(signal.clone()).ok())
        .filter(|signal| classify(signal, Phase::BeforeReady).may_fail_session());
    let noted_at = note.and_then(|note| note.get("at")?.as_str()?.parse::<DateTime<Utc>>().ok());
    match (noted, dead) {
        (Some(_), Some(dead)) if noted_at.is_some_and(|at| dead.died_at - at > SAME_MOMENT) => {
            dead.signal
        }
        (Some(noted), _) => noted,
        (None, Some(dead)) => dead.signal,
        (None, None) => bare_lateness(state),
    }
}

fn bare_lateness(state: SessionState) -> Signal {
    match state {
        SessionState::Created => Signal::JobExhausted {
            job_kind: ProvisionEnvironment::KIND.to_owned(),
            message: "no worker began within the startup budget".to_owned(),
        },
        SessionState::Initializing
        | SessionState::Ready
        | SessionState::Running
        | SessionState::Terminated
        | SessionState::Failed => Signal::NotReady {
            message: "it did not become ready within the startup budget".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_signal_is_blamed_before_bare_lateness() {
        let signal = Signal::Unschedulable {
            message: "full".to_owned(),
        };
        let note = json!({ "signal": signal });
        assert_eq!(
            blocking(Some(&note), None, SessionState::Initializing),
            signal
        );
    }

    #[test]
    fn a_session_nobody_claimed_says_so() {
        assert!(matches!(
            blocking(None, None, SessionState::Created),
            Signal::JobExhausted { .. }
        ));
        assert!(matches!(
            blocking(None, None, SessionState::Initializing),
            Signal::NotReady { .. }
        ));
    }

    #[test]
    fn a_job_that_died_is_blamed_unless_its_last_run_said_more() {
        let signal = Signal::Unschedulable {
            message: "full".to_owned(),
        };
        let at = |second: i64| DateTime::from_timestamp(1_000 + second, 0).unwrap();
        let note = json!({ "signal": signal, "at": at(0) });
        let exhausted = Signal::JobExhausted {
            job_kind: ObserveEnvironment::KIND.to_owned(),
            message: "it panicked".to_owned(),
        };
        let blamed = |note, second| {
            let dead = DeadJob {
                signal: exhausted.clone(),
                died_at: at(second),
            };
            blocking(note, Some(dead), SessionState::Initializing)
        };
        assert_eq!(blamed(Some(&note), 1), signal);
        assert_eq!(
            blamed(Some(&note), 40),
            exhausted,
            "the note is of long before"
        );
        assert_eq!(blamed(None, 40), exhausted);
    }
}
