//! The loops that finish and claim: a few in flight, each with a connection of its own.
//!
//! A slot frees only when the end of its run is answered, so the table never owes this worker an
//! outcome it has forgotten. A database error puts the batch back, pauses and tries again.

mod settings;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::RngExt as _;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::{RwLock, mpsc};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    JobContext, JobState, Waker,
    claim::{ClaimedJob, Exchanged, ParkedJob, exchange, release_unknown},
    finish::{Finish, Finished},
    hold::Hold,
    measure,
    parts::Parts,
    run::{Delivery, Ended},
    slots::{Batch, Next, Tally},
};

/// Ends wait this long for company when there are too few to be worth a commit of their own.
const LINGER: Duration = Duration::from_millis(1);
/// Another claimer counts a queue with a limit for about a millisecond.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(2);

/// What the loops share.
#[derive(Debug)]
pub(crate) struct Exchanger {
    options: PgConnectOptions,
    parts: Parts,
    deliveries: mpsc::Sender<Delivery>,
    tally: Arc<Tally>,
    patience: Duration,
    waker: Waker,
    /// Held for reading from a claim's start until its jobs are known to be running, so that its
    /// writer sees either none of them or all.
    claims: RwLock<()>,
}

impl Exchanger {
    pub(crate) fn new(
        pool: &PgPool,
        parts: &Parts,
        patience: Duration,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Self {
        Self {
            options: settings::of_loops(&pool.connect_options()),
            parts: parts.clone(),
            deliveries,
            tally: Arc::default(),
            patience,
            waker: Waker::new(pool.clone()),
            claims: RwLock::new(()),
        }
    }

    pub(crate) fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Starts the loops. They end after the drain, and with them the deliveries.
    pub(crate) fn start(self, loops: usize) -> Vec<AbortOnDropHandle<()>> {
        let shared = Arc::new(self);
        let start = |_| AbortOnDropHandle::new(tokio::spawn(shared.clone().run_loop()));
        (0..loops).map(start).collect()
    }

    async fn run_loop(self: Arc<Self>) {
        let mut connection = None;
        let mut pause = PAUSE_FIRST;
        let mut claims_in_doubt = false;
        let mut hold = self.parts.hold.clone();
        while let Some(batch) = self.next_batch(&mut hold, claims_in_doubt).await {
            let traded = self.trade(&mut connection, &batch, &mut hold, claims_in_doubt);
            match traded.await {
                Ok(()) => {
                    claims_in_doubt = false;
                    pause = PAUSE_FIRST;
                }
                Err(error) => {
                    tracing::warn!(%error, "finishing and claiming jobs failed; trying again");
                    measure::exchange_failed();
                    connection = None;
                    claims_in_doubt |= batch.limit > 0;
                    self.parts.slots.put_back(batch);
                    self.parts.signal.look();
                    self.pause(pause).await;
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
            }
        }
    }

    /// Waits until there is something to finish or a reason to claim; `None` ends the loop.
    async fn next_batch(&self, hold: &mut Hold, claims_in_doubt: bool) -> Option<Batch> {
        let parts = &self.parts;
        let mut lingered = false;
        loop {
            let draining = parts.draining.is_cancelled();
            if parts.giving_up.is_cancelled() {
                return None;
            }
            let claims = !draining && !hold.narrow(&parts.terms).kinds.is_empty();
            match parts.slots.next(&parts.signal, claims, lingered) {
                Next::Go(batch) => return Some(batch),
                Next::Linger => {
                    tokio::time::sleep(LINGER).await;
                    lingered = true;
                    continue;
                }
                // Others may have them at once, where waiting would charge a crash.
                Next::Wait if claims_in_doubt => return Some(Batch::default()),
                Next::Wait if draining && parts.running.len() == 0 => return None,
                Next::Wait => {}
            }
            lingered = false;
            tokio::select! {
                () = parts.signal.changed() => {}
                () = hold.changed() => parts.signal.look(),
                () = parts.draining.cancelled(), if !draining => {}
                () = parts.running.wait_until_empty(), if draining => {}
                () = parts.giving_up.cancelled() => {}
            }
        }
    }

    /// One exchange with the database. On an error nothing of the batch is settled.
    async fn trade(
        &self,
        connection: &mut Option<PgConnection>,
        batch: &Batch,
        hold: &mut Hold,
        claims_in_doubt: bool,
    ) -> Result<(), sqlx::Error> {
        let timed = tokio::time::timeout(self.patience, async {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(PgConnection::connect_with(&self.options).await?),
            };
            if claims_in_doubt {
                self.release_claims_in_doubt(connection).await?;
            }
            let _claiming = self.claims.read().await;
            let finishes: Vec<Finish> = batch.ended.iter().map(Ended::finish).collect();
            let terms = hold.narrow(&self.parts.terms);
            let asked_at = Instant::now();
            let answer = exchange(
                connection,
                &self.parts.identity,
                &terms,
                &finishes,
                batch.limit,
            )
            .await?;
            if batch.limit > 0 {
                measure::claim_answered(asked_at.elapsed(), answer.claimed.len());
            }
            self.settle(batch, answer);
            Ok(())
        });
        timed.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Gives back jobs that a statement without an answer may have claimed. Without this they would
    /// wait for their lease, and a lost reply would be charged as a crash.
    async fn release_claims_in_doubt(
        &self,
        connection: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        let _no_claim_under_way = self.claims.write().await;
        let known = self.parts.running.keys();
        let released =
            release_unknown(connection, &self.parts.identity, &self.parts.terms, &known).await?;
        if released > 0 {
            tracing::warn!(released, "gave back jobs whose claim had no answer");
        }
        Ok(())
    }

    fn settle(&self, batch: &Batch, answer: Exchanged) {
        for (ended, finished) in batch.ended.iter().zip(&answer.finished) {
            self.settle_one(ended, *finished);
            self.parts
                .running
                .remove(ended.context.job_id, ended.context.run_token);
        }
        for parked in &answer.parked {
            self.settle_parked(parked);
        }
        if answer.is_contended {
            let pause = LOOK_AGAIN.mul_f64(rand::rng().random_range(0.2..1.0));
            self.parts.signal.look_after(pause);
        }
        if let Some(held_for) = answer.held_for {
            self.parts.signal.look_at_rate(held_for);
        }
        if answer.leaves_places {
            self.waker.wake();
        }
        self.parts.slots.settled(batch, answer.claimed.len());
        for claimed in answer.claimed {
            self.deliver(claimed);
        }
    }

    fn settle_parked(&self, parked: &ParkedJob) {
        let ParkedJob {
            job_id,
            kind,
            state,
        } = parked;
        tracing::error!(job.id = %job_id, job.kind = kind, %state, "parked a job whose runs kept crashing");
        measure::parked();
        if let Some(registered) = self.parts.registry.find(kind) {
            measure::dead(registered.kind.0, *state);
        }
    }

    fn settle_one(&self, ended: &Ended, finished: Finished) {
        let (context, stored) = (&ended.context, &ended.outcome.stored);
        if let Some(ended_at) = context.ended_at() {
            measure::end_answered(ended_at.elapsed());
        }
        match finished {
            Finished::Recorded(state) => {
                measure::ended(context.kind.0, stored, state);
                self.tally.recorded(stored.verb == "released");
                if ended.outcome.already_recorded {
                    tracing::warn!(job.id = %context.job_id, "the handler's record did not commit");
                }
                if state == JobState::Ready {
                    let delay = u64::try_from(stored.delay_ms).unwrap_or(0);
                    self.parts.signal.look_after(Duration::from_millis(delay));
                }
            }
            Finished::Stale if ended.outcome.already_recorded => {
                if let Some(end) = context.recorded_end() {
                    measure::ended(context.kind.0, &end.outcome, end.state);
                }
                self.tally.recorded(false);
            }
            Finished::Stale => {
                tracing::warn!(
                    job.id = %context.job_id, job.kind = %context.kind,
                    run_token = context.run_token, outcome = stored.verb,
                    "a stale run's outcome was refused",
                );
                self.tally.stale();
                measure::stale(context.kind.0);
            }
        }
    }

    fn deliver(&self, claimed: ClaimedJob) {
        let kind = self
            .parts
            .registry
            .find(&claimed.kind)
            .expect("only registered kinds are claimed")
            .kind;
        let context = JobContext::new(&claimed, kind, &self.parts.identity);
        self.parts.running.insert(context.clone());
        measure::claimed(kind.0, &context.queue, claimed.waited);
        // The channel holds as many as there are slots, so it is full or closed only when the
        // worker runtime is gone; the job then goes back.
        if self
            .deliveries
            .try_send(Delivery {
                claimed,
                context: context.clone(),
            })
            .is_err()
        {
            self.parts
                .slots
                .end(Ended::released(context), &self.parts.signal);
        }
    }

    async fn pause(&self, longest: Duration) {
        let pause = longest.mul_f64(rand::rng().random_range(0.5..1.0));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.parts.giving_up.cancelled() => {}
        }
    }
}

/// Waits for every loop to end.
pub(crate) async fn join(loops: Vec<AbortOnDropHandle<()>>) {
    for running in loops {
        if let Err(error) = running.await {
            tracing::error!(%error, "a loop that finishes and claims failed");
        }
    }
}
