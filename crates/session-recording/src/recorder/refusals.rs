//! What was refused and may never be said again.

use std::sync::{Mutex, PoisonError};

use crate::place::Place;

/// How far output was refused since some was taken.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Option<Place>>);

impl Refusals {
    /// Output up to a place was not taken.
    pub(super) fn note(&self, place: Place) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = Some(place.max(refused.unwrap_or_default()));
    }

    /// Takes what was noted.
    pub(super) fn take(&self) -> Option<Place> {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take()
    }
}
