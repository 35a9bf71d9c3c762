//! One schema, however many bring it up to date at once.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

use crate::run::Carrel;

#[sqlx::test(migrations = false)]
async fn two_migrations_of_an_empty_database_at_once_apply_each_file_once(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let before = carrel.data(&["migrate", "status"]).await;
    assert_eq!(before["current"], false);
    assert!(before["version"].is_null());
    let up = ["migrate", "up"];
    let calls = tokio::join!(carrel.data(&up), carrel.data(&up), carrel.data(&up));
    let applied =
        [&calls.0, &calls.1, &calls.2].map(|call| call["applied"].as_array().unwrap().len());
    let all = migrations::MIGRATOR.iter().count();
    assert_eq!(applied.iter().sum::<usize>(), all);
    assert_eq!(applied.iter().max(), Some(&all));
    let after = carrel.data(&["migrate", "status"]).await;
    assert_eq!(after["current"], true);
    assert_eq!(after["version"], calls.0["version"]);
}

#[sqlx::test(migrations = false)]
async fn a_migration_stops_where_it_is_told_and_is_shown_first(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let all: Vec<_> = migrations::MIGRATOR.iter().map(|it| it.version).collect();
    let to = all[1].to_string();
    let shown = carrel
        .data(&["migrate", "up", "--to", &to, "--dry-run"])
        .await;
    assert_eq!(shown["would_apply"], serde_json::json!(all[..2]));
    let before = carrel.data(&["migrate", "status"]).await;
    assert!(before["version"].is_null(), "nothing was applied");
    let up = carrel.data(&["migrate", "up", "--to", &to]).await;
    assert_eq!(up["applied"], serde_json::json!(all[..2]));
    assert_eq!(up["version"], all[1]);
    let rest = carrel.data(&["migrate", "up"]).await;
    assert_eq!(rest["applied"], serde_json::json!(all[2..]));
    let unknown = carrel.run(&["migrate", "up", "--to", "7"]).await;
    assert_eq!((unknown.exit, &unknown.error["field"]), (2, &"to".into()));
}

/// Killed ever later, until one came through: wherever it died, the next goes on from there.
#[sqlx::test(migrations = false)]
async fn a_migration_killed_at_any_point_is_finished_by_the_next(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let mut killed = 0;
    for pause in (0..).step_by(15).map(Duration::from_millis) {
        let mut call = carrel.start(&["migrate", "up"]);
        if let Ok(ended) = timeout(pause, call.wait()).await {
            assert!(ended.unwrap().success(), "after {killed} kills");
            break;
        }
        call.kill().await.unwrap();
        killed += 1;
    }
    // Once before it began and once under way at least: a fast machine is through after a few.
    assert!(killed > 1, "only {killed} were killed");
    assert_eq!(carrel.data(&["migrate", "status"]).await["current"], true);
    let valid = carrel.run(&["migrate", "validate"]).await;
    assert_eq!(valid.exit, 0, "{valid:?}");
}

#[sqlx::test(migrations = false)]
async fn a_migration_waits_for_another_only_as_long_as_it_was_told(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let mut other = pool.acquire().await.unwrap();
    let key = 0x6361_7272_656c_0001_i64;
    sqlx::query_scalar!("SELECT pg_advisory_lock($1)::text", key)
        .fetch_one(&mut *other)
        .await
        .unwrap();
    let late = carrel
        .run(&["migrate", "up", "--lock-timeout", "300ms"])
        .await;
    assert_eq!(late.exit, 8);
    assert_eq!(late.error["code"], "migrate.locked");
    sqlx::query_scalar!("SELECT pg_advisory_unlock($1)", key)
        .fetch_one(&mut *other)
        .await
        .unwrap();
    carrel
        .data(&["migrate", "up", "--lock-timeout", "5s"])
        .await;
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_migration_gives_way_to_whoever_uses_its_table_and_comes_back(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let before = "ALTER TABLE missed_ticks DROP COLUMN claimed_at;
                  DELETE FROM _sqlx_migrations WHERE version = 20261130000038";
    sqlx::raw_sql(before).execute(&pool).await.unwrap();
    let mut reader = pool.begin().await.unwrap();
    let reads = "SELECT count(*) FROM missed_ticks";
    sqlx::raw_sql(reads).execute(&mut *reader).await.unwrap();
    let up = ["migrate", "up", "--lock-timeout", "300ms"];
    let late = carrel.run(&up).await;
    assert_eq!(
        (late.exit, &late.error["code"]),
        (8, &"migrate.table_in_use".into())
    );
    // It waits on, and goes through once the reader has gone.
    let waits = async { carrel.data(&["migrate", "up"]).await };
    let goes = async {
        while waiting(&pool).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        reader.rollback().await.unwrap();
    };
    let (applied, ()) = tokio::join!(waits, goes);
    assert_eq!(
        applied["applied"],
        serde_json::json!([20_261_130_000_038_i64])
    );
}

async fn waiting(pool: &PgPool) -> i64 {
    let waiting = sqlx::query_scalar!(
        r#"SELECT count(*) AS "waiting!" FROM pg_locks
           WHERE NOT granted AND relation = 'missed_ticks'::regclass"#
    );
    waiting.fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_newer_or_altered_database_is_refused_and_left_alone(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (29990101000001, 'from the future', true, '\\x00', 0)";
    sqlx::raw_sql(newer).execute(&pool).await.unwrap();
    let refused = carrel.run(&["migrate", "up"]).await;
    assert_eq!(
        (refused.exit, &refused.error["code"]),
        (4, &"migrate.database_is_newer".into())
    );
    let status = carrel.data(&["migrate", "status"]).await;
    let last = status["migrations"].as_array().unwrap().last().unwrap();
    assert_eq!(last["state"], "unknown");

    let altered = "DELETE FROM _sqlx_migrations WHERE version = 29990101000001;
                   UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 20261124000001";
    sqlx::raw_sql(altered).execute(&pool).await.unwrap();
    let refused = carrel.run(&["migrate", "up"]).await;
    assert_eq!(
        (refused.exit, &refused.error["code"]),
        (4, &"migrate.changed".into())
    );
    assert_eq!(
        carrel.data(&["migrate", "status"]).await["migrations"][0]["state"],
        "changed"
    );
}

#[sqlx::test(migrations = false)]
async fn the_statements_of_what_is_missing_or_of_everything_can_be_read_first(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let all = migrations::MIGRATOR.iter().count();
    let count = async |arguments: &[&str]| {
        let data = carrel.data(arguments).await;
        data["migrations"].as_array().unwrap().len()
    };
    assert_eq!(count(&["migrate", "sql"]).await, all);
    carrel.data(&["migrate", "up"]).await;
    assert_eq!(count(&["migrate", "sql"]).await, 0);
    let everything = carrel.data(&["migrate", "sql", "--all"]).await;
    let last = everything["migrations"].as_array().unwrap().last().unwrap();
    assert!(
        last["sql"].as_str().unwrap().starts_with("-- Owner: "),
        "{last}"
    );
    assert_eq!(count(&["migrate", "sql", "--all"]).await, all);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_schema_that_lacks_or_alters_what_its_migrations_make_is_unhealthy(pool: PgPool) {
    let carrel = Carrel::on(&pool);
    let whole = carrel.run(&["migrate", "validate"]).await;
    assert_eq!(
        (whole.exit, &whole.data["findings"]),
        (0, &serde_json::json!([])),
        "{whole:?}"
    );
    let drift = "DROP INDEX jobs_claimable;
                 ALTER TABLE jobs ALTER COLUMN priority SET DEFAULT 7;
                 CREATE INDEX by_hand ON jobs (enqueued_by)";
    sqlx::raw_sql(drift).execute(&pool).await.unwrap();
    let drifted = carrel.run(&["migrate", "validate"]).await;
    assert_eq!(drifted.exit, 9);
    let findings = drifted.data["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(
        findings[0]
            .as_str()
            .unwrap()
            .starts_with("column jobs.priority is ")
    );
    assert_eq!(findings[1], "index jobs_claimable is missing");
    assert_eq!(drifted.data["extra"], serde_json::json!(["index by_hand"]));
    let left = sqlx::query_scalar!("SELECT 1 FROM pg_namespace WHERE nspname = 'carrel_expected'");
    assert!(
        left.fetch_optional(&pool).await.unwrap().is_none(),
        "nothing is left behind"
    );
    let altered = "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 20261124000001";
    sqlx::raw_sql(altered).execute(&pool).await.unwrap();
    let changed = carrel.run(&["migrate", "validate"]).await;
    assert_eq!(
        (changed.exit, &changed.data["findings"][0]),
        (9, &"20261124000001 is changed".into())
    );
}
