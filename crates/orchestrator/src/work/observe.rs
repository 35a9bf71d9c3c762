//! `observe_environment`: looks at an attempt until it is proven or classified.

use std::time::Duration;

use async_trait::async_trait;
use execution_environment::{
    EnvironmentRecord, EnvironmentSpec, IsolationGap, IsolationWaiver, Observation, Observed,
    Phase, RuntimeError, RuntimeName, RuntimeUid, find_valid_waiver, judge, needed_waiver,
    record_up,
};
use failure_classification::Signal;
use job_queue::{Handler, JobContext, Outcome};
use session_lifecycle::{Advance, Expected, SessionRecord, advance};
use sqlx::PgPool;
use tokio::time::Instant;

use super::{
    Workshop,
    attempt::Attempt,
    outcome::{provenance, settle},
    setback::{self, Look, Setback},
};
use crate::{ObserveEnvironment, StepError};

/// A pending environment is looked at again after this at the soonest.
const LOOK: Duration = Duration::from_millis(50);

/// And after this at the latest, where the runtime gives hints, within one run and not through the
/// table: that would cost a claim each time.
const UNHINTED: Duration = Duration::from_secs(1);

/// Then the slot is given to others.
const TURN: Duration = Duration::from_secs(2);

pub(super) struct Observe(pub(super) Workshop);

#[async_trait]
impl Handler<ObserveEnvironment> for Observe {
    async fn run(&self, job: ObserveEnvironment, context: &JobContext) -> Outcome {
        settle(context, observe(&self.0, (&job).into(), context).await)
    }
}

/// What is to be looked at.
struct Subject {
    session: SessionRecord,
    name: RuntimeName,
    uid: Option<RuntimeUid>,
    spec: EnvironmentSpec,
}

async fn observe(
    workshop: &Workshop,
    attempt: Attempt,
    context: &JobContext,
) -> Result<Outcome, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    let wanted = attempt.still_wanted(&mut connection).await?;
    drop(connection);
    let Some((session, environment)) = wanted else {
        return Ok(Outcome::Done);
    };
    let Some(subject) = subject(session, environment, attempt) else {
        let reason = "the stored description of the attempt cannot be read".to_owned();
        return Ok(Outcome::Dead {
            class: "inconsistent".to_owned(),
            reason,
        });
    };
    let begun = Instant::now();
    while begun.elapsed() < TURN && !context.cancellation.is_cancelled() {
        let began = Instant::now();
        match workshop.runtime.observe(&subject.name).await {
            Err(error) => {
                let look = Look { began, place: None };
                return setback::after_error(workshop, attempt, context, error, look).await;
            }
            Ok(observation) => match signal_in(&observation, subject.uid.as_ref()) {
                Looked::Pending => {
                    let name = &subject.name;
                    workshop.runtime.wait_for_change(name, UNHINTED).await;
                }
                Looked::Running(found) => {
                    let look = Look {
                        began,
                        place: place(&observation),
                    };
                    return prove(workshop, &subject, &found.uid, look, attempt, context).await;
                }
                Looked::Setback(signal) => {
                    let look = Look {
                        began,
                        place: place(&observation),
                    };
                    let setback = Setback {
                        signal: &signal,
                        detail: "",
                        look,
                    };
                    return setback::after_signal(workshop, attempt, context, setback).await;
                }
            },
        }
    }
    Ok(Outcome::Snooze { after: LOOK })
}

fn subject(
    session: SessionRecord,
    environment: EnvironmentRecord,
    attempt: Attempt,
) -> Option<Subject> {
    Some(Subject {
        session,
        name: RuntimeName::for_attempt(attempt.session_id, attempt.attempt),
        uid: environment.runtime_uid,
        spec: serde_json::from_value(environment.spec?).ok()?,
    })
}

enum Looked<'a> {
    Pending,
    Running(&'a Observed),
    Setback(Signal),
}

fn place(observation: &Observation) -> Option<&str> {
    match observation {
        Observation::Present(found) => found.place.as_deref(),
        Observation::Absent => None,
    }
}

/// Reads an observation. Whatever carries another uid is not the environment that was made.
fn signal_in<'a>(observation: &'a Observation, expected: Option<&RuntimeUid>) -> Looked<'a> {
    let vanished = |found: Option<&RuntimeUid>| {
        Looked::Setback(Signal::Vanished {
            expected_uid: expected.map(ToString::to_string),
            found_uid: found.map(ToString::to_string),
        })
    };
    let Observation::Present(observed) = observation else {
        return vanished(None);
    };
    if expected != Some(&observed.uid) {
        return vanished(Some(&observed.uid));
    }
    match (&observed.phase, observed.phase.signal()) {
        (_, Some(signal)) => Looked::Setback(signal),
        (Phase::Running, None) => Looked::Running(observed),
        (Phase::Pending { .. } | Phase::Stopped { .. }, None) => Looked::Pending,
    }
}

/// Proves the isolation from inside; only proof makes a session ready.
async fn prove(
    workshop: &Workshop,
    subject: &Subject,
    uid: &RuntimeUid,
    look: Look<'_>,
    attempt: Attempt,
    context: &JobContext,
) -> Result<Outcome, StepError> {
    let exam = &subject.spec.exam;
    let report = match workshop.runtime.verify(&subject.name, uid, exam).await {
        Ok(report) => report,
        // It stopped between the look and the proof: the next look says what became of it.
        Err(error) if matches!(error.signal, Signal::ExecTargetMissing { .. }) => {
            return Ok(Outcome::Snooze { after: LOOK });
        }
        Err(error) => {
            let error = unprovable(error);
            return setback::after_error(workshop, attempt, context, error, look).await;
        }
    };
    let gaps = judge(&report, exam);
    let waiver = waiver_of(&workshop.pool, &gaps).await?;
    let evidence = report.evidence(exam, waiver.as_ref());
    if !gaps.is_empty() && waiver.is_none() {
        let setback = Setback {
            signal: &unproven(&gaps, look.place),
            detail: &evidence.to_string(),
            look,
        };
        return setback::after_signal(workshop, attempt, context, setback).await;
    }
    become_ready(workshop, subject, uid, &evidence, attempt, context).await
}

/// Finds the decision of an operator that covers all these gaps and counts now.
async fn waiver_of(
    pool: &PgPool,
    gaps: &[IsolationGap],
) -> Result<Option<IsolationWaiver>, StepError> {
    let Some(protection) = needed_waiver(gaps) else {
        return Ok(None);
    };
    let mut connection = pool.acquire().await?;
    Ok(find_valid_waiver(&mut connection, protection).await?)
}

/// A keeper that cannot be started is the environment's fault, not the candidate's access.
fn unprovable(mut error: RuntimeError) -> RuntimeError {
    if let Signal::ShellUnavailable { message, .. } = error.signal {
        error.signal = Signal::StartFailed { message };
    }
    error
}

fn unproven(gaps: &[IsolationGap], place: Option<&str>) -> Signal {
    let gaps = gaps.iter().map(ToString::to_string).collect();
    let place = place.map(str::to_owned);
    Signal::IsolationUnproven { gaps, place }
}

async fn become_ready(
    workshop: &Workshop,
    subject: &Subject,
    uid: &RuntimeUid,
    evidence: &serde_json::Value,
    attempt: Attempt,
    context: &JobContext,
) -> Result<Outcome, StepError> {
    let mut transaction = workshop.pool.begin().await?;
    let (step, by) = (Advance::ToReady, provenance(context));
    advance(
        &mut transaction,
        subject.session.id,
        Expected::AnyVersion,
        step,
        &by,
    )
    .await?;
    let up = record_up(
        &mut transaction,
        attempt.session_id,
        attempt.attempt,
        uid,
        evidence,
    )
    .await?;
    if up.is_none() {
        // The attempt was replaced meanwhile; its successor is looked at by a job of its own.
        return Ok(Outcome::Done);
    }
    context.record(&mut transaction, &Outcome::Done).await?;
    transaction.commit().await?;
    Ok(Outcome::AlreadyRecorded)
}

#[cfg(test)]
mod tests {
    use execution_environment::{OwnerLabels, Protection, UserHash, grant_waiver, revoke_waiver};
    use session_identity::{Actor, ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};

    use super::*;

    fn present(uid: &str, phase: Phase) -> Observation {
        Observation::Present(Observed {
            uid: RuntimeUid::from_runtime(uid),
            labels: OwnerLabels {
                install_id: InstallId::generate(),
                session_id: ExamSessionId::generate(),
                environment_id: ExecutionEnvironmentId::generate(),
                attempt: 1,
                user_hash: UserHash::of(&UserId::parse("u").unwrap()),
            },
            phase,
            place: None,
            is_place_lost: false,
            going_since: None,
        })
    }

    #[test]
    fn only_the_uid_that_was_made_counts_as_running() {
        let ours = RuntimeUid::from_runtime("a");
        let running = present("a", Phase::Running);
        let looked = signal_in(&running, Some(&ours));
        assert!(matches!(looked, Looked::Running(_)));
        for other in [present("b", Phase::Running), Observation::Absent] {
            let looked = signal_in(&other, Some(&ours));
            assert!(matches!(looked, Looked::Setback(Signal::Vanished { .. })));
        }
    }

    #[test]
    fn a_stopped_environment_is_an_exit_and_a_quiet_one_is_waited_for() {
        let ours = RuntimeUid::from_runtime("a");
        let stopped = Phase::Stopped {
            exit_code: Some(3),
            oom_killed: true,
            message: None,
            signal: None,
        };
        let stopped = present("a", stopped);
        let looked = signal_in(&stopped, Some(&ours));
        assert!(matches!(
            looked,
            Looked::Setback(Signal::Exited {
                exit_code: Some(3),
                oom_killed: true,
                ..
            })
        ));
        let quiet = present("a", Phase::Pending { signal: None });
        assert!(matches!(signal_in(&quiet, Some(&ours)), Looked::Pending));
    }

    #[sqlx::test(migrator = "migrations::MIGRATOR")]
    async fn only_a_waiver_that_counts_now_covers_a_network_that_is_not_proven(pool: PgPool) {
        let gap = |protection| IsolationGap {
            protection,
            expected: "none".to_owned(),
            found: "some".to_owned(),
        };
        let network = [gap(Protection::NoNetwork)];
        let more = [gap(Protection::NoNetwork), gap(Protection::MemoryLimit)];
        assert_eq!(waiver_of(&pool, &network).await.unwrap(), None);

        let mut conn = pool.acquire().await.unwrap();
        let (actor, hour) = (Actor::System("test"), Duration::from_hours(1));
        let waiver = grant_waiver(&mut conn, "no policies here", hour, &actor);
        let waiver = waiver.await.unwrap();
        let covers = waiver_of(&pool, &network).await.unwrap();
        assert_eq!(covers.as_ref(), Some(&waiver));
        assert_eq!(waiver_of(&pool, &more).await.unwrap(), None);
        assert_eq!(waiver_of(&pool, &[]).await.unwrap(), None);

        revoke_waiver(&mut conn, waiver.id, &actor).await.unwrap();
        assert_eq!(waiver_of(&pool, &network).await.unwrap(), None);
    }
}
