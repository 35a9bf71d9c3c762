//! Where a page ended: the time, the source and the row of its last entry.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// Above every key that a declaration has.
const LAST_KEY: &str = "\u{10ffff}";

/// What a library offers. The order breaks ties between entries of the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Action,
    Transition,
    Extension,
    Environment,
    Declaration,
}

impl Source {
    const ALL: [Self; 5] = [
        Self::Action,
        Self::Transition,
        Self::Extension,
        Self::Environment,
        Self::Declaration,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Transition => "transition",
            Self::Extension => "extension",
            Self::Environment => "environment",
            Self::Declaration => "declaration",
        }
    }
}

/// Names the last entry of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: DateTime<Utc>,
    pub(super) source: Source,
    pub(super) key: String,
}

impl Cursor {
    /// Says after which row a source goes on. Of the cursor's own moment, sources before its own have
    /// been listed whole and those behind it not at all.
    pub(super) fn numbered(&self, source: Source) -> (DateTime<Utc>, i64) {
        let id = match source.cmp(&self.source) {
            std::cmp::Ordering::Less => i64::MIN,
            std::cmp::Ordering::Equal => self.key.parse().unwrap_or(i64::MIN),
            std::cmp::Ordering::Greater => i64::MAX,
        };
        (self.at, id)
    }

    /// The same for declarations, whose keys are words and which come last.
    pub(super) fn named(&self) -> (DateTime<Utc>, String) {
        let is_own = self.source == Source::Declaration;
        let key = if is_own { &self.key } else { LAST_KEY };
        (self.at, key.to_owned())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        write!(f, "{at}/{}/{}", self.source.as_str(), self.key)
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| "give the `next_cursor` of the page before, whole".to_owned())
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let mut parts = text.splitn(3, '/');
    let (at, source, key) = (parts.next()?, parts.next()?, parts.next()?);
    let source = Source::ALL
        .into_iter()
        .find(|known| known.as_str() == source)?;
    let is_key = if source == Source::Declaration {
        !key.is_empty() && !key.contains('\0')
    } else {
        key.parse::<i64>().is_ok()
    };
    let at = DateTime::parse_from_rfc3339(at).ok()?.to_utc();
    is_key.then(|| Cursor {
        at,
        source,
        key: key.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2026-11-30T08:00:00.123456Z/transition/17";

    #[test]
    fn a_cursor_survives_text_and_a_broken_one_is_refused() {
        assert_eq!(TEXT.parse::<Cursor>().unwrap().to_string(), TEXT);
        for broken in [
            "",
            "17",
            "2026-11-30T08:00:00Z/transition",
            "2026-11-30T08:00:00Z/transition/x",
            "2026-11-30T08:00:00Z/pod/17",
            "2026-11-30T08:00:00Z/declaration/",
            "yesterday/action/17",
        ] {
            assert!(broken.parse::<Cursor>().is_err(), "{broken:?}");
        }
    }

    #[test]
    fn of_its_own_moment_only_what_comes_behind_it_is_still_listed() {
        let cursor: Cursor = TEXT.parse().unwrap();
        assert_eq!(cursor.numbered(Source::Action), (cursor.at, i64::MIN));
        assert_eq!(cursor.numbered(Source::Transition), (cursor.at, 17));
        assert_eq!(cursor.numbered(Source::Extension), (cursor.at, i64::MAX));
        assert_eq!(cursor.numbered(Source::Environment), (cursor.at, i64::MAX));
        assert_eq!(cursor.named(), (cursor.at, LAST_KEY.to_owned()));
    }
}
