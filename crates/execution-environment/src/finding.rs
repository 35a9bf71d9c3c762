//! What keeps a runtime from being used, as its own check tells it.

use std::fmt;

use serde::Serialize;

/// Says what a process holds a runtime for: it decides which settings and which rights it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Makes, observes, proves and destroys; only this needs a keeper.
    Create,
    /// Enters what others have made.
    Attach,
    /// Only looks.
    Read,
    /// Looks and destroys.
    Destroy,
}

/// Says what keeps a runtime from being used, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuntimeFinding {
    /// A stable word for scripts, such as `cluster.unreachable`.
    pub code: &'static str,
    /// One sentence of what is wrong; it may name hosts and paths.
    pub message: String,
    /// What to do about it; a command where there is one.
    pub mend: String,
}

/// What may pass by itself, so that work is worth another try.
const OUTAGES: [&str; 4] = [
    "engine.unreachable",
    "cluster.unreachable",
    "cluster.unavailable",
    "runtime.silent",
];

impl RuntimeFinding {
    /// Tells whether the runtime merely does not answer now. Whatever else is found stays until
    /// somebody mends it, and no environment can be made before.
    pub fn is_outage(&self) -> bool {
        OUTAGES.contains(&self.code)
    }
}

impl fmt::Display for RuntimeFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.mend)
    }
}
