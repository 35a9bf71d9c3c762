//! Spans, names and states as people read them.

use chrono::{DateTime, TimeDelta, Utc};
use environment_access::Interruption;

/// Drops the kind of actor where a person is meant: `staff:dana` is dana to her colleagues.
pub(super) fn who(actor: &str) -> &str {
    actor.strip_prefix("staff:").unwrap_or(actor)
}

/// Writes hours, minutes and seconds, such as `01:27:43`.
pub(super) fn clock_span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Writes how long after the beginning, such as `+00:01:59.5`.
pub(super) fn offset(span: TimeDelta) -> String {
    let sign = if span < TimeDelta::zero() { '-' } else { '+' };
    let tenths = span.abs().subsec_millis() / 100;
    format!("{sign}{}.{tenths}", clock_span(span.abs()))
}

/// Writes seconds with one decimal.
pub(super) fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let tenths = (to - from).num_milliseconds().max(0) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Writes how long an interruption took, and why it was.
pub(in crate::cli) fn length_and_cause(interruption: &Interruption) -> (String, String) {
    let lasted = match interruption.until {
        Some(until) => format!("{} s", seconds_between(interruption.from, until)),
        None => "lasts".to_owned(),
    };
    (lasted, interruption.cause.replace('_', " "))
}

/// Writes an added span in its largest whole unit, such as `+10m`.
pub(in crate::cli) fn signed_span(seconds: i64) -> String {
    match seconds {
        whole if whole % 3_600 == 0 => format!("+{}h", whole / 3_600),
        whole if whole % 60 == 0 => format!("+{}m", whole / 60),
        odd => format!("+{odd}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_and_exact() {
        assert_eq!(signed_span(600), "+10m");
        assert_eq!(signed_span(7_200), "+2h");
        assert_eq!(signed_span(61), "+61s");
        assert_eq!(clock_span(TimeDelta::seconds(5_263)), "01:27:43");
        assert_eq!(clock_span(TimeDelta::seconds(-1)), "00:00:00");
        assert_eq!(clock_span(TimeDelta::hours(100)), "100:00:00");
    }

    #[test]
    fn an_offset_has_its_sign_and_tenths_of_seconds() {
        assert_eq!(offset(TimeDelta::zero()), "+00:00:00.0");
        assert_eq!(offset(TimeDelta::milliseconds(119_550)), "+00:01:59.5");
        assert_eq!(offset(TimeDelta::milliseconds(-250)), "-00:00:00.2");
    }

    #[test]
    fn people_go_by_their_names_and_parts_of_carrel_by_what_they_are() {
        assert_eq!(who("staff:dana"), "dana");
        assert_eq!(who("system:worker"), "system:worker");
    }
}
