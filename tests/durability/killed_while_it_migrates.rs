//! `carrel migrate up` is cut off or killed on its way: the next one goes on where it was, and the
//! schema is the one that nobody disturbed.

use std::process::ExitStatus;

use rustix::process::Signal;
use sqlx::PgPool;
use sqlx::migrate::Migrate as _;
use system_tests::Weight;
use system_tests::process::Process;
use system_tests::settings::setting;
use system_tests::wait::{SOON, until};
use system_tests::{database::TestDatabase, fault_proxy::FaultProxy, ports::moved, take_places};

use crate::wire::holds;

/// In an early migration, in two on the way, and between a migration's own commit and the next.
const POINTS: [&str; 4] = [
    "CREATE TABLE exam_sessions",
    "CREATE TABLE job_operations",
    "CREATE TABLE terminal_processes",
    "COMMIT",
];

#[tokio::test]
async fn a_migration_whose_connection_is_lost_in_it_is_done_whole_by_the_next() {
    let _place = take_places(Weight::Light).await;
    for point in POINTS {
        let database = emptied().await;
        let proxy = FaultProxy::before(&database.url).await;
        proxy.lose_answers_to(move |request| holds(request, point.as_bytes()));
        let mut cut_off = migrate(&moved(&database.url, &proxy.place()), "up");
        assert!(!cut_off.ended().await.success(), "cut off at {point}");
        let before = applied(&database.pool).await;
        assert!(before < all(), "cut off at {point}");
        assert_becomes_whole(&database).await;
    }
}

#[tokio::test]
async fn a_migration_that_is_killed_is_gone_on_with_by_the_next() {
    let _place = take_places(Weight::Light).await;
    for killed_after in [0, 1, all() / 2] {
        let database = emptied().await;
        let mut killed = migrate(&database.url, "up");
        until("some of it is applied", SOON, async || {
            (applied(&database.pool).await >= killed_after).then_some(())
        })
        .await;
        killed.process.signal(Signal::KILL);
        killed.ended().await;
        assert_becomes_whole(&database).await;
    }
}

/// The next one applies what is missing, and finds nothing missing or other.
async fn assert_becomes_whole(database: &TestDatabase) {
    for verb in ["up", "validate"] {
        let mut verb = migrate(&database.url, verb);
        let status = verb.ended().await;
        assert!(status.success(), "{}", verb.process.log_tail());
    }
    assert_eq!(applied(&database.pool).await, all());
}

/// A `carrel migrate` under way.
struct Migration {
    process: Process,
    _folder: tempfile::TempDir,
}

impl Migration {
    async fn ended(&mut self) -> ExitStatus {
        let process = &mut self.process;
        until("carrel migrate has ended", SOON, async || process.ended()).await
    }
}

fn migrate(url: &str, verb: &str) -> Migration {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["migrate", verb, "--database-url", url].map(ToOwned::to_owned);
    let arguments = arguments.to_vec();
    let process = Process::start("migrate", "carrel", arguments, Vec::new(), folder.path());
    Migration {
        process,
        _folder: folder,
    }
}

/// A database as `CREATE DATABASE` makes it.
async fn emptied() -> TestDatabase {
    let database = TestDatabase::create(&setting("DATABASE_URL")).await;
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .execute(&database.pool)
        .await
        .unwrap();
    database
}

/// How many migrations the database has.
async fn applied(pool: &PgPool) -> usize {
    let mut conn = pool.acquire().await.unwrap();
    // The table is made by the first of them.
    let listed = conn.list_applied_migrations("_sqlx_migrations").await;
    listed.map_or(0, |applied| applied.len())
}

fn all() -> usize {
    migrations::MIGRATOR.iter().count()
}
