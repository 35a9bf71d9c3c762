//! The only place that names apalis: our claims as an apalis backend.
//!
//! apalis polls, runs and tracks; the claim, the outcome, the lease and the drain are ours. Its
//! `Persisted` storage and its timeout, catch-panic, retry and parallelize layers are not used:
//! they leave rows running (see the README). The backend's error type is uninhabited, since an
//! error from a backend ends an apalis worker and drops its handlers.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    error::{BoxDynError, WorkerError},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::{builder::WorkerBuilder, context::WorkerContext},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::mpsc;
use tower::{Layer, Service};

use crate::{
    listen::LookSignal,
    parts::Parts,
    run::{Delivery, Ended},
    slots::Slots,
};

/// Runs deliveries until their senders are gone and the last of them has ended.
pub(crate) fn run(
    name: &str,
    deliveries: mpsc::Receiver<Delivery>,
    parts: &Parts,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    // apalis is given no reason to stop: what a payload holds is for its run to find out.
    run_with(name, deliveries, parts, Ok::<_, Infallible>)
}

fn run_with<E>(
    name: &str,
    deliveries: mpsc::Receiver<Delivery>,
    parts: &Parts,
    admit: fn(Delivery) -> Result<Delivery, E>,
) -> BoxFuture<'static, Result<(), WorkerError>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let backend = Claims {
        deliveries,
        ends: ReportEnds {
            slots: parts.slots.clone(),
            signal: parts.signal.clone(),
        },
        admit,
    };
    let runner = parts.runner.clone();
    let worker = WorkerBuilder::new(name)
        .backend(backend)
        .build(move |delivery: Delivery| {
            let runner = runner.clone();
            async move { Ok::<Ended, BoxDynError>(runner.run(delivery).await) }
        });
    // Boxed here, where every type is known: the compiler cannot prove the future `Send` from
    // within another future.
    worker.run().boxed()
}

/// Yields what the exchange loops have claimed.
struct Claims<E> {
    deliveries: mpsc::Receiver<Delivery>,
    ends: ReportEnds,
    admit: fn(Delivery) -> Result<Delivery, E>,
}

impl<E> Backend for Claims<E>
where
    E: std::error::Error + Send + Sync + 'static,
{
    type Task = Task<Delivery>;
    type Error = E;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        self.deliveries
            .poll_recv(context)
            .map(|delivery| delivery.map(|delivery| (self.admit)(delivery).map(task)))
    }

    fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        // A backend that has run dry does not stop the worker by itself. Stopping fails only for a
        // worker that never started, and then there is nothing to stop.
        worker.stop().ok();
        Poll::Ready(Ok(()))
    }
}

impl<E> BackendConfig for Claims<E>
where
    E: std::error::Error + Send + Sync + 'static,
{
    type Args = Delivery;
    type Id = String;
    // apalis decodes nothing: an undecodable payload must be an outcome of its job.
    type Kind = Ephemeral;
    type Config = ();
    type Layer = ReportEnds;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        self.ends.clone()
    }
}

fn task(delivery: Delivery) -> Task<Delivery> {
    let id = TaskId::from_string(delivery.context.job_id.to_string());
    TaskBuilder::new(delivery).task_id(id).build()
}

/// Hands each end to the exchange loops.
#[derive(Clone, Debug)]
struct ReportEnds {
    slots: Arc<Slots>,
    signal: Arc<LookSignal>,
}

impl<S> Layer<S> for ReportEnds {
    type Service = ReportEndsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ReportEndsService {
            inner,
            ends: self.clone(),
        }
    }
}

#[derive(Clone, Debug)]
struct ReportEndsService<S> {
    inner: S,
    ends: ReportEnds,
}

impl<S> Service<Task<Delivery>> for ReportEndsService<S>
where
    S: Service<Task<Delivery>, Response = Ended>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<(), S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, task: Task<Delivery>) -> Self::Future {
        let ends = self.ends.clone();
        let running = self.inner.call(task);
        async move {
            let ended = running.await?;
            ends.slots.end(ended, &ends.signal);
            Ok(())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
