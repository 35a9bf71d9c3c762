//! One value of a list, as people and as scripts read it.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// There is none.
    Empty,
    /// Words, such as a name or an id.
    Text(String),
    /// A count.
    Count(i64),
    /// How many a second.
    Rate(f64),
    /// How long, in seconds.
    Seconds(f64),
    /// When.
    Time(DateTime<Utc>),
}

impl Cell {
    /// Makes the cell of anything that has words.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "ids are given as they are read, and owned or borrowed alike"
    )]
    pub fn words(value: impl ToString) -> Self {
        Self::Text(value.to_string())
    }

    /// Writes it for people; what is not there is a dash.
    pub(crate) fn for_people(&self) -> String {
        match self {
            Self::Empty => "-".to_owned(),
            Self::Text(text) => printable(text),
            Self::Count(count) => count.to_string(),
            Self::Rate(rate) => format!("{rate:.2}"),
            Self::Seconds(seconds) => lasting(*seconds),
            Self::Time(at) => at.format("%F %T").to_string(),
        }
    }

    /// Writes it for scripts: times by RFC 3339, durations in seconds, what is not there as nothing, and
    /// no tab or line break, which would make another field of the rest.
    pub(crate) fn for_scripts(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => printable(&text.replace('\\', "\\\\")),
            Self::Count(count) => count.to_string(),
            Self::Rate(number) | Self::Seconds(number) => number.to_string(),
            Self::Time(at) => at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        }
    }

    /// Whether columns of it are flush right.
    pub(crate) const fn is_number(&self) -> bool {
        matches!(self, Self::Count(_) | Self::Rate(_) | Self::Seconds(_))
    }
}

/// Words come from handlers and candidates: none of them may move the cursor of whoever reads.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// The two largest units, such as `1m48s`.
fn lasting(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let seconds = whole.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

impl From<i32> for Cell {
    fn from(count: i32) -> Self {
        Self::Count(count.into())
    }
}

impl From<DateTime<Utc>> for Cell {
    fn from(at: DateTime<Utc>) -> Self {
        Self::Time(at)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_breaks_a_row_or_moves_the_cursor() {
        let words = Cell::from("a\tb\\n\nc\u{1b}[2J");
        assert_eq!(words.for_scripts(), r"a\tb\\n\nc\u{1b}[2J");
        assert_eq!(words.for_people(), r"a\tb\n\nc\u{1b}[2J");
    }

    #[test]
    fn what_is_not_there_is_a_dash_for_people_and_nothing_for_scripts() {
        let nothing = Cell::from(None::<i64>);
        let told = (nothing.for_people(), nothing.for_scripts());
        assert_eq!(told, ("-".to_owned(), String::new()));
    }

    #[test]
    fn how_long_something_lasts_is_told_by_its_two_largest_units() {
        for (seconds, told) in [
            (-1.0, "0s"),
            (59.9, "59s"),
            (108.0, "1m48s"),
            (3_660.0, "1h01m"),
            (180_000.0, "2d02h"),
        ] {
            assert_eq!(Cell::Seconds(seconds).for_people(), told);
        }
        assert_eq!(Cell::Seconds(108.5).for_scripts(), "108.5");
    }
}
