//! Each fix of the claim's statement, shown to be what holds it: a scenario runs once with the
//! store's own statement and must hold, and once with one clause of it cut and must break.
//!
//! | Fault | Scenario | Clause that is cut |
//! |---|---|---|
//! | a late answer ends a later run (F4) | [`fencing::a_stale_answer_is_refused`] | [`RUN_TOKEN`] |
//! | a failed job is claimable at once (F3) | [`fencing::a_retry_waits`] | [`BACKOFF`] |
//! | what can never succeed is tried again (F6) | [`fencing::a_permanent_failure_is_the_end`] | [`PERMANENT`] |
//! | each enqueue notifies (F11) | [`notifying::notifications_of_twenty_enqueues`] | a trigger a row, as stock storage has it |
//! | each wake notifies | [`notifying::notifications_of_two_hundred_wakes`] | [`job_queue::Waker`] |
//! | a cancelled job runs again | [`fencing::a_cancel_outlasts_a_retry`] | [`CANCEL_AT_THE_END`] |
//! | a cancelled job outlives a crash | [`fencing::a_cancel_outlasts_a_crash`] | [`CANCEL_AT_A_CRASH`] |
//! | poison has no end (F2) | [`claiming::crashes_park_a_job`] | [`CRASH_LIMIT`] |
//! | a restart under the same name keeps a dead run's job (F1) | [`claiming::a_lease_runs_out_whoever_lives`] | [`LEASE`] |
//! | a paused queue is claimed from | [`claiming::a_pause_counts`] | [`PAUSE`] |
//! | a drained worker claims | [`claiming::a_drain_counts`] | [`DRAIN`] |
//! | a limited queue runs more | [`claiming::a_limit_counts`] | [`QUEUE_LIMIT`] |
//! | a claim misses what others have claimed meanwhile | [`claiming::a_late_claim_counts_what_it_did_not_see`] | [`UNSEEN_CLAIMS`] |
//! | a queue with a rate starts more | [`rates::a_rate_counts`] | [`rates::RATE`] |
//! | what has started can start again | [`rates::a_start_is_spent`] | [`rates::SPENT`] |
//! | what is taken over starts beside the rate | [`rates::a_run_taken_over_counts`] | [`rates::TAKEN_OVER`] |
//! | what is parked takes the starts of others | [`rates::what_is_parked_is_no_start`] | [`rates::PARKED`] |
//! | a clock that goes back stops a queue | [`rates::a_clock_may_go_back`] | [`rates::CLOCK_BACK`] |
//! | two count one rate at once | [`rates::one_counts_at_a_time`] | [`rates::COUNTED_BY_ONE`] |
//! | an old job starves behind what comes later | [`ages::waiting_raises_a_job`] | [`ages::AGE`] |
//! | what others hold stops such a queue | [`ages::what_is_held_stops_no_queue`] | [`ages::THE_REST`] |
//! | a claim there counts a job twice | [`ages::a_claim_is_filled`] | [`ages::TWICE`] |
//! | old statistics have a claim walk the backlog once a job | [`ages::what_it_takes_is_found_by_id`] | [`ages::BY_ID`] |
//! | two busy workers break the order by age | [`ages::a_claim_beside_another_goes_by_age`] | [`ages::AS_MANY_AGAIN`] |
//! | more run than may over all queues | [`claiming::a_limit_over_all_counts`] | [`ALL_QUEUES_LIMIT`] |
//! | and where a claim misses what others have claimed | [`claiming::a_late_claim_counts_over_all`] | [`UNSEEN_OVER_ALL`] |
//! | a busy queue keeps every place for itself | [`claiming::a_place_goes_round`] | [`TURNS`] |
//! | a worker gets what it cannot read | [`claiming::an_unknown_version_stays`] | [`VERSIONS`] |
//! | claimers queue behind each other | [`claiming::a_locked_job_is_passed_over`] | [`SKIP_LOCKED`] |
//! | two claimers get one job | [`claiming::two_claimers_share_nothing`] | [`ROW_LOCKS`] |
//! | a claim sorts the backlog (F9) | [`plans::claims_read_what_they_take`] | the index `jobs_claimable` |
//! | counting queues reads what is done (F10) | [`plans::read_to_list_queues`] | the index `jobs_dead` |
//! | a duplicate costs the caller's transaction | [`keys::a_duplicate_is_an_answer`] | [`keys::ON_CONFLICT`] |
//!
//! A statement that loses a clause fails here before it fails anybody else: each clause must be
//! found as often as it is said to be.

mod ages;
mod claiming;
mod fencing;
mod keys;
mod notifying;
mod plans;
mod rates;

use session_identity::JobId;
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use uuid::Uuid;

use crate::support::load;

/// The store's own.
const EXCHANGE: &str = include_str!("../../queries/exchange.sql");

/// A text in a statement, how often it is there, and what takes its place.
type Cut = (&'static str, usize, &'static str);

const RUN_TOKEN: &[Cut] = &[("AND j.run_token = i.run_token", 1, "")];
const BACKOFF: &[Cut] = &[(
    "WHEN i.verb IN ('retry', 'snooze')",
    1,
    "WHEN i.verb = 'snooze'",
)];
const PERMANENT: &[Cut] = &[("'done', 'dead', 'cancelled'", 2, "'done', 'cancelled'")];
const CANCEL_AT_THE_END: &[Cut] = &[
    (
        "WHEN j.cancel_requested_at IS NOT NULL THEN 'cancelled'",
        1,
        "",
    ),
    ("OR j.cancel_requested_at IS NOT NULL", 1, ""),
];
const CANCEL_AT_A_CRASH: &[Cut] = &[
    ("OR e.cancel_requested_at IS NOT NULL", 1, ""),
    ("AND e.cancel_requested_at IS NULL", 2, ""),
];
const CRASH_LIMIT: &[Cut] = &[
    ("e.crash_count + 1 >= $14", 1, "$14 < 0"),
    ("e.crash_count + 1 < $14", 2, "$14 > 0"),
];
/// What looks for orphans by the name's heartbeat.
const LEASE: &[Cut] = &[(
    "j.lease_until <= now()",
    1,
    "NOT EXISTS (SELECT 1 FROM workers o JOIN workers w ON w.name = o.name
                 WHERE o.incarnation = j.lease_owner
                   AND w.seen_at > now() - interval '5 minutes')",
)];
const PAUSE: &[Cut] = &[("p.paused_at IS NOT NULL", 1, "false")];
const DRAIN: &[Cut] = &[("w.drain_requested_at IS NOT NULL", 1, "false")];
const QUEUE_LIMIT: &[Cut] = &[("LEAST($12, o.free,", 1, "LEAST($12,")];
const UNSEEN_CLAIMS: &[Cut] = &[("WHEN c.claims IS DISTINCT FROM q.claims THEN 0", 1, "")];
const ALL_QUEUES_LIMIT: &[Cut] = &[(
    "LEFT JOIN counting_all c ON true
    WHERE a.concurrency IS NOT NULL",
    1,
    "LEFT JOIN counting_all c ON true WHERE false",
)];
const UNSEEN_OVER_ALL: &[Cut] = &[(
    "WHEN c.claims IS DISTINCT FROM a.claims THEN 0",
    1,
    "WHEN false THEN 0",
)];
const TURNS: &[Cut] = &[
    ("WHERE t.queue <> o.name", 1, "WHERE false"),
    // That of all its queues together holds it too.
    (
        "WHERE t.queue NOT IN (SELECT o.name",
        1,
        "WHERE false AND t.queue NOT IN (SELECT o.name",
    ),
];
const VERSIONS: &[Cut] = &[("j.kind_version BETWEEN", 3, "1 BETWEEN")];
const SKIP_LOCKED: &[Cut] = &[("FOR UPDATE SKIP LOCKED", 3, "FOR UPDATE")];
const ROW_LOCKS: &[Cut] = &[("FOR UPDATE SKIP LOCKED", 3, "")];

/// Makes the cuts, each as often as its text must be there.
fn mutant(statement: &str, cuts: &[Cut]) -> String {
    cuts.iter()
        .fold(statement.to_owned(), |text, (clause, times, instead)| {
            let found = text.matches(clause).count();
            assert_eq!(found, *times, "the statement has `{clause}` so often");
            text.replace(clause, instead)
        })
}

/// Runs the scenario on empty tables with either statement.
async fn assert_held_by(cuts: &[Cut], pool: &PgPool, holds: impl AsyncFn(&PgPool, &str) -> bool) {
    assert!(holds(pool, EXCHANGE).await, "the store's statement");
    sqlx::raw_sql("TRUNCATE jobs, job_attempts, queues, all_queues, queue_turns, workers")
        .execute(pool)
        .await
        .unwrap();
    assert!(
        !holds(pool, &mutant(EXCHANGE, cuts)).await,
        "held by something else than {cuts:?}"
    );
}

/// How a run ended, as the statement is told.
struct End {
    job: JobId,
    run_token: i64,
    verb: &'static str,
    delay_ms: i64,
}

impl End {
    fn new((job, run_token): (JobId, i64), verb: &'static str) -> Self {
        Self {
            job,
            run_token,
            verb,
            delay_ms: 0,
        }
    }
}

/// Jobs with their tokens.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    finished: Vec<(JobId, i64)>,
    parked: Vec<(JobId, i64)>,
    claimed: Vec<(JobId, i64)>,
}

/// The statement with what the store binds to it: pings of version 1 in one queue, leases of
/// 20 s, three crashes.
#[expect(
    clippy::disallowed_methods,
    reason = "a mutant is checked by what it breaks"
)]
fn bound(
    statement: String,
    queue: &'static str,
    worker: Uuid,
    ends: &[End],
    limit: i64,
) -> Query<'static, Postgres, PgArguments> {
    let nothing = || vec![None::<String>; ends.len()];
    sqlx::query(AssertSqlSafe(statement))
        .bind(ends.iter().map(|end| end.job.as_uuid()).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.run_token).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.verb).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.delay_ms).collect::<Vec<_>>())
        .bind(nothing())
        .bind(nothing())
        .bind(worker)
        .bind("w")
        .bind(vec![queue])
        .bind(vec!["ping"])
        .bind(vec![30_000_i64])
        .bind(limit)
        .bind(20_000_i64)
        .bind(3_i32)
        .bind(11_000_i64)
        .bind(vec![1_i32])
        .bind(vec![1_i32])
}

async fn exchange(
    connection: &mut PgConnection,
    statement: &str,
    worker: Uuid,
    ends: &[End],
    limit: i64,
) -> Result<Answer, sqlx::Error> {
    exchange_from(connection, statement, "test", worker, ends, limit).await
}

async fn exchange_from(
    connection: &mut PgConnection,
    statement: &str,
    queue: &'static str,
    worker: Uuid,
    ends: &[End],
    limit: i64,
) -> Result<Answer, sqlx::Error> {
    let rows = bound(statement.to_owned(), queue, worker, ends, limit)
        .fetch_all(connection)
        .await?;
    let mut answer = Answer::default();
    for row in rows {
        let part: &str = row.get(0);
        match part {
            "finished" => answer.finished.push(named(&row)),
            "parked" => answer.parked.push(named(&row)),
            "claimed" => answer.claimed.push(named(&row)),
            _ => {}
        }
    }
    Ok(answer)
}

fn named(row: &PgRow) -> (JobId, i64) {
    (JobId::from_uuid(row.get(1)), row.get(2))
}

/// Claims what one slot takes.
async fn claim(pool: &PgPool, statement: &str, worker: Uuid) -> Option<(JobId, i64)> {
    let mut connection = pool.acquire().await.unwrap();
    let answer = exchange(&mut connection, statement, worker, &[], 1).await;
    answer.unwrap().claimed.pop()
}

/// Ends a run without claiming; says whether the row took it.
async fn finish(pool: &PgPool, statement: &str, worker: Uuid, end: End) -> bool {
    let mut connection = pool.acquire().await.unwrap();
    let answer = exchange(&mut connection, statement, worker, &[end], 0).await;
    !answer.unwrap().finished.is_empty()
}

/// What 20 s of silence do.
async fn let_leases_run_out(pool: &PgPool) {
    let expire = "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'running'";
    sqlx::raw_sql(expire).execute(pool).await.unwrap();
}

async fn state_of(pool: &PgPool, job: JobId) -> String {
    load(pool, job).await.state
}
