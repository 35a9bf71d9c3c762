//! `bench`: an empty database is measured and left empty, any other refused.

use sqlx::PgPool;

use crate::{data, put, run};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_empty_database_is_measured_and_left_empty(pool: PgPool) {
    let words = [
        "bench",
        "--profile",
        "quick",
        "--jobs",
        "1000",
        "--slots",
        "4",
        "--probes",
        "10",
    ];
    let measured = run(&pool, &words).await;
    assert_eq!(measured.status.code(), Some(0), "{measured:?}");
    let told = data(&measured);
    for figure in [
        "/enqueued_one_by_one_per_second",
        "/enqueued_in_batches_per_second",
        "/run_per_second",
        "/idle_start_milliseconds/p50",
        "/idle_start_milliseconds/max",
    ] {
        let figure = told.pointer(figure).unwrap().as_f64().unwrap();
        assert!(figure > 0.0, "{told}");
    }
    assert_eq!((&told["jobs"], &told["slots"]), (&1_000.into(), &4.into()));
    assert!(told["server"]["fsync"].is_string(), "{told}");
    let left = "SELECT 1 FROM jobs UNION ALL SELECT 1 FROM job_attempts";
    let left = sqlx::raw_sql(left).fetch_all(&pool).await.unwrap();
    assert_eq!(left.len(), 0);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_database_that_is_in_use_is_not_measured(pool: PgPool) {
    let id = put(&pool).await;
    let refused = run(&pool, &["bench", "--jobs", "1000"]).await;
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(4), 0));
    let shown = data(&run(&pool, &["show", &id]).await);
    assert_eq!(shown["job"]["state"], "ready");
}
