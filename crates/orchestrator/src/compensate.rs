//! Giving back the time that the platform took from a candidate.

use std::time::Duration;

use environment_access::{ChargedTo, Interruption, load_interruptions, platform_time};
use serde::Serialize;
use session_identity::{Actor, ExamSessionId};
use session_lifecycle::{ExtendError, Extension, ExtensionRecord, extensions, lock_session};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};

use crate::cohort::grant;
use crate::{CohortOutcome, StepError};

/// How the key of every compensation begins, and no other extension's: their sum is what was given back
/// before.
const KEY_PREFIX: &str = "interruptions:";

/// Refuses a key that would pass an extension off as a compensation.
///
/// # Errors
/// [`ExtendError::Invalid`].
pub(crate) fn check_key(key: &str) -> Result<(), ExtendError> {
    if key.starts_with(KEY_PREFIX) {
        return Err(ExtendError::Invalid {
            field: "idempotency_key",
            problem: "must not begin with `interruptions:`, as the keys of compensations do",
        });
    }
    Ok(())
}

/// What the platform owes a session: proposed, and decided by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Debt {
    /// Every interruption since the clock runs, oldest first, whoever's doing it was.
    pub interruptions: Vec<Interruption>,
    /// The platform's, as far as they are over, in whole seconds begun.
    pub owed_seconds: u64,
    /// Given back before.
    pub given_seconds: u64,
    /// What is left to give.
    pub due_seconds: u64,
    /// Other time given, which may have been meant for the same.
    pub otherwise_extended_seconds: u64,
}

/// Who gives time back, and why.
#[derive(Debug, Clone)]
pub struct Compensation {
    /// Who.
    pub actor: Actor,
    /// Why; must say something.
    pub reason: String,
}

impl Debt {
    /// Finds what is owed to a session. The session need not exist; nothing is owed then.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn of(conn: &mut PgConnection, session_id: ExamSessionId) -> Result<Self, StepError> {
        let interruptions = load_interruptions(conn, session_id).await?;
        let given = extensions(conn, session_id).await?;
        Ok(Self::from_records(interruptions, &given))
    }

    fn from_records(interruptions: Vec<Interruption>, extensions: &[ExtensionRecord]) -> Self {
        let owed = platform_time(&interruptions).num_milliseconds();
        let owed_seconds = u64::try_from(owed).unwrap_or(0).div_ceil(1_000);
        let sum = |back: bool| {
            let of_kind = extensions
                .iter()
                .filter(|it| is_compensation(&it.idempotency_key) == back);
            of_kind
                .map(|it| u64::try_from(it.by_seconds).unwrap_or(0))
                .sum::<u64>()
        };
        let given_seconds = sum(true);
        Self {
            interruptions,
            owed_seconds,
            given_seconds,
            due_seconds: owed_seconds.saturating_sub(given_seconds),
            otherwise_extended_seconds: sum(false),
        }
    }

    /// Names what is owed and what of it was given before: each part is paid for once, whoever asks.
    fn key(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.given_seconds.to_be_bytes());
        for it in self.charged() {
            hash.update(it.from.timestamp_micros().to_be_bytes());
            hash.update(it.until.map_or(0, |at| at.timestamp_micros()).to_be_bytes());
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hash.finalize()[..16]);
        format!("{KEY_PREFIX}{:032x}", u128::from_be_bytes(short))
    }

    fn charged(&self) -> impl Iterator<Item = &Interruption> {
        let all = self.interruptions.iter();
        all.filter(|it| it.charged_to == ChargedTo::Platform && it.until.is_some())
    }
}

/// Says by its key whether an extension gave back what the platform took.
pub fn is_compensation(idempotency_key: &str) -> bool {
    idempotency_key.starts_with(KEY_PREFIX)
}

/// Gives a session back what it is owed, in one transaction. A session that is over, or owed nothing,
/// is left as it is.
///
/// # Errors
/// Errors of the database. A refusal is an outcome.
pub async fn compensate_session(
    pool: &PgPool,
    session_id: ExamSessionId,
    compensation: &Compensation,
) -> Result<CohortOutcome, StepError> {
    let mut transaction = pool.begin().await?;
    let outcome = compensate(&mut transaction, session_id, compensation).await?;
    transaction.commit().await?;
    Ok(outcome)
}

/// Gives a session back what it is owed, in the caller's transaction: at most what its cap leaves.
///
/// # Errors
/// Errors of the database. A refusal is an outcome.
pub(crate) async fn compensate(
    conn: &mut PgConnection,
    session_id: ExamSessionId,
    compensation: &Compensation,
) -> Result<CohortOutcome, StepError> {
    // Under the lock, so that of two people who give at once the second finds nothing left.
    let Some(session) = lock_session(conn, session_id).await? else {
        return Ok(CohortOutcome::NothingOwed);
    };
    if session.state.is_terminal() {
        return Ok(CohortOutcome::AlreadyEnded {
            state: session.state,
        });
    }
    let debt = Debt::of(conn, session_id).await?;
    if debt.due_seconds == 0 {
        return Ok(CohortOutcome::NothingOwed);
    }
    let extension = Extension {
        session_id,
        by: Duration::from_secs(debt.due_seconds),
        actor: compensation.actor.clone(),
        reason: compensation.reason.clone(),
        idempotency_key: debt.key(),
    };
    grant(conn, &extension, session.absolute_end).await
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    fn interruption(from: i64, until: Option<i64>, charged_to: ChargedTo) -> Interruption {
        Interruption {
            from: at(from),
            until: until.map(at),
            charged_to,
            cause: "restart".to_owned(),
            epoch: 1,
        }
    }

    fn extension(by_seconds: i32, key: &str) -> ExtensionRecord {
        ExtensionRecord {
            version: 2,
            by_seconds,
            previous_end: at(0),
            new_end: at(0),
            actor: "staff:dana".to_owned(),
            reason: "r".to_owned(),
            idempotency_key: key.to_owned(),
            at: at(0),
        }
    }

    #[test]
    fn a_begun_second_is_owed_what_was_given_back_is_not_and_other_time_is_told_apart() {
        let of_platform = interruption(0, Some(10_200), ChargedTo::Platform);
        let of_candidate = interruption(20_000, Some(90_000), ChargedTo::Candidate);
        let lasting = interruption(95_000, None, ChargedTo::Platform);
        let given = [extension(4, "interruptions:abc"), extension(600, "k")];
        let debt = Debt::from_records(vec![of_platform, of_candidate, lasting], &given);
        assert_eq!(
            [
                debt.owed_seconds,
                debt.given_seconds,
                debt.due_seconds,
                debt.otherwise_extended_seconds
            ],
            [11, 4, 7, 600]
        );
        let more = Debt::from_records(Vec::new(), &[extension(60, "interruptions:abc")]);
        assert_eq!(more.due_seconds, 0, "what was given is not taken back");
    }

    #[test]
    fn the_same_interruptions_have_one_key_and_one_more_has_another() {
        let debt = |found: &[(i64, Option<i64>, ChargedTo)]| {
            let found = found
                .iter()
                .map(|(from, until, whose)| interruption(*from, *until, *whose));
            Debt::from_records(found.collect(), &[]).key()
        };
        let first = (0, Some(10_000), ChargedTo::Platform);
        let by_candidate = (20_000, Some(30_000), ChargedTo::Candidate);
        let second = (40_000, Some(50_000), ChargedTo::Platform);
        assert_eq!(debt(&[first]), debt(&[first, by_candidate]));
        assert_ne!(debt(&[first]), debt(&[first, second]));
        assert!(debt(&[first]).starts_with(KEY_PREFIX));
    }
}
