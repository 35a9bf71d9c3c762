//! Durations as people type them.

use std::time::Duration;

/// A year: longer than anything a flag is about, short enough for every date.
const LONGEST: u64 = 366 * 86_400 * 1_000;

/// Reads `90s`, `5m`, `1h30m`, `500ms` or `2d`: whole numbers, each with its unit.
///
/// # Errors
/// A sentence that says what a duration looks like, when this is none.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = next_part(rest).ok_or_else(malformed)?;
        total = total
            .checked_add(part)
            .filter(|sum| *sum <= LONGEST)
            .ok_or_else(too_long)?;
        rest = after;
    }
    if total == 0 {
        Err(malformed())
    } else {
        Ok(Duration::from_millis(total))
    }
}

/// Takes a number with its unit off the front, in milliseconds.
fn next_part(text: &str) -> Option<(u64, &str)> {
    let digits = text.len()
        - text
            .trim_start_matches(|char: char| char.is_ascii_digit())
            .len();
    let (number, rest) = text.split_at(digits);
    let letters = rest.len()
        - rest
            .trim_start_matches(|char: char| char.is_ascii_alphabetic())
            .len();
    let (unit, after) = rest.split_at(letters);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    Some((number.saturating_mul(unit), after))
}

fn malformed() -> String {
    "write a duration above zero with its unit, such as 90s, 5m or 1h30m".to_owned()
}

fn too_long() -> String {
    "no duration here is longer than a year".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_need_units_and_may_be_joined() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h30m", 5_400), ("2d", 172_800)] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn anything_else_is_refused() {
        let huge = "9".repeat(30) + "s";
        for text in [
            "", "0s", "5", "-5m", "5 m", "m", "1.5h", "5M", "5m3", "999999d", &huge,
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
