//! A destruction that takes too long: helped along once where its node answers, waited for where not.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cleanup_ttl::database_now;
use execution_environment::{
    CleanupBlock, EnvironmentRecord, Observation, Observed, RuntimeName, record_cleanup_blocked,
    record_forced,
};
use job_queue::Outcome;

use super::STILL_THERE;
use crate::{StepError, Workshop, measure};

/// Two minutes beyond the grace of a deletion. A node ends a pod within seconds, a busy one within half a
/// minute, and a cluster takes most of one to notice that a node is silent.
const HANGS_AFTER: TimeDelta = TimeDelta::seconds(121);
/// How soon it is looked at again after that: what hangs for minutes may hang for hours.
const LOOK: Duration = Duration::from_secs(5);

/// What to do about something that is still there.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It has not had its time.
    Wait,
    /// Its node answers nobody: what runs there could not be ended by forgetting it.
    Blocked,
    /// Its node answers and does not end it.
    Force,
    /// That was done, and did not help.
    WaitOn,
}

/// Decides, of what was destroyed for so long.
fn step(destroyed_for: Option<TimeDelta>, is_place_lost: bool, is_forced: bool) -> Step {
    match destroyed_for {
        Some(age) if age >= HANGS_AFTER && is_place_lost => Step::Blocked,
        Some(age) if age >= HANGS_AFTER && is_forced => Step::WaitOn,
        Some(age) if age >= HANGS_AFTER => Step::Force,
        Some(_) | None => Step::Wait,
    }
}

/// For how long a deletion has been under way. The row is written before the runtime is asked, which may
/// have been out of reach for long: where the runtime says that it was told later, that counts. Its clock
/// can put a force off and never bring it forward.
fn age(
    now: DateTime<Utc>,
    begun: Option<DateTime<Utc>>,
    going_since: Option<DateTime<Utc>>,
) -> Option<TimeDelta> {
    let since = begun.map(|begun| going_since.map_or(begun, |since| since.max(begun)));
    since.map(|since| now - since)
}

/// Looks after what a deletion has not removed, and says when the job goes on.
pub(super) async fn still_there(
    workshop: &Workshop,
    environment: &EnvironmentRecord,
    name: &RuntimeName,
) -> Result<Outcome, StepError> {
    let now = database_now(&mut *workshop.pool.acquire().await?).await?;
    let begun = environment.destroying_at;
    if step(age(now, begun, None), false, false) == Step::Wait {
        return Ok(Outcome::Snooze { after: STILL_THERE });
    }
    let Observation::Present(found) = workshop.runtime.observe(name).await? else {
        // The next run confirms it.
        return Ok(Outcome::Snooze { after: STILL_THERE });
    };
    let is_forced = environment.forced_at.is_some();
    let age = age(now, begun, found.going_since);
    let step = step(age, found.is_place_lost, is_forced);
    if step == Step::Wait {
        return Ok(Outcome::Snooze { after: STILL_THERE });
    }
    let blocked = (step == Step::Blocked).then_some(CleanupBlock::NodeLost);
    tell_blocked(workshop, environment, &found, blocked).await?;
    if step == Step::Force {
        force(workshop, environment, name, &found).await?;
        return Ok(Outcome::Snooze { after: STILL_THERE });
    }
    Ok(Outcome::Snooze { after: LOOK })
}

/// Keeps on the row what it waits for; says so once.
async fn tell_blocked(
    workshop: &Workshop,
    environment: &EnvironmentRecord,
    found: &Observed,
    blocked: Option<CleanupBlock>,
) -> Result<(), StepError> {
    let session_id = environment.session_id;
    let mut connection = workshop.pool.acquire().await?;
    let is_news = record_cleanup_blocked(&mut connection, session_id, blocked).await?;
    if is_news && let Some(cause) = blocked {
        tracing::warn!(
            session.id = %session_id, environment.uid = %found.uid, node = found.place,
            "cleanup_blocked({cause}): its destruction is waited for"
        );
    }
    Ok(())
}

/// Deletes the uid without grace, once: whoever is killed before it is noted does it again, which
/// deletes nothing more.
async fn force(
    workshop: &Workshop,
    environment: &EnvironmentRecord,
    name: &RuntimeName,
    found: &Observed,
) -> Result<(), StepError> {
    workshop.runtime.destroy_by_force(name, &found.uid).await?;
    let session_id = environment.session_id;
    let mut connection = workshop.pool.acquire().await?;
    if record_forced(&mut connection, session_id).await? {
        measure::teardown_forced();
        tracing::error!(
            session.id = %session_id, environment.uid = %found.uid, node = found.place,
            "its destruction hung for two minutes: it was deleted without grace"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_forced_once_and_only_where_its_node_answers() {
        let young = Some(HANGS_AFTER - TimeDelta::milliseconds(1));
        for early in [None, young, Some(TimeDelta::seconds(-5))] {
            assert_eq!(step(early, true, false), Step::Wait, "{early:?}");
            assert_eq!(step(early, false, true), Step::Wait, "{early:?}");
        }
        let hangs = Some(HANGS_AFTER);
        assert_eq!(step(hangs, false, false), Step::Force);
        assert_eq!(step(hangs, false, true), Step::WaitOn);
        assert_eq!(step(hangs, true, false), Step::Blocked);
        assert_eq!(step(hangs, true, true), Step::Blocked);
    }

    #[test]
    fn a_runtime_that_could_not_be_told_for_long_gets_its_time_too() {
        let at = |second: i64| DateTime::from_timestamp(1_000 + second, 0);
        let now = at(600).unwrap();
        let seconds = |since, going| age(now, since, going).map(|age| age.num_seconds());
        assert_eq!(seconds(None, at(0)), None);
        assert_eq!(seconds(at(0), None), Some(600), "it does not say when");
        assert_eq!(seconds(at(0), at(590)), Some(10));
        assert_eq!(seconds(at(10), at(0)), Some(590), "it was going before");
    }
}
