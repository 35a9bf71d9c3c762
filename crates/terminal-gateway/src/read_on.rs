//! Sharing recorded shells with the other terminal processes: each is read by one, and by another soon
//! after that one has ended, however it ended.
//!
//! Beside the poll of authority, and at its pace: nothing that is done here may hold up a cut-off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use environment_access::{keep_reading, leave_shells};
use orchestrator::{StepError, UnreadShell, take_unread_shells};
use tokio::time::error::Elapsed;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::admission::can_record;
use crate::connection::read_on;
use crate::state::GatewayState;

/// Shells taken at once, as many as may be starting; whoever looks next has the others, this process
/// included.
const BATCH: i64 = 32;
/// A statement that takes longer has failed.
const WITHIN: Duration = Duration::from_secs(5);

/// What a turn failed of.
#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("the database did not answer in time")]
    Late(#[from] Elapsed),
}

/// Runs until `stopped`.
pub(crate) async fn run(state: Arc<GatewayState>, stopped: CancellationToken) {
    let mut heard_since = None;
    let mut next = next_turn(&state);
    loop {
        tokio::select! {
            biased;
            () = stopped.cancelled() => return,
            () = sleep_until(next.into()) => {
                let may_be_more = match turn(&state, heard_since).await {
                    Ok(may_be_more) => {
                        heard_since = heard_since.or_else(|| Some(Instant::now()));
                        may_be_more
                    }
                    Err(error) => {
                        tracing::debug!(%error, "recorded shells were not shared");
                        heard_since = None;
                        false
                    }
                };
                // A keeper holds back for no longer than 10 s what was not consumed.
                next = if may_be_more { Instant::now() } else { next_turn(&state) };
            }
            () = state.readings.has_left() => tell_left(&state).await,
        }
    }
}

/// Processes that start together do not look together.
fn next_turn(state: &GatewayState) -> Instant {
    Instant::now() + state.read_on.every.mul_f64(rand::random_range(0.5..1.0))
}

/// Tells what was left until now, once: what is not told lapses.
pub(crate) async fn tell_left(state: &GatewayState) {
    let left = state.readings.take_left();
    if left.is_empty() {
        return;
    }
    let told = timeout(WITHIN, async {
        let mut conn = state.pool.acquire().await?;
        leave_shells(&mut conn, state.process_id, &left).await
    });
    if !matches!(told.await, Ok(Ok(()))) {
        state.readings.put_back(left);
    }
}

/// Says what is read here and takes what nobody reads; returns whether more may wait.
async fn turn(state: &Arc<GatewayState>, heard_since: Option<Instant>) -> Result<bool, TurnError> {
    tell_left(state).await;
    timeout(WITHIN, keep(state)).await??;
    if state.draining.is_cancelled() || !can_record(state) {
        return Ok(false);
    }
    // After an outage everybody's lease has lapsed, and everybody is as alive as this process.
    let takes_lapsed = heard_since.is_some_and(|since| since.elapsed() >= state.read_on.lease);
    let lease = state.read_on.lease;
    let taking = take_unread_shells(&state.pool, state.process_id, lease, takes_lapsed, BATCH);
    let unread = taking.await?;
    for shell in unread.taken {
        take(state, shell);
    }
    Ok(unread.may_be_more)
}

async fn keep(state: &GatewayState) -> Result<(), sqlx::Error> {
    let shells = state.readings.all();
    // Without any, too: that it was answered is what says that the database is there.
    let mut conn = state.pool.acquire().await?;
    let lease = state.read_on.lease;
    let lost = keep_reading(&mut conn, state.process_id, lease, &shells).await?;
    for shell in shells.iter().filter(|it| lost.contains(&it.session_id)) {
        state.readings.lose(shell);
    }
    Ok(())
}

fn take(state: &Arc<GatewayState>, unread: UnreadShell) {
    let shell = unread.shell;
    tracing::info!(session.id = %shell.session_id, epoch = shell.epoch,
        "a shell that no process read is read on");
    let reading = state.readings.begin(shell);
    tokio::spawn(read_on(state.clone(), unread, reading));
}
