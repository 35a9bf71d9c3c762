//! A stretch of time between two moments.

use chrono::{DateTime, Utc};

use crate::{CliError, Moment};

/// From when and before when; an end that is absent does not narrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub before: Option<DateTime<Utc>>,
}

impl Window {
    /// Settles what `--since` and the flags that end a window mean, by the given clock. Of several ends
    /// the earliest counts.
    ///
    /// # Errors
    /// A usage error for `since` when two dates or two ages are the wrong way round. A date beside an age
    /// may be a window that slides and is empty today.
    pub fn settle(
        since: Option<Moment>,
        ends: impl IntoIterator<Item = Option<Moment>>,
        now: DateTime<Utc>,
    ) -> Result<Self, CliError> {
        let ends: Vec<Moment> = ends.into_iter().flatten().collect();
        if since.is_some_and(|since| ends.iter().any(|end| is_reversed(since, *end))) {
            return Err(CliError::usage("since", "the window ends before it begins")
                .next("give a --since that is before the window's end"));
        }
        Ok(Self {
            from: since.map(|since| since.before(now)),
            before: ends.into_iter().map(|end| end.before(now)).min(),
        })
    }
}

fn is_reversed(since: Moment, end: Moment) -> bool {
    match (since, end) {
        (Moment::At(from), Moment::At(to)) => from >= to,
        (Moment::Ago(from), Moment::Ago(to)) => from <= to,
        (Moment::At(_), Moment::Ago(_)) | (Moment::Ago(_), Moment::At(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(since: Option<&str>, ends: &[&str]) -> Result<Window, CliError> {
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let ends = ends.iter().map(|end| end.parse().ok());
        Window::settle(since.map(|since| since.parse().unwrap()), ends, now)
    }

    #[test]
    fn the_earliest_end_counts_and_no_flag_narrows_nothing() {
        let window = settle(Some("3h"), &["1h", "2026-11-30T10:00:00Z"]).unwrap();
        assert_eq!(window.from, "2026-11-30T09:00:00Z".parse().ok());
        assert_eq!(window.before, "2026-11-30T10:00:00Z".parse().ok());
        assert_eq!(settle(None, &[]).unwrap(), Window::default());
    }

    #[test]
    fn two_dates_or_two_ages_the_wrong_way_round_are_refused_and_a_sliding_end_is_not() {
        for (since, end) in [
            ("1h", "2h"),
            ("1h", "1h"),
            ("2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z"),
        ] {
            let error = settle(Some(since), &[end]).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("since"), "{since} {end}");
        }
        assert!(settle(Some("1h"), &["2026-11-29T12:00:00Z"]).is_ok());
    }
}
