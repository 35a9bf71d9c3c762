//! What happens to a session when an attempt of its environment meets a setback before `ready`.

mod note;

use std::time::Duration;

use chrono::TimeDelta;
use cleanup_ttl::{database_now, is_teardown_pending};
use execution_environment::{EnvironmentRecord, EnvironmentSpec, RuntimeError, record_signal};
use failure_classification::{Classified, Phase, Signal, classify};
use job_queue::{JobContext, Outcome, enqueue};
use serde::Deserialize as _;
use serde_json::Value;
use session_identity::ExamSessionId;
use session_lifecycle::{Advance, Expected, FailureRecord, SessionRecord, advance, lock_session};
use sqlx::PgConnection;
use tokio::time::Instant;

use note::{earlier, noted};

use super::{
    Workshop,
    attempt::Attempt,
    outcome::{WORKER, provenance},
};
use crate::{
    ProvisionEnvironment, Seen, StepError, Verdict, decide,
    error::chain,
    follow_up::{after_end, signed},
    measure,
};

/// How soon a setback that may pass is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How soon a runtime that did not answer is asked again, at the least.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// And at the most, whatever it asks for: the shortest startup budgets are a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One look at an attempt, or one step towards it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    /// A proof can take many seconds on a busy machine, which are no gap between two looks.
    pub(super) began: Instant,
    /// Where the attempt was seen, as the runtime names its places.
    pub(super) place: Option<&'a str>,
}

impl Look<'_> {
    fn took(self) -> TimeDelta {
        TimeDelta::from_std(self.began.elapsed()).unwrap_or(TimeDelta::MAX)
    }
}

/// What an attempt met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setback<'a> {
    pub(super) signal: &'a Signal,
    /// What is kept beside it for staff.
    pub(super) detail: &'a str,
    pub(super) look: Look<'a>,
}

/// The runtime refused or did not answer.
pub(super) async fn after_error(
    workshop: &Workshop,
    attempt: Attempt,
    context: &JobContext,
    error: RuntimeError,
    look: Look<'_>,
) -> Result<Outcome, StepError> {
    let reason = chain(&error);
    if !error.is_transient() {
        let setback = Setback {
            signal: &error.signal,
            detail: &reason,
            look,
        };
        return after_signal(workshop, attempt, context, setback).await;
    }
    // The same attempt is tried again: its name makes that safe. The stuck sweep ends it with
    // this signal when the budget is over.
    let class = classify(&error.signal, Phase::BeforeReady)
        .code()
        .as_str()
        .to_owned();
    let mut connection = workshop.pool.acquire().await?;
    let now = database_now(&mut connection).await?;
    let signal = noted(&error.signal, &reason, attempt, (now, 1), now);
    record_signal(
        &mut connection,
        attempt.session_id,
        attempt.attempt,
        &signal,
    )
    .await?;
    let after = asked_pause(&error.signal).max(RETRY_PAUSE);
    Ok(try_again(attempt.session_id, after, class, reason))
}

/// How long the runtime asks to be left alone, which must leave something of the startup budget.
fn asked_pause(signal: &Signal) -> Duration {
    match signal {
        Signal::RuntimeUnavailable {
            retry_after_ms: Some(asked),
            ..
        } => Duration::from_millis(*asked).min(LONGEST_PAUSE),
        _ => Duration::ZERO,
    }
}

/// Tries again within the startup budget: soon, and not at the same instant as fifty others. The
/// queue's own backoff would sleep past a budget of a minute.
pub(super) fn try_again(
    session_id: ExamSessionId,
    after: Duration,
    class: String,
    reason: String,
) -> Outcome {
    let spread = u64::try_from(session_id.as_uuid().as_u128() % 1_000).unwrap_or_default();
    Outcome::Retry {
        after: Some(after + Duration::from_millis(spread)),
        class,
        reason,
    }
}

/// The environment, or the place it should be in, says why it is not ready.
pub(super) async fn after_signal(
    workshop: &Workshop,
    attempt: Attempt,
    context: &JobContext,
    setback: Setback<'_>,
) -> Result<Outcome, StepError> {
    let Setback {
        signal,
        detail,
        look,
    } = setback;
    let mut transaction = workshop.pool.begin().await?;
    // The session before its environment, as every other transaction takes them.
    lock_session(&mut transaction, attempt.session_id).await?;
    let Some((session, environment)) = attempt.still_wanted(&mut transaction).await? else {
        return Ok(Outcome::Done);
    };
    let now = database_now(&mut transaction).await?;
    let signal = &with_pending_room(&mut transaction, signal).await?;
    let classified = classify(signal, Phase::BeforeReady);
    let code = classified.code().as_str();
    let (since, before) = earlier(
        environment.last_signal.as_ref(),
        attempt.attempt,
        code,
        now,
        look.took(),
    );
    let times = before + 1;
    let note = noted(signal, detail, attempt, (since, times), now);
    record_signal(&mut transaction, attempt.session_id, attempt.attempt, &note).await?;
    let seen = Seen {
        times,
        persisted: (now - since).to_std().unwrap_or_default(),
    };
    let verdict = decide(&classified, attempt.attempt, seen, now < session.ready_by);
    let outcome = match verdict {
        Verdict::LookAgain => Outcome::Snooze { after: LOOK_AGAIN },
        Verdict::NewAttempt => {
            let next = ProvisionEnvironment {
                session_id: attempt.session_id,
                attempt: attempt.attempt + 1,
                avoid: places(&environment, look.place),
            };
            enqueue(
                &mut transaction,
                &next,
                &signed(WORKER, context.traceparent.clone()),
            )
            .await?;
            Outcome::Done
        }
        Verdict::Fail => {
            fail(&mut transaction, &session, &classified, note, context).await?;
            Outcome::Done
        }
    };
    context.record(&mut transaction, &outcome).await?;
    transaction.commit().await?;
    if verdict == Verdict::Fail {
        measure::session_failed(&classified);
    }
    workshop.waker.wake();
    Ok(Outcome::AlreadyRecorded)
}

/// A full quota is worth waiting for while environments of ours are on their way out, which the
/// runtime cannot know.
async fn with_pending_room(conn: &mut PgConnection, signal: &Signal) -> Result<Signal, StepError> {
    let signal = signal.clone();
    Ok(match signal {
        Signal::QuotaExceeded { .. } => {
            signal.with_cleanup_pending(is_teardown_pending(conn).await?)
        }
        other => other,
    })
}

/// Where this and the earlier attempts failed.
fn places(environment: &EnvironmentRecord, place: Option<&str>) -> Vec<String> {
    let spec = environment.spec.as_ref();
    let spec = spec.and_then(|spec| EnvironmentSpec::deserialize(spec).ok());
    let mut places = spec.map(|spec| spec.avoid).unwrap_or_default();
    let place = place.filter(|place| !places.iter().any(|known| known == place));
    places.extend(place.map(str::to_owned));
    places
}

async fn fail(
    conn: &mut PgConnection,
    session: &SessionRecord,
    classified: &Classified,
    evidence: Value,
    context: &JobContext,
) -> Result<(), StepError> {
    let step = Advance::Fail(failure(classified, evidence));
    advance(
        conn,
        session.id,
        Expected::AnyVersion,
        step,
        &provenance(context),
    )
    .await?;
    after_end(
        conn,
        session.id,
        &signed(WORKER, context.traceparent.clone()),
    )
    .await
}

/// Writes a verdict as the reason a session failed.
pub(crate) fn failure(classified: &Classified, evidence: Value) -> FailureRecord {
    FailureRecord {
        class: classified.rule.class.as_str().to_owned(),
        code: classified.code().as_str().to_owned(),
        reason: classified.operator_text.clone(),
        evidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(retry_after_ms: Option<u64>) -> Signal {
        Signal::RuntimeUnavailable {
            operation: "create".to_owned(),
            status: Some(429),
            message: "too many requests".to_owned(),
            retry_after_ms,
        }
    }

    #[test]
    fn a_runtime_that_asks_for_a_pause_gets_it_within_bounds() {
        assert_eq!(asked_pause(&unavailable(None)), Duration::ZERO);
        let asked = asked_pause(&unavailable(Some(7_000)));
        assert_eq!(asked, Duration::from_secs(7));
        assert_eq!(asked_pause(&unavailable(Some(900_000))), LONGEST_PAUSE);
    }
}
