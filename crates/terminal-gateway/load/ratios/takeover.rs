//! Recorded shells that nobody is attached to, and their process is killed: how long until another one
//! reads them, and what is missing on record.

use std::time::{Duration, Instant};

use session_identity::ExamSessionId;
use session_recording::{Verification, verify};
use sqlx::PgPool;
use tokio::time::{sleep, timeout};

use crate::Rounds;
use crate::browser::Browser;
use crate::database::Database;
use crate::gateway::Running;
use crate::keeper::Shells;
use crate::keepers::{Keepers, RATE};
use crate::report::{Report, Target, Times};
use crate::rows::runtime_name;

/// What is waited for takes no longer unless something hangs.
const PATIENCE: Duration = Duration::from_mins(5);
/// Shells print for so long before their reader is killed…
const BEFORE: Duration = Duration::from_secs(5);
/// …and all in all: long enough for whoever reads on to have them all while they print.
const LENGTH: u64 = 24 * RATE;
/// For what a dead process had left to be shipped.
const SHIPPED_WITHIN: Duration = Duration::from_mins(1);
/// A keeper holds back for so long what a lost stream had not consumed.
const HOLD: Duration = Duration::from_secs(10);

pub(crate) async fn measure(database: &Database, rounds: Rounds, report: &mut Report) {
    let mut keepers = Keepers::listen().await;
    let mut reader = Running::leading_to(database, Shells::default(), keepers.address).await;
    let heir = Running::leading_to(database, Shells::default(), keepers.address).await;
    let sessions = leave_shells(&reader, &mut keepers, rounds.read_on).await;
    keepers.let_print();
    sleep(BEFORE).await;
    let killed = Instant::now();
    reader.child.kill().await;
    let read = until("every shell is read on", async || {
        let read = keepers.reached_after(killed);
        (read.len() == sessions.len()).then_some(read)
    });
    let times = Times::of(read.await);
    tell(&times, report);
    let missing = missing(&database.pool, &sessions).await;
    let what = "— not on record while the killed process's spool is away";
    tell_missing(what, missing, sessions.len(), report, &Target::none());
    reader.start_again().await;
    let missing = missing_at_last(&database.pool, &sessions).await;
    let what = "— missing once that spool is there again";
    let target = Target::met_if("0", missing == 0);
    tell_missing(what, missing, sessions.len(), report, &target);
    // It reads until here.
    drop(heir);
}

fn tell(times: &Times, report: &mut Report) {
    let seconds = |percent| times.percentile(percent).as_secs_f64();
    let found = format!("p50 {:.1} s, {:.1} s at most", seconds(50), seconds(100));
    let target = Target::met_if("≤ 10 s", times.percentile(100) <= HOLD);
    let what = "reader killed → its shells read by another process";
    report.row(what, times.count(), &found, &target);
}

fn tell_missing(what: &str, missing: u64, shells: usize, report: &mut Report, target: &Target) {
    let printed = LENGTH * shells as u64;
    let found = format!("{missing} of {printed} bytes");
    report.row(what, shells, &found, target);
}

/// How much is missing of what the shells printed, once that is known of every byte.
async fn missing(pool: &PgPool, sessions: &[ExamSessionId]) -> u64 {
    let mut missing = 0;
    for session in sessions {
        missing += until("all is told of", async || told(pool, *session).await).await;
    }
    missing
}

/// The same after what a dead process had left was shipped, or had long enough to be.
async fn missing_at_last(pool: &PgPool, sessions: &[ExamSessionId]) -> u64 {
    let begun = Instant::now();
    loop {
        let missing = missing(pool, sessions).await;
        if missing == 0 || begun.elapsed() > SHIPPED_WITHIN {
            return missing;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// How much is missing of a shell's output, once it is known of every byte whether it is.
async fn told(pool: &PgPool, session: ExamSessionId) -> Option<u64> {
    let mut conn = pool.acquire().await.unwrap();
    let found: Verification = verify(&mut conn, session).await.unwrap()?;
    assert!(found.is_intact, "{found:?}");
    let shell = found.shells.first()?;
    (shell.output_bytes + shell.gap_bytes == LENGTH).then_some(shell.gap_bytes)
}

/// Asks again and again, until there is an answer.
async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let answered = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = timeout(PATIENCE, answered).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Shells that a process records while nobody is attached.
async fn leave_shells(
    running: &Running,
    keepers: &mut Keepers,
    count: usize,
) -> Vec<ExamSessionId> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        let seat = running.seat_in("fail_closed").await;
        keepers.start(&runtime_name(seat.session_id), LENGTH).await;
        drop(Browser::attach(&seat, None).await);
        sessions.push(seat.session_id);
    }
    until("nobody is attached", async || {
        let left = running.metric("carrel_terminal_unattended").await;
        (left >= count as f64).then_some(())
    })
    .await;
    sessions
}
