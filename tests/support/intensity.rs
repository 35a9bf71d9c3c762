//! How hard and how long the stories of the queue are.

use crate::settings::setting;

/// The measure of a run: each fault in minutes, or as long and with as many as it is claimed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intensity {
    /// Fit for every change.
    Brief,
    /// Before a release: half an hour and more.
    Full,
}

impl Intensity {
    /// What `cargo xtask test --intensity` asks for.
    pub fn of_this_run() -> Self {
        match setting("CARREL_TEST_INTENSITY").as_str() {
            "brief" => Self::Brief,
            "full" => Self::Full,
            other => panic!("CARREL_TEST_INTENSITY is {other:?}: give \"brief\" or \"full\""),
        }
    }

    /// The measure that applies.
    pub fn choose<T>(self, brief: T, full: T) -> T {
        match self {
            Self::Brief => brief,
            Self::Full => full,
        }
    }
}
