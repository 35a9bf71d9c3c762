//! What the kinds do.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use job_queue::{Handler, JobContext, Outcome, RecordError};
use sqlx::PgPool;
use system_tests::ledger::{
    Abort, Brief, External, Note, Point, Spin, Task, Through, Told, append,
};

use crate::die;

/// Every kind's handler.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pool: PgPool,
}

/// One run of one task.
struct Run<'a> {
    task: &'a Task,
    context: &'a JobContext,
}

impl Ledger {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Writes effect and outcome together.
    async fn record(&self, run: &Run<'_>) -> Result<(), RecordError> {
        let mut tx = self.pool.begin().await?;
        append(&mut tx, run.context, &run.task.effect, Through::Record).await?;
        run.reach(Point::MidEffect);
        run.context.record(&mut tx, &Outcome::Done).await?;
        run.reach(Point::AfterEffect);
        tx.commit().await?;
        Ok(())
    }

    /// Sends the effect past the queue.
    async fn send(&self, run: &Run<'_>) -> Outcome {
        let sent = async {
            let mut connection = self.pool.acquire().await?;
            append(
                &mut connection,
                run.context,
                &run.task.effect,
                Through::Gate,
            )
            .await
        };
        if let Err(error) = sent.await {
            return failed("not_sent", &error.to_string());
        }
        run.reach(Point::AfterEffect);
        if !run.work(run.task.after_ms).await {
            return Outcome::Cancelled;
        }
        Outcome::Done
    }
}

#[async_trait]
impl Handler<Note> for Ledger {
    async fn run(&self, job: Note, context: &JobContext) -> Outcome {
        let run = Run::new(&job.0, context);
        if let Some(early) = run.begin().await {
            return early;
        }
        match self.record(&run).await {
            Ok(()) => {}
            // Said all the same: the fence, not good manners, is what has to hold.
            Err(RecordError::StaleRun { .. }) => return Outcome::Done,
            // It may have committed; the queue finds out.
            Err(RecordError::Database(error)) => {
                tracing::warn!(%error, "an outcome is in doubt");
                return Outcome::AlreadyRecorded;
            }
        }
        run.reach(Point::AfterRecord);
        run.work(run.task.after_ms).await;
        Outcome::AlreadyRecorded
    }
}

#[async_trait]
impl Handler<External> for Ledger {
    async fn run(&self, job: External, context: &JobContext) -> Outcome {
        let run = Run::new(&job.0, context);
        let held = if run.task.holds_connection {
            Some(self.pool.acquire().await)
        } else {
            None
        };
        if let Some(early) = run.begin().await {
            return early;
        }
        drop(held);
        self.send(&run).await
    }
}

#[async_trait]
impl Handler<Abort> for Ledger {
    async fn run(&self, _: Abort, _: &JobContext) -> Outcome {
        std::process::abort()
    }
}

#[async_trait]
impl Handler<Brief> for Ledger {
    async fn run(&self, _: Brief, context: &JobContext) -> Outcome {
        if context.run_token == 1 {
            let after = Duration::from_millis(1);
            return Outcome::Snooze { after };
        }
        context.cancellation.cancelled().await;
        Outcome::Cancelled
    }
}

#[async_trait]
impl Handler<Told> for Ledger {
    async fn run(&self, _: Told, context: &JobContext) -> Outcome {
        context.cancellation.cancelled().await;
        Outcome::Done
    }
}

#[async_trait]
impl Handler<Spin> for Ledger {
    async fn run(&self, job: Spin, context: &JobContext) -> Outcome {
        let run = Run::new(&job.0, context);
        let begun = Instant::now();
        while run.is_first() && begun.elapsed() < Duration::from_millis(run.task.before_ms) {
            std::hint::spin_loop();
        }
        self.send(&run).await
    }
}

impl<'a> Run<'a> {
    fn new(task: &'a Task, context: &'a JobContext) -> Self {
        Self { task, context }
    }

    fn is_first(&self) -> bool {
        self.context.run_token == 1
    }

    fn reach(&self, point: Point) {
        if self.is_first() && self.task.kill_at == Some(point) {
            die();
        }
    }

    /// What comes before the effect; an outcome if it ends there.
    async fn begin(&self) -> Option<Outcome> {
        self.reach(Point::Started);
        if self.context.attempt <= self.task.failures {
            return Some(failed("told_to", "the task asks for it"));
        }
        let goes_on = self.work(self.task.before_ms).await;
        (!goes_on).then_some(Outcome::Cancelled)
    }

    /// Takes its time; false if it was told to stop and listens.
    async fn work(&self, ms: u64) -> bool {
        let slow_runs = if self.task.is_slow_twice { 2 } else { 1 };
        if self.context.run_token > slow_runs {
            return true;
        }
        let working = tokio::time::sleep(Duration::from_millis(ms));
        if self.task.is_stubborn {
            working.await;
            return true;
        }
        tokio::select! {
            () = working => true,
            () = self.context.cancellation.cancelled() => {
                self.reach(Point::Shutdown);
                false
            }
        }
    }
}

fn failed(class: &str, reason: &str) -> Outcome {
    Outcome::Retry {
        after: None,
        class: class.to_owned(),
        reason: reason.to_owned(),
    }
}
