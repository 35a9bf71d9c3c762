//! A point in time as people type it.

use std::str::FromStr;
use std::time::Duration;

use crate::parse_duration;
use chrono::{DateTime, Utc};

/// Some time ago, or a date with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(DateTime<Utc>),
}

impl Moment {
    /// Says when it is, by the given clock.
    pub fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Ago(ago) => now - ago,
            Self::At(at) => at,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ago) = parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        let at = DateTime::parse_from_rfc3339(text).map(|at| Self::At(at.to_utc()));
        at.map_err(|_| {
            "write how long ago, such as 2h or 3d, or when, such as 2026-11-29T12:00:00Z".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_some_time_ago_or_a_date_with_its_zone() {
        let now: DateTime<Utc> = "2026-11-29T12:00:00Z".parse().unwrap();
        let before = |text: &str| text.parse::<Moment>().unwrap().before(now).to_rfc3339();
        assert_eq!(before("2h"), "2026-11-29T10:00:00+00:00");
        assert_eq!(
            before("2026-11-29T12:00:00+01:00"),
            "2026-11-29T11:00:00+00:00"
        );
        for text in ["", "2", "yesterday", "2026-11-29", "2026-11-29T12:00:00"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
