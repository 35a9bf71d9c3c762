//! A runtime between the workers and the real one whose deletions do not come through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use execution_environment::{EnvironmentRuntime, Observed};

use crate::intercepted_runtime::{Answer, Call, Intercept, InterceptedRuntime};

/// The real runtime, but what is to be destroyed stays until it is forced.
pub type HangingRuntime = InterceptedRuntime<Hangs>;

/// What keeps environments from going.
#[derive(Debug, Default)]
pub struct Hangs {
    is_place_lost: AtomicBool,
    looks: AtomicUsize,
    forced: AtomicUsize,
}

impl HangingRuntime {
    /// Hangs from the beginning, in a place that answers.
    pub fn new(real: Arc<dyn EnvironmentRuntime>) -> Arc<Self> {
        Self::with(real, Hangs::default())
    }

    /// Loses the place where the environments are, or finds it again.
    pub fn lose_place(&self, is_place_lost: bool) {
        let hangs = &self.intercept;
        hangs.is_place_lost.store(is_place_lost, Ordering::SeqCst);
    }

    /// How often an environment was looked at.
    pub fn looks(&self) -> usize {
        self.intercept.looks.load(Ordering::SeqCst)
    }

    /// How often one was deleted by force.
    pub fn forced(&self) -> usize {
        self.intercept.forced.load(Ordering::SeqCst)
    }
}

impl Intercept for Hangs {
    async fn around<T: Send>(
        &self,
        call: Call,
        real: impl Future<Output = Answer<T>> + Send,
    ) -> Answer<T> {
        if call == Call::DestroyByForce {
            self.forced.fetch_add(1, Ordering::SeqCst);
        }
        let answer = real.await?;
        if call == Call::Observe {
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        Ok(answer)
    }

    fn change_seen(&self, seen: &mut Observed) {
        seen.is_place_lost = self.is_place_lost.load(Ordering::SeqCst);
    }

    fn keeps_what_is_deleted(&self) -> bool {
        true
    }
}
