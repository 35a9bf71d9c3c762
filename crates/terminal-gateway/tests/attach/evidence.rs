//! What an attach went through is on record, whatever ended it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use environment_access::{AttachmentRecord, OutageRecord, attachments, outages, refusals};
use session_identity::Role;
use sqlx::PgPool;

use crate::bench::{Bench, owner};
use crate::browser::{Browser, PATIENCE, open, request};
use crate::rows::{insert_session, set_state, token};
use crate::seat::Seat;

/// Longer than what nobody notices.
const AWAY: Duration = Duration::from_millis(2_500);

async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}

async fn attachment(bench: &Seat, fits: fn(&AttachmentRecord) -> bool) -> AttachmentRecord {
    until(async || {
        let mut conn = bench.pool.acquire().await.unwrap();
        let all = attachments(&mut conn, bench.session_id).await.unwrap();
        all.into_iter().find(fits)
    })
    .await
}

async fn outage(bench: &Seat) -> OutageRecord {
    until(async || {
        let mut conn = bench.pool.acquire().await.unwrap();
        outages(&mut conn, bench.session_id).await.unwrap().pop()
    })
    .await
}

/// Waits until somebody is attached.
pub(crate) async fn opened(seat: &Seat) {
    attachment(seat, |it| it.opened_at.is_some()).await;
}

/// The code that a session's first attach ended with.
pub(crate) async fn closed_with(seat: &Seat) -> i32 {
    let closed = attachment(seat, |it| it.detached_at.is_some()).await;
    closed.close_code.unwrap()
}

fn assert_lasted(outage: &OutageRecord) {
    assert_eq!(outage.cause, "leg_lost");
    let lasted = (outage.ended_at - outage.began_at).to_std().unwrap();
    assert!(lasted >= AWAY / 2, "{lasted:?}");
}

/// The leg breaks and cannot be opened anew for a while.
async fn lose_leg(bench: &Bench) {
    bench.keeper.is_away.store(true, Ordering::SeqCst);
    bench.keeper.break_legs();
    tokio::time::sleep(AWAY).await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_attach_is_opened_seen_and_closed_and_its_process_lives(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (browser, _) = Browser::attach(&bench, None).await;
    let opened = attachment(&bench, |it| it.opened_at.is_some()).await;
    assert_eq!((opened.epoch, opened.detached_at), (1, None));
    drop(browser);
    let closed = attachment(&bench, |it| it.detached_at.is_some()).await;
    assert_eq!(closed.close_code, Some(1001));
    until(async || {
        let lives = sqlx::query_scalar!(
            r#"SELECT count(DISTINCT id) = 1 AS "lives!" FROM terminal_processes"#
        );
        lives.fetch_one(&bench.pool).await.unwrap().then_some(())
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_leg_that_was_lost_and_opened_anew_is_an_outage(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    lose_leg(&bench).await;
    bench.keeper.is_away.store(false, Ordering::SeqCst);
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    assert_lasted(&outage(&bench).await);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn so_is_one_that_whoever_waited_for_it_did_not_see_the_end_of(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (browser, _) = Browser::attach(&bench, None).await;
    lose_leg(&bench).await;
    drop(browser);
    assert_lasted(&outage(&bench).await);
    let closed = attachment(&bench, |it| it.detached_at.is_some()).await;
    assert_eq!(closed.close_code, Some(1001));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_process_that_stops_has_written_how_its_attaches_ended(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    bench.stop.cancel();
    assert_eq!(browser.closed().await, 1012);
    tokio::time::timeout(PATIENCE, &mut bench.ended)
        .await
        .unwrap()
        .unwrap();
    let mut conn = bench.pool.acquire().await.unwrap();
    let all = attachments(&mut conn, bench.session_id).await.unwrap();
    assert_eq!(all[0].close_code, Some(1012), "{all:?}");
}

/// Waits until it is on record that the candidate was turned away for this.
async fn turned_away(bench: &Bench, cause: &str) {
    until(async || {
        let mut conn = bench.pool.acquire().await.unwrap();
        let known = refusals(&mut conn, bench.session_id).await.unwrap();
        known.iter().any(|it| it.cause == cause).then_some(())
    })
    .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn who_is_turned_away_before_an_attach_begins_is_on_record(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench.restart_with_places(8).await;
    let own = bench.session_id;
    // Sockets that wait for HELLO hold the eight places there are, four a user.
    let mut waiting = Vec::new();
    for user in ["u-second", "u-third"] {
        bench.seat.session_id = insert_session(&bench.pool, user).await;
        for state in ["initializing", "ready", "running"] {
            set_state(&bench.pool, bench.session_id, state).await;
        }
        for _ in 0..4 {
            let login = token(user, Role::Candidate);
            waiting.push(open(&bench, request(&bench, &login)).await.unwrap());
        }
    }
    bench.seat.session_id = own;
    let login = owner();
    let refused = open(&bench, request(&bench, &login)).await;
    assert_eq!(refused.err(), Some(503));
    turned_away(&bench, "terminal.busy").await;

    drop(waiting);
    let ticket = bench.ticket(&login).await;
    let going = "UPDATE execution_environments SET state = 'destroying', version = version + 1";
    sqlx::raw_sql(going).execute(&bench.pool).await.unwrap();
    let mut browser = until(async || open(&bench, request(&bench, &login)).await.ok()).await;
    browser.hello(&ticket, None).await;
    assert_eq!(browser.closed().await, 4030);
    turned_away(&bench, "terminal.not_up").await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_leg_into_an_environment_that_is_no_more_is_not_opened_anew(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let (mut browser, _) = Browser::attach(&bench, None).await;
    browser.type_at(0, b"abc").await;
    browser.output(0, 3).await;
    bench.keeper.is_gone.store(true, Ordering::SeqCst);
    bench.keeper.break_legs();
    assert_eq!(browser.closed().await, 4031);
    assert_eq!(closed_with(&bench).await, 4031);
    // Coming again is answered alike.
    let mut again = Browser::greet(&bench, None).await;
    assert_eq!(again.closed().await, 4031);
}
