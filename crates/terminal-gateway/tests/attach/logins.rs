//! A login that runs out under a terminal, and one whose session is taken away.

use std::time::Duration;

use environment_access::wire::{Resume, ServerFrame};
use session_identity::Role;
use sqlx::PgPool;

use crate::bench::Bench;
use crate::browser::{Browser, Came, open, request};
use crate::rows::token_for;

/// Long enough to attach and type with on a busy machine.
const SHORT: Duration = Duration::from_secs(8);

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_login_that_expires_ends_the_connection_and_the_next_one_finds_the_same_shell(
    pool: PgPool,
) {
    let bench = Bench::start(pool).await;
    let token = token_for(&bench.user, Role::Candidate, SHORT);
    let ticket = bench.ticket(&token).await;
    let mut browser = open(&bench, request(&bench, &token)).await.unwrap();
    browser.hello(&ticket, None).await;
    let Came::Frame(ServerFrame::Welcome(first)) = browser.next().await else {
        panic!("no WELCOME");
    };
    browser.type_at(0, b"before").await;
    assert_eq!(browser.output(0, 6).await, b"before");
    assert_eq!(browser.closed().await, 4012);

    let place = Resume {
        epoch: first.epoch,
        output_offset: 6,
        input_offset: 6,
    };
    let (mut browser, again) = Browser::attach(&bench, Some(place)).await;
    assert_eq!((again.epoch, again.input_offset), (first.epoch, 6));
    browser.type_at(6, b" after").await;
    assert_eq!(browser.output(6, 6).await, b" after");
    assert_eq!(bench.keeper.typed(), b"before after");
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_that_is_somebody_else_s_by_the_time_of_hello_is_not_available(pool: PgPool) {
    let bench = Bench::start(pool).await;
    let token = bench.login();
    let ticket = bench.ticket(&token).await;
    let mut browser = open(&bench, request(&bench, &token)).await.unwrap();
    // The table keeps every owner; whoever admits does not rely on it.
    sqlx::query!("ALTER TABLE exam_sessions DISABLE TRIGGER exam_sessions_guard")
        .execute(&bench.pool)
        .await
        .unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET user_id = 'somebody-else', version = version + 1 WHERE id = $1",
        bench.session_id.as_uuid()
    )
    .execute(&bench.pool)
    .await
    .unwrap();
    browser.hello(&ticket, None).await;
    assert_eq!(browser.closed().await, 4004);
    assert!(bench.keeper.typed().is_empty());
}
