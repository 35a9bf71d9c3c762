//! The trial of an exam: an environment of it is made, proven and destroyed once, before its version
//! is stored, so that what cannot work is found then and not on exam day.

mod attempt;
mod clearing;
mod error;
mod patience;

use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::FusedFuture;
use serde::Serialize;
use serde_json::Value;
use session_identity::{ExamSessionId, ExecutionEnvironmentId, InstallId, UserId};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Builder;

use attempt::{Trial, Tried, attempt};
pub use error::{TrialCheck, TrialError};

use crate::store::{TrialFacts, load_trial_facts};
use crate::{
    EnvironmentRuntime, EnvironmentSpec, ExamDefinition, Purpose, RuntimeKind, StoreError,
    find_valid_waiver, judge, needed_waiver,
};

/// Says on what a version of an exam is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum ExamBasis {
    /// An environment of it was made and proven.
    Proven(TrialProof),
    /// Nobody has tried it: its faults will show in a candidate's session.
    Unproven {
        /// Why it is stored all the same, 1–500 characters.
        reason: String,
    },
}

/// Tells what a trial found.
///
/// Shape: `{"runtime", "image_digest", "evidence"}`, the `proof` of an exam's version; `evidence` as
/// [`IsolationReport::evidence`](crate::IsolationReport::evidence) writes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialProof {
    /// Where the environment was made.
    pub runtime: RuntimeKind,
    /// The image that ran, as the runtime identifies it; `None` when it does not tell.
    pub image_digest: Option<String>,
    /// What was found inside and admitted outside, against the declaration.
    pub evidence: Value,
}

/// Makes an environment of an exam, proves its isolation and destroys it, within the exam's startup
/// budget.
///
/// It bears an install id of its own, which no sweep and no count of this database's environments
/// looks for; what a killed trial has left is removed afterwards, as [`clear_trials`] does. Once
/// `stop` is over, the trial is broken off; while it clears, it still removes its own environment, and
/// is interrupted all the same. Dropped, it leaves its environment to the next trial.
///
/// # Errors
/// [`TrialError`], which names the check that failed. The environment is destroyed in any case.
pub async fn prove_exam(
    pool: &PgPool,
    runtime: &dyn EnvironmentRuntime,
    exam: &ExamDefinition,
    stop: impl Future<Output = ()>,
) -> Result<TrialProof, TrialError> {
    must_be_usable(runtime, exam).await?;
    let facts = facts(pool).await?;
    let mut trial = Trial {
        pool,
        runtime,
        spec: describe(&facts, exam),
    };
    // Over once, it is asked again: it may come while the environment is removed.
    let mut stop = pin!(stop.fuse());
    let tried = attempt(&mut trial, stop.as_mut()).await;
    let spec = trial.spec;
    let mut is_stopped = matches!(tried, Err(TrialError::Interrupted { .. }));
    let name = spec.runtime_name();
    let clear = clearing::clear(runtime, &name);
    let cleared = heeding(stop.as_mut(), &mut is_stopped, clear).await;
    // Who interrupts does not want to wait for what others have left.
    let others = clearing::clear_abandoned(runtime, spec.install_id, facts.now);
    if !is_stopped && !unless_stopped(stop, others).await {
        is_stopped = true;
    }
    let tried = match tried {
        Ok(_) if is_stopped => Err(TrialError::Interrupted { left: None }),
        tried => tried,
    };
    match (tried, cleared) {
        (Err(failed), Err(_)) => Err(failed.and_left(name)),
        (tried, Ok(())) => tried,
        (Ok(_), Err(left)) => Err(left),
    }
}

/// Does what is not broken off, and takes notice of a stop meanwhile.
async fn heeding<T>(
    mut stop: impl FusedFuture<Output = ()> + Unpin,
    is_stopped: &mut bool,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = &mut stop, if !stop.is_terminated() => *is_stopped = true,
        }
    }
}

/// Does what may be broken off. Returns whether it came to its end.
async fn unless_stopped(
    stop: impl FusedFuture<Output = ()> + Unpin,
    work: impl Future<Output = ()>,
) -> bool {
    if stop.is_terminated() {
        work.await;
        return true;
    }
    tokio::select! {
        biased;
        () = stop => false,
        () = work => true,
    }
}

/// Removes what killed trials of this database have left on a runtime; within a minute, and what
/// stays is the next call's. Trials that may still be running are left alone.
///
/// # Errors
/// [`StoreError`] when the database does not say whose trials they are.
pub async fn clear_trials(
    pool: &PgPool,
    runtime: &dyn EnvironmentRuntime,
) -> Result<(), StoreError> {
    let facts = facts(pool).await?;
    clearing::clear_abandoned(runtime, trials_of(facts.install_id), facts.now).await;
    Ok(())
}

async fn facts(pool: &PgPool) -> Result<TrialFacts, StoreError> {
    load_trial_facts(&mut *pool.acquire().await?).await
}

async fn must_be_usable(
    runtime: &dyn EnvironmentRuntime,
    exam: &ExamDefinition,
) -> Result<(), TrialError> {
    let mut findings = runtime.check(Purpose::Create).await;
    if findings.is_empty() {
        findings = runtime.check_exam(exam).await;
    }
    let mut findings = findings.into_iter();
    match findings.next() {
        None => Ok(()),
        Some(first) => Err(TrialError::Unusable {
            first,
            others: findings.collect(),
        }),
    }
}

fn describe(facts: &TrialFacts, exam: &ExamDefinition) -> EnvironmentSpec {
    EnvironmentSpec {
        install_id: trials_of(facts.install_id),
        session_id: ExamSessionId::generate(),
        user_id: UserId::parse(TRIED_BY).expect("the name is well-formed"),
        environment_id: ExecutionEnvironmentId::generate(),
        attempt: 1,
        exam: exam.clone(),
        deadline: Some(facts.now + exam.startup_budget()),
        avoid: Vec::new(),
    }
}

/// Whoever looks at the runtime sees whose environment it is not.
const TRIED_BY: &str = "trial@carrel";

/// Gives the install id that environments of a database's trials bear.
///
/// Derived and not chosen, so that the next trial of the same database knows its predecessors.
pub fn trials_of(install_id: InstallId) -> InstallId {
    let digest = Sha256::digest(format!("trials of {install_id}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    InstallId::from_uuid(Builder::from_custom_bytes(bytes).into_uuid())
}

/// As with a candidate's environment, a recorded waiver covers the network.
async fn judged(trial: &Trial<'_>, tried: Tried) -> Result<TrialProof, TrialError> {
    let exam = &trial.spec.exam;
    let gaps = judge(&tried.report, exam);
    let waiver = match needed_waiver(&gaps) {
        Some(protection) => {
            let mut conn = trial.pool.acquire().await.map_err(StoreError::from)?;
            find_valid_waiver(&mut conn, protection).await?
        }
        None => None,
    };
    if !gaps.is_empty() && waiver.is_none() {
        return Err(TrialError::not_isolated(&gaps, tried.place));
    }
    Ok(TrialProof {
        runtime: trial.runtime.kind(),
        image_digest: tried.image_digest,
        evidence: tried.report.evidence(exam, waiver.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_while_the_environment_is_removed_is_heeded_and_breaks_nothing_off() {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let mut stop = pin!(async { told.await.expect("told") }.fuse());
        let mut is_stopped = false;
        let work = async {
            tell.send(()).expect("somebody listens");
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            "removed"
        };
        let done = heeding(stop.as_mut(), &mut is_stopped, work).await;
        assert_eq!((done, is_stopped), ("removed", true));
        assert!(unless_stopped(stop, async {}).await, "it is over already");
        let stopped = pin!(std::future::ready(()).fuse());
        let broken_off = !unless_stopped(stopped, std::future::pending()).await;
        assert!(broken_off);
    }

    #[test]
    fn trials_of_one_database_bear_one_id_that_is_nobody_s_environments() {
        let [ours, other] = [InstallId::generate(), InstallId::generate()];
        assert_eq!(trials_of(ours), trials_of(ours));
        assert_ne!(trials_of(ours), ours);
        assert_ne!(trials_of(ours), trials_of(other));
    }
}
