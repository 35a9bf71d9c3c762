//! The pure half of a transition: what the table and the caller's version say about a row.

use crate::error::TransitionError;
use crate::record::SessionRecord;
use crate::request::Expected;
use crate::state::{SessionState, is_allowed};

/// Decides whether `session` may go to `to`, given the version the caller decided upon.
///
/// A stale version is reported before an illegal transition: whoever decided upon an old row
/// should read again, whatever the new row allows.
///
/// # Errors
/// [`TransitionError::Conflict`] for another version, [`TransitionError::Refused`] where the table
/// has no such transition.
pub fn decide(
    session: &SessionRecord,
    expected: Expected,
    to: SessionState,
) -> Result<(), TransitionError> {
    match expected {
        Expected::Version(version) if version != session.version => {
            Err(TransitionError::Conflict {
                session_id: session.id,
                expected: version,
                actual: session.version,
            })
        }
        Expected::Version(_) | Expected::AnyVersion if !is_allowed(session.state, to) => {
            Err(TransitionError::Refused {
                session_id: session.id,
                from: session.state,
                to,
            })
        }
        Expected::Version(_) | Expected::AnyVersion => Ok(()),
    }
}
