//! A failed step, told so that it can be mended: what, why, and the exact next command.

use std::fmt;

/// The error every step ends in.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: Option<String>,
    mend: Option<String>,
}

impl Failure {
    /// One sentence of what failed.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: None,
            mend: None,
        }
    }

    /// Adds the reason, as told by the part that failed.
    pub(crate) fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string()).filter(|why| !why.trim().is_empty());
        self
    }

    /// Adds the command or the change that mends it.
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// The reason, if one is known.
    pub(crate) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Why something else failed, for a failure that tells of it in other words.
    pub(crate) fn reason_of(error: &anyhow::Error) -> String {
        let told = error.downcast_ref::<Self>().and_then(Self::why);
        told.map_or_else(|| format!("{error:#}"), str::to_owned)
    }

    /// What to do next, if that is known.
    pub(crate) fn next(&self) -> Option<&str> {
        self.mend.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}
