//! Where in a session's output something is.

use serde::Serialize;

/// A place in the output of a session. Later places are greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Which shell of the session, from 1; 0 before the first.
    pub shell_epoch: u32,
    /// Bytes of output since that shell began.
    pub offset: u64,
}
