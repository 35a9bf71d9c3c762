//! How many systems run at once: two processors carry few.

use std::sync::{Arc, LazyLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const PLACES: u32 = 2;

static FREE: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(usize::try_from(PLACES).expect("a few"))));

/// How much of the machine a story takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Weight {
    /// A few sessions, or waiting for a deadline.
    #[default]
    Light,
    /// Everything: no other system runs meanwhile.
    Whole,
}

/// Waits until the story may run; it may until the permit is dropped.
pub async fn take_places(weight: Weight) -> OwnedSemaphorePermit {
    let places = match weight {
        Weight::Light => 1,
        Weight::Whole => PLACES,
    };
    let taken = Arc::clone(&FREE).acquire_many_owned(places).await;
    taken.expect("the semaphore is never closed")
}
