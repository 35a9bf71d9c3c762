//! Who runs which kind.

use std::{
    collections::BTreeMap, marker::PhantomData, ops::RangeInclusive, sync::Arc, time::Duration,
};

use async_trait::async_trait;

use crate::{
    Job, JobContext, Outcome,
    job::{DecodeError, JobKind},
    measure,
    payload::StoredPayload,
};

/// Does the work of one kind: load → decide (pure) → act (idempotent) → record.
///
/// A handler may be run twice and may be killed between any two lines. It should return soon after
/// [`JobContext::cancellation`] is cancelled; one that does not is dropped at its next await.
#[async_trait]
pub trait Handler<J: Job>: Send + Sync {
    /// Runs one job. A panic counts as a retry with class `panic`.
    async fn run(&self, job: J, context: &JobContext) -> Outcome;
}

/// The kinds a worker claims, each with its handler.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Registered>,
}

impl Registry {
    /// Makes an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of a kind.
    ///
    /// # Panics
    /// If the kind already has a handler: two of them is a mistake in the wiring.
    #[must_use]
    pub fn register<J: Job, H: Handler<J> + 'static>(mut self, handler: H) -> Self {
        let registered = Registered {
            kind: JobKind(J::KIND),
            queue: J::QUEUE,
            timeout: J::TIMEOUT,
            versions: J::OLDEST_VERSION..=J::VERSION,
            handler: Arc::new(Typed {
                handler,
                job: PhantomData::<fn(J)>,
            }),
        };
        let before = self.kinds.insert(J::KIND, registered);
        assert!(before.is_none(), "the kind {} is registered once", J::KIND);
        self
    }

    /// Lists the registered kinds in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = JobKind> {
        self.kinds.values().map(|registered| registered.kind)
    }

    /// Lists the queues of the registered kinds, each once, in alphabetical order.
    pub fn queues(&self) -> Vec<String> {
        let queues: std::collections::BTreeSet<_> = self
            .kinds
            .values()
            .map(|registered| registered.queue)
            .collect();
        queues.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn registered(&self) -> impl Iterator<Item = &Registered> {
        self.kinds.values()
    }

    pub(crate) fn find(&self, kind: &str) -> Option<&Registered> {
        self.kinds.get(kind)
    }

    /// Says whether there is nothing to claim.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.kinds.keys()).finish()
    }
}

/// One kind with its handler, the payload's type erased.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) kind: JobKind,
    pub(crate) queue: &'static str,
    pub(crate) timeout: Duration,
    pub(crate) versions: RangeInclusive<i32>,
    pub(crate) handler: Arc<dyn RunStored>,
}

/// Runs a job from its stored form.
#[async_trait]
pub(crate) trait RunStored: Send + Sync {
    /// Decodes and runs. An undecodable payload is an outcome, so that the worker goes on.
    async fn run_stored(
        &self,
        version: i32,
        payload: StoredPayload,
        context: &JobContext,
    ) -> Outcome;
}

struct Typed<J, H> {
    handler: H,
    job: PhantomData<fn(J)>,
}

#[async_trait]
impl<J: Job, H: Handler<J>> RunStored for Typed<J, H> {
    async fn run_stored(
        &self,
        version: i32,
        payload: StoredPayload,
        context: &JobContext,
    ) -> Outcome {
        let payload = payload.read().map_err(DecodeError::Payload);
        match payload.and_then(|payload| J::decode(version, payload)) {
            Ok(job) => self.handler.run(job, context).await,
            Err(error) => {
                measure::undecodable(J::KIND);
                undecodable(&error)
            }
        }
    }
}

fn undecodable(error: &DecodeError) -> Outcome {
    let reason = match error {
        DecodeError::Version { .. } => error.to_string(),
        DecodeError::Payload(source) => format!("{error}: {source}"),
    };
    Outcome::Dead {
        class: "undecodable".to_owned(),
        reason,
    }
}
