//! The words people give for what they do to a session.

use crate::extract::invalid;
use crate::problem::ApiError;

/// A sentence or two and a reference; as much as the history keeps.
pub(crate) const REASON_LONGEST: usize = 500;

/// Checks a reason: it says something, fits, and is one line of text.
pub(crate) fn check(reason: &str, longest: usize) -> Result<(), ApiError> {
    let length = reason.chars().count();
    if reason.trim().is_empty() {
        return Err(invalid("reason", "reason is empty; it must say why"));
    }
    if length > longest {
        return Err(invalid(
            "reason",
            format!("reason has {length} characters, at most {longest}"),
        ));
    }
    if reason.chars().any(char::is_control) {
        return Err(invalid(
            "reason",
            "reason holds control characters; write one line of text",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_say_something_fit_and_are_one_line() {
        for reason in ["INC-7", "größer als 10 Zeichen ✓", &"x".repeat(500)] {
            assert!(check(reason, REASON_LONGEST).is_ok(), "{reason}");
        }
        for reason in ["", "   ", "a\nb", "nul\0", "\u{1b}[2J", &"x".repeat(501)] {
            assert!(check(reason, REASON_LONGEST).is_err(), "{reason:?}");
        }
    }
}
