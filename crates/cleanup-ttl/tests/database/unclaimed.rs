//! What nobody begins is told.

use cleanup_ttl::find_unclaimed;
use session_lifecycle::SessionState;
use sqlx::{Connection, PgPool};

use crate::fixtures::{apply_exam, seed};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn only_what_nobody_begins_for_half_a_minute_is_unclaimed(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    apply_exam(&mut conn).await;
    seed(&mut conn, "u-new", SessionState::Created, 3600.0).await;
    let waiting = seed(&mut conn, "u-waiting", SessionState::Created, 3600.0).await;
    let begun = seed(&mut conn, "u-begun", SessionState::Initializing, 3600.0).await;
    let missed = seed(&mut conn, "u-missed", SessionState::Created, 3600.0).await;
    let old = [waiting, begun, missed].map(|id| id.as_uuid());
    let mut tx = conn.begin().await.unwrap();
    sqlx::raw_sql("SET LOCAL session_replication_role = replica")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query!(
        "UPDATE exam_sessions SET created_at = now() - interval '40 s',
                ready_by = CASE id WHEN $2 THEN now() ELSE ready_by END
         WHERE id = ANY ($1)",
        &old,
        missed.as_uuid()
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let unclaimed = find_unclaimed(&mut conn, 10).await.unwrap();
    let [(id, waits)] = unclaimed[..] else {
        panic!("{unclaimed:?}");
    };
    assert_eq!(id, waiting);
    assert!(waits >= 40, "{waits}");
}
