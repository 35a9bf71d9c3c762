//! Re-proving, for as long as they last, that the attached terminals may stay attached.
//!
//! Three ways, each enough alone: every gate shuts by itself at its deadline; a notification
//! makes the row be read at once; and one statement each 2 s reads the rows of all terminals of
//! this process, so that a lost notification costs 2 s and no more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use environment_access::{beat_attachments, beat_process, current_epochs};
use session_identity::ExamSessionId;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::state::GatewayState;

/// How often all terminals are read, where nobody wants it otherwise.
pub(crate) const POLL_EVERY: Duration = Duration::from_secs(2);
/// How often the database is told that this process and its attaches live.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// A read that takes longer has failed.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// Without an answer for so long, operators are told…
const ALERT_AFTER: Duration = Duration::from_secs(10);
/// …and after so long typed bytes wait, until the database answers again.
const FREEZE_AFTER: Duration = Duration::from_mins(1);
/// Pause before listening anew.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Hints that wait to be read; beyond it a poll of everything does as well.
const HINTS: usize = 1024;
const CHANNEL: &str = "carrel_sessions";

/// Runs until `stopped`.
pub(crate) async fn run(state: Arc<GatewayState>, stopped: CancellationToken) {
    let (hints, hinted) = mpsc::channel(HINTS);
    let listening = listen(state.clone(), hints);
    let watching = watch_over(&state, hinted);
    tokio::select! {
        () = stopped.cancelled() => {}
        () = listening => {}
        () = beat_on(&state) => {}
        () = watching => {}
    }
}

/// What a notification asks for.
enum Hint {
    /// One session.
    Session(ExamSessionId),
    /// Everything: notifications may have been lost.
    Everything,
}

async fn watch_over(state: &GatewayState, mut hinted: mpsc::Receiver<Hint>) {
    let mut poll = interval(state.poll_every);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut doubt = Doubt::new(state.frozen.clone());
    loop {
        let sessions = tokio::select! {
            hint = hinted.recv() => hinted_sessions(state, hint, &mut hinted),
            _ = poll.tick() => attached_sessions(state),
        };
        let heard = ask(state, &sessions).await;
        doubt.learn(&heard, Instant::now());
    }
}

/// What is known of the database after one turn.
enum Heard {
    /// It answered.
    Answer,
    /// It did not.
    Failure(String),
    /// It was not asked: the hints were about terminals of other processes.
    Nothing,
    /// It was not asked, and nobody here waits for an answer.
    NobodyAttached,
}

async fn ask(state: &GatewayState, sessions: &[ExamSessionId]) -> Heard {
    if sessions.is_empty() {
        return if state.registry.is_empty() {
            Heard::NobodyAttached
        } else {
            Heard::Nothing
        };
    }
    match timeout(READ_WITHIN, read(state, sessions)).await {
        Ok(Ok(())) => Heard::Answer,
        Ok(Err(error)) => Heard::Failure(error.to_string()),
        Err(_) => Heard::Failure("the database did not answer in time".to_owned()),
    }
}

/// Every session hinted at by now, as far as it is attached here: one read for a burst.
fn hinted_sessions(
    state: &GatewayState,
    first: Option<Hint>,
    more: &mut mpsc::Receiver<Hint>,
) -> Vec<ExamSessionId> {
    let mut sessions = Vec::new();
    let mut next = first;
    while let Some(hint) = next {
        match hint {
            Hint::Everything => return attached_sessions(state),
            Hint::Session(id) => {
                if state.registry.get(id).is_some() && !sessions.contains(&id) {
                    sessions.push(id);
                }
            }
        }
        next = more.try_recv().ok();
    }
    sessions
}

fn attached_sessions(state: &GatewayState) -> Vec<ExamSessionId> {
    state
        .registry
        .all()
        .iter()
        .map(|attached| attached.session_id)
        .collect()
}

async fn read(state: &GatewayState, sessions: &[ExamSessionId]) -> Result<(), sqlx::Error> {
    let mut conn = state.pool.acquire().await?;
    let asked_at = Instant::now();
    for authority in current_epochs(&mut conn, sessions).await? {
        if let Some(attached) = state.registry.get(authority.session_id) {
            attached.obey(&authority, asked_at);
        }
    }
    Ok(())
}

/// Says in the database, for ever, that this process and its attaches live. What it does not hear of is
/// presumed lost after a while, and charged to the platform.
async fn beat_on(state: &GatewayState) {
    let mut beats = interval(BEAT_EVERY);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        match timeout(READ_WITHIN, beat(state)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the process could not be marked alive"),
            Err(_) => tracing::debug!("the process could not be marked alive in time"),
        }
    }
}

async fn beat(state: &GatewayState) -> Result<(), sqlx::Error> {
    let attached: Vec<_> = state
        .registry
        .all()
        .iter()
        .map(|it| (it.session_id, it.epoch))
        .collect();
    let mut conn = state.pool.acquire().await?;
    beat_process(&mut conn, state.process_id).await?;
    beat_attachments(&mut conn, state.process_id, &attached).await?;
    Ok(())
}

/// Turns notifications into hints, for ever.
async fn listen(state: Arc<GatewayState>, hints: mpsc::Sender<Hint>) {
    loop {
        if let Err(error) = listen_once(&state.listening, &hints).await {
            tracing::warn!(%error, "notifications are not heard; polling goes on");
        }
        sleep(LISTEN_AGAIN_AFTER).await;
    }
}

async fn listen_once(pool: &PgPool, hints: &mpsc::Sender<Hint>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // What was said before listening began is read now.
    hint(hints, Hint::Everything);
    loop {
        let hint_now = match listener.try_recv().await? {
            Some(notification) => match notification.payload().parse() {
                Ok(id) => Hint::Session(id),
                Err(_) => continue,
            },
            // The connection was lost and made anew.
            None => Hint::Everything,
        };
        hint(hints, hint_now);
    }
}

/// A full channel is no loss: what it holds is read soon, and the poll reads everything.
fn hint(hints: &mpsc::Sender<Hint>, hint: Hint) {
    hints.try_send(hint).ok();
}

/// How long the database has been silent, and what follows from it.
struct Doubt {
    since: Option<Instant>,
    alerted: bool,
    frozen: watch::Sender<bool>,
}

impl Doubt {
    const fn new(frozen: watch::Sender<bool>) -> Self {
        Self {
            since: None,
            alerted: false,
            frozen,
        }
    }

    /// Only an answer ends the doubt. Notifications come over a connection of their own, and go on
    /// coming while every read fails.
    fn learn(&mut self, heard: &Heard, now: Instant) {
        match heard {
            Heard::Answer => {
                if self.alerted {
                    tracing::info!("the database answers again");
                }
                self.end();
            }
            Heard::NobodyAttached => self.end(),
            Heard::Failure(error) => self.failed(error, now),
            Heard::Nothing => {}
        }
    }

    fn end(&mut self) {
        self.since = None;
        self.alerted = false;
        self.frozen
            .send_if_modified(|frozen| std::mem::replace(frozen, false));
    }

    fn failed(&mut self, error: &str, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let silent = now.saturating_duration_since(since);
        tracing::debug!(%error, "the terminals' authority could not be read");
        if silent >= ALERT_AFTER && !self.alerted {
            self.alerted = true;
            tracing::error!(%error, "the terminals' authority cannot be read for 10 s");
        }
        if silent >= FREEZE_AFTER {
            self.frozen
                .send_if_modified(|frozen| !std::mem::replace(frozen, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(hinted: &mut mpsc::Receiver<Hint>) -> Hint {
        let hint = timeout(Duration::from_mins(1), hinted.recv()).await;
        hint.expect("a hint in time").expect("somebody listens")
    }

    /// A doubt that has lasted for `seconds` of failed reads, with `between` heard after each.
    fn doubted(seconds: u64, between: Option<&Heard>) -> Doubt {
        let began = Instant::now();
        let mut doubt = Doubt::new(watch::channel(false).0);
        for second in 0..=seconds {
            let now = began + Duration::from_secs(second);
            doubt.learn(&Heard::Failure("silent".to_owned()), now);
            if let Some(heard) = between {
                doubt.learn(heard, now);
            }
        }
        doubt
    }

    fn stands(doubt: &Doubt) -> (bool, bool) {
        (doubt.alerted, *doubt.frozen.borrow())
    }

    #[test]
    fn a_silent_database_alerts_after_ten_seconds_and_freezes_after_sixty() {
        let table = [
            (9, (false, false)),
            (10, (true, false)),
            (59, (true, false)),
            (60, (true, true)),
        ];
        for (seconds, expected) in table {
            assert_eq!(stands(&doubted(seconds, None)), expected, "{seconds} s");
        }
    }

    #[test]
    fn notifications_for_other_processes_say_nothing_of_the_reads_that_fail() {
        assert_eq!(stands(&doubted(60, Some(&Heard::Nothing))), (true, true));
    }

    #[test]
    fn an_answer_ends_the_doubt_and_so_does_nobody_to_doubt_for() {
        for heard in [Heard::Answer, Heard::NobodyAttached] {
            let mut doubt = doubted(60, None);
            doubt.learn(&heard, Instant::now());
            assert_eq!(stands(&doubt), (false, false));
            let later = Instant::now() + Duration::from_hours(1);
            doubt.learn(&Heard::Failure("silent".to_owned()), later);
            assert_eq!(stands(&doubt), (false, false), "it begins anew");
        }
    }

    #[sqlx::test(migrations = false)]
    async fn each_notification_hints_at_its_session_without_any_poll(pool: PgPool) {
        let (hints, mut hinted) = mpsc::channel(HINTS);
        let listening = tokio::spawn({
            let pool = pool.clone();
            async move { listen_once(&pool, &hints).await }
        });
        assert!(matches!(next(&mut hinted).await, Hint::Everything));
        for session_id in [ExamSessionId::generate(), ExamSessionId::generate()] {
            let notify = format!("NOTIFY {CHANNEL}, '{session_id}'");
            sqlx::raw_sql(sqlx::AssertSqlSafe(notify))
                .execute(&pool)
                .await
                .unwrap();
            let hint = next(&mut hinted).await;
            assert!(matches!(hint, Hint::Session(told) if told == session_id));
        }
        listening.abort();
    }
}
