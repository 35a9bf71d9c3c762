//! The note kept beside an attempt: what kept it from being ready, since when, and how often it was seen.

use chrono::{DateTime, TimeDelta, Utc};
use failure_classification::{Phase, Signal, classify};
use serde_json::{Value, json};

use crate::work::attempt::Attempt;

/// A note older than this no longer says that its signal persists…
const NOTE_HOLDS: TimeDelta = TimeDelta::seconds(5);
/// …and one older than this does not even count as a sighting. Between two looks lie a place in the
/// queue and a call, of half a minute each at the worst.
const SIGHTING_COUNTS: TimeDelta = TimeDelta::minutes(2);

/// The note kept beside an attempt: the signal, what was said, since when it has been so and how
/// often it was seen since.
pub(super) fn noted(
    signal: &Signal,
    detail: &str,
    attempt: Attempt,
    (since, times): (DateTime<Utc>, u32),
    now: DateTime<Utc>,
) -> Value {
    json!({
        "code": classify(signal, Phase::BeforeReady).code().as_str(),
        "attempt": attempt.attempt,
        "signal": signal,
        "detail": detail,
        "since": since,
        "times": times,
        "at": now,
    })
}

/// Since when this attempt has shown this code without a gap, and how often it was seen to before
/// this look, which ended `now` and took so long.
pub(super) fn earlier(
    note: Option<&Value>,
    attempt: i32,
    code: &str,
    now: DateTime<Utc>,
    took: TimeDelta,
) -> (DateTime<Utc>, u32) {
    let told = || {
        let note = note?;
        let same_code = note.get("code")?.as_str()? == code;
        let same_attempt = note.get("attempt")?.as_i64()? == i64::from(attempt);
        let time = |key| note.get(key)?.as_str()?.parse::<DateTime<Utc>>().ok();
        // Notes of an older release do not count their sightings: there was one at least.
        let times = note.get("times").and_then(Value::as_u64).unwrap_or(1);
        let age = now - took - time("at")?;
        (same_code && same_attempt && age <= SIGHTING_COUNTS).then_some((
            if age <= NOTE_HOLDS {
                time("since")?
            } else {
                now
            },
            times,
        ))
    };
    let (since, times) = told().unwrap_or((now, 0));
    (since, u32::try_from(times).unwrap_or(u32::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sightings_of_one_code_add_up_while_they_are_close_and_persist_while_there_is_no_gap() {
        let at = |second: i64| DateTime::from_timestamp(1_000 + second, 0).unwrap();
        let note = json!({ "code": "a", "attempt": 1, "times": 2, "since": at(0), "at": at(10) });
        let told = |attempt, code, second| {
            earlier(Some(&note), attempt, code, at(second), TimeDelta::zero())
        };
        assert_eq!(told(1, "a", 14), (at(0), 2));
        assert_eq!(
            told(1, "a", 70),
            (at(70), 2),
            "after a gap it persists from now"
        );
        for other in [told(1, "a", 131), told(2, "a", 11), told(1, "b", 11)] {
            assert_eq!(other.1, 0, "another attempt, another code, or long ago");
        }
        let older = json!({ "code": "a", "attempt": 1, "since": at(0), "at": at(10) });
        let at_once = TimeDelta::zero();
        assert_eq!(earlier(Some(&older), 1, "a", at(11), at_once), (at(0), 1));
        assert_eq!(earlier(None, 1, "a", at(11), at_once), (at(11), 0));
    }

    #[test]
    fn a_look_that_takes_long_is_no_gap() {
        let at = |second: i64| DateTime::from_timestamp(1_000 + second, 0).unwrap();
        let note = json!({ "code": "a", "attempt": 1, "times": 2, "since": at(0), "at": at(10) });
        let told = |took| earlier(Some(&note), 1, "a", at(25), TimeDelta::seconds(took));
        assert_eq!(
            told(12),
            (at(0), 2),
            "it began three seconds after the note"
        );
        assert_eq!(told(2), (at(25), 2), "nobody looked for thirteen seconds");
    }
}
