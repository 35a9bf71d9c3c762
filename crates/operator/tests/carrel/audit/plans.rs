//! A page reads about as many rows as it shows, however many there are.

use session_lifecycle::{list_signed_extensions, list_signed_transitions};
use sqlx::{PgConnection, PgPool};

const PAGE: i64 = 50;
/// The planner looks up the ends of an index for itself.
const PLANNER: i64 = 10;

/// 5,000 sessions with four transitions, one of them signed by a person, and an extension each; 20,000
/// acts on jobs. Triggers would find that none of it was lived through.
const HISTORY: &str = "
    SET LOCAL session_replication_role = replica;
    INSERT INTO exam_sessions (id, user_id, environment_id, exam_name, exam_version, ready_by, absolute_end)
        SELECT gen_random_uuid(), 'u-' || n, gen_random_uuid(), 'x', 1, now(), now()
        FROM generate_series(1, 5000) AS n;
    INSERT INTO session_transitions (session_id, version, to_state, cause, actor, at)
        SELECT id, v, 'ready', 'c', CASE v WHEN 1 THEN 'service:p' ELSE 'system:worker' END,
               now() - random() * interval '90 days'
        FROM exam_sessions, generate_series(1, 4) AS v;
    INSERT INTO session_extensions
        (session_id, version, by_seconds, previous_end, new_end, actor, reason, idempotency_key, at)
        SELECT id, 9, 1, now(), now(), 'staff:dana', 'r', 'k', now() - random() * interval '90 days'
        FROM exam_sessions;
    INSERT INTO job_actions (job_id, verb, actor, at)
        SELECT gen_random_uuid(), 'job.retry', 'staff:dana', now() - random() * interval '90 days'
        FROM generate_series(1, 20000);
    ANALYZE exam_sessions, session_transitions, session_extensions, job_actions";

/// How many rows of the table this transaction has read, by whichever way.
async fn rows_read(conn: &mut PgConnection, table: &str) -> i64 {
    sqlx::query_scalar!(
        r#"SELECT COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) AS "read!"
           FROM pg_stat_xact_user_tables WHERE relname = $1"#,
        table
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_page_from_the_middle_reads_hardly_more_rows_than_it_shows(pool: PgPool) {
    let mut conn = pool.begin().await.unwrap();
    sqlx::raw_sql(HISTORY).execute(&mut *conn).await.unwrap();
    let now = job_queue::database_now(&mut conn).await.unwrap();
    let middle = Some((now - chrono::TimeDelta::days(45), 1));
    let tables = ["job_actions", "session_transitions", "session_extensions"];
    let mut before = Vec::new();
    for table in tables {
        before.push(rows_read(&mut conn, table).await);
    }

    let filter = job_queue::SignedFilter {
        after: middle,
        ..Default::default()
    };
    let actions = job_queue::list_signed_actions(&mut conn, &filter, PAGE).await;
    let filter = session_lifecycle::SignedFilter {
        after: middle,
        ..Default::default()
    };
    let transitions = list_signed_transitions(&mut conn, &filter, PAGE).await;
    let extensions = list_signed_extensions(&mut conn, &filter, PAGE).await;
    let shown = [
        actions.unwrap().len(),
        transitions.unwrap().len(),
        extensions.unwrap().len(),
    ];
    assert_eq!(shown, [50, 50, 50]);
    for (table, before) in tables.into_iter().zip(before) {
        let read = rows_read(&mut conn, table).await - before;
        assert!(
            (1..=PAGE + PLANNER).contains(&read),
            "{table}: {read} rows read"
        );
    }
}
