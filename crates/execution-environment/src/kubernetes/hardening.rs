//! Which protections a pod gets. All of them, except in tests of the proof.

use std::collections::BTreeSet;

use crate::Protection;

/// Switches each protection; the default has all of them on.
///
/// Leaving one out exists for one purpose: tests that show that an environment without it is never
/// proven. No setting of any process reaches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesHardening {
    left_out: BTreeSet<Protection>,
}

impl KubernetesHardening {
    /// Leaves one protection out.
    #[must_use]
    pub fn without(mut self, protection: Protection) -> Self {
        self.left_out.insert(protection);
        self
    }

    pub(super) fn has(&self, protection: Protection) -> bool {
        !self.left_out.contains(&protection)
    }
}
