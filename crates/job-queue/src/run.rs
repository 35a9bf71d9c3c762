//! One run: decode, guard against panics, keep the deadline, say how it ended.

use std::{any::Any, time::Duration};

use tokio::task::JoinError;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument as _;

use crate::{
    CancelReason, JobContext, Outcome, Registry, claim::ClaimedJob, finish::Finish,
    handler::Registered, measure, outcome::StoredOutcome,
};

/// A claimed job on its way to its handler.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) claimed: ClaimedJob,
    pub(crate) context: JobContext,
}

/// How a handler's task ended.
enum End {
    Returned(Outcome),
    Panicked(String),
    Dropped,
}

/// Runs deliveries; shared by every slot of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    registry: Registry,
    cancel_grace: Duration,
    draining: CancellationToken,
    dropping: CancellationToken,
}

impl Runner {
    pub(crate) const fn new(
        registry: Registry,
        cancel_grace: Duration,
        draining: CancellationToken,
        dropping: CancellationToken,
    ) -> Self {
        Self {
            registry,
            cancel_grace,
            draining,
            dropping,
        }
    }

    /// Runs one job to its end, whatever that is; never fails and never panics.
    pub(crate) async fn run(&self, delivery: Delivery) -> Ended {
        let context = delivery.context.clone();
        // Claimed but not started when the drain began: given back untouched.
        if self.draining.is_cancelled() {
            return Ended::released(context);
        }
        let registered = self
            .registry
            .find(context.kind.0)
            .expect("only registered kinds are claimed")
            .clone();
        let started = tokio::time::Instant::now();
        let end = self.supervise(registered, delivery).await;
        let outcome = stored_end(end, &context);
        let ended = Ended { context, outcome };
        measure::ran(&ended, started.elapsed());
        ended
    }

    /// Waits for the handler, cancels it at its deadline and drops it when its grace is over.
    ///
    /// The handler has a task of its own: it runs on any thread, and its panic ends nothing else.
    async fn supervise(&self, registered: Registered, delivery: Delivery) -> End {
        let (context, timeout) = (delivery.context.clone(), registered.timeout);
        let mut task = AbortOnDropHandle::new(spawn_handler(registered, delivery));
        let give_up = async {
            tokio::select! {
                () = tokio::time::sleep(timeout) => context.cancel(CancelReason::Deadline),
                () = lease_lost(&context) => {}
            }
            tokio::time::sleep(self.cancel_grace).await;
        };
        tokio::select! {
            // A handler that returned in time is believed even if its time has just run out.
            biased;
            ended = &mut task => ended.map_or_else(end_of_join_error, End::Returned),
            () = give_up => End::Dropped,
            () = self.dropping.cancelled() => End::Dropped,
        }
    }
}

fn spawn_handler(registered: Registered, delivery: Delivery) -> tokio::task::JoinHandle<Outcome> {
    let Delivery { claimed, context } = delivery;
    let span = tracing::info_span!(
        "job.run",
        job.id = %context.job_id,
        job.kind = %context.kind,
        job.attempt = context.attempt,
        session.id = context.session_id.map(tracing::field::display),
        trace.link = context.traceparent,
    );
    let run = async move {
        registered
            .handler
            .run_stored(claimed.kind_version, claimed.payload, &context)
            .await
    };
    tokio::spawn(run.instrument(span))
}

async fn lease_lost(context: &JobContext) {
    context.cancellation.cancelled().await;
    if context.cancel_reason() != Some(CancelReason::LeaseLost) {
        std::future::pending::<()>().await;
    }
}

fn end_of_join_error(error: JoinError) -> End {
    match error.try_into_panic() {
        Ok(payload) => End::Panicked(panic_message(&*payload)),
        Err(_) => End::Dropped,
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("the handler panicked without a message")
        .to_owned()
}

/// A run's end on its way to the table.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) context: JobContext,
    pub(crate) outcome: EndedOutcome,
}

/// The stored form of the end, and whether the handler has already written it.
#[derive(Clone, Debug)]
pub(crate) struct EndedOutcome {
    pub(crate) stored: StoredOutcome,
    pub(crate) already_recorded: bool,
}

impl Ended {
    pub(crate) fn released(context: JobContext) -> Self {
        let stored = StoredOutcome::released();
        Self {
            context,
            outcome: EndedOutcome {
                stored,
                already_recorded: false,
            },
        }
    }

    /// The class of what failed, by the handler's own record where it wrote one; none if nothing did.
    pub(crate) fn class(&self) -> Option<&str> {
        let recorded = self.context.recorded_end();
        let recorded = recorded.filter(|_| self.outcome.already_recorded);
        let stored = recorded.map_or(&self.outcome.stored, |end| &end.outcome);
        stored.class.as_deref()
    }

    pub(crate) fn finish(&self) -> Finish {
        Finish {
            job_id: self.context.job_id,
            run_token: self.context.run_token,
            outcome: self.outcome.stored.clone(),
        }
    }
}

/// Weighs what the handler said against why it was told to stop: giving up for a shutdown is no
/// cancel and no failure of the job, and giving up at the deadline is no cancel either.
fn stored_end(end: End, context: &JobContext) -> EndedOutcome {
    let reason = context.cancel_reason();
    let outcome = match (end, reason) {
        (
            End::Returned(Outcome::Cancelled | Outcome::Retry { .. }),
            Some(CancelReason::Shutdown),
        ) => {
            return released();
        }
        (End::Returned(Outcome::Cancelled) | End::Dropped, Some(CancelReason::Deadline)) => {
            deadline_exceeded()
        }
        (End::Returned(outcome), _) => outcome,
        (End::Panicked(message), _) => panicked(context, message),
        (End::Dropped, _) => return released(),
    };
    EndedOutcome {
        stored: StoredOutcome::new(&outcome, context.attempt),
        already_recorded: outcome == Outcome::AlreadyRecorded,
    }
}

fn released() -> EndedOutcome {
    EndedOutcome {
        stored: StoredOutcome::released(),
        already_recorded: false,
    }
}

fn deadline_exceeded() -> Outcome {
    Outcome::Retry {
        after: None,
        class: "deadline_exceeded".to_owned(),
        reason: "the run took longer than its kind allows".to_owned(),
    }
}

fn panicked(context: &JobContext, message: String) -> Outcome {
    tracing::error!(job.id = %context.job_id, job.kind = %context.kind, message, "handler panicked");
    Outcome::Retry {
        after: None,
        class: "panic".to_owned(),
        reason: message,
    }
}
