//! One live job per key, at no cost to the caller.

use session_identity::JobId;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use uuid::Uuid;

use super::{Cut, mutant};
use crate::support::{keyed, put};

pub(super) const ON_CONFLICT: &[Cut] = &[(
    "ON CONFLICT (idempotency_key)
            WHERE state IN ('ready', 'running') AND idempotency_key IS NOT NULL DO NOTHING",
    1,
    "",
)];

/// The store's own, as its source has it.
fn insert_statement() -> &'static str {
    let source = include_str!("../../../src/enqueue.rs");
    let (_, rest) = source
        .split_once("\"INSERT INTO jobs (")
        .expect("the insert");
    let length = rest.find("RETURNING id\"").expect("its end") + "RETURNING id".len();
    let start = source.len() - rest.len() - "INSERT INTO jobs (".len();
    &source[start..][.."INSERT INTO jobs (".len() + length]
}

#[expect(
    clippy::disallowed_methods,
    reason = "a mutant is checked by what it breaks"
)]
async fn insert(connection: &mut PgConnection, statement: &str, key: &str) -> bool {
    let inserted = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .bind(vec![Uuid::now_v7()])
        .bind(vec!["ping"])
        .bind(vec![1_i32])
        .bind(vec!["test"])
        .bind(vec![serde_json::json!({ "number": 1 })])
        .bind(vec![Some(key)])
        .bind(vec![0_i64])
        .bind(vec![0_i16])
        .bind(vec![3_i32])
        .bind(vec![None::<Uuid>])
        .bind(vec![None::<String>])
        .bind(vec!["test"])
        .execute(connection)
        .await;
    inserted.is_ok_and(|inserted| inserted.rows_affected() == 0)
}

/// The duplicate writes nothing, and the caller's transaction can go on.
pub(super) async fn a_duplicate_is_an_answer(pool: &PgPool, statement: &str) -> bool {
    let holder: JobId = put(pool, &keyed("k")).await;
    let mut transaction = pool.begin().await.unwrap();
    let is_told = insert(&mut transaction, statement, "k").await;
    let goes_on = sqlx::query_scalar!("SELECT id FROM jobs WHERE id = $1", holder.as_uuid())
        .fetch_one(&mut *transaction)
        .await
        .is_ok();
    transaction.rollback().await.unwrap();
    is_told && goes_on
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_conflict_clause_is_what_makes_a_duplicate_an_answer(pool: PgPool) {
    let store = insert_statement();
    assert!(a_duplicate_is_an_answer(&pool, store).await);
    sqlx::raw_sql("TRUNCATE jobs").execute(&pool).await.unwrap();
    assert!(!a_duplicate_is_an_answer(&pool, &mutant(store, ON_CONFLICT)).await);
}

/// Without its index the insert is refused: no deployment can quietly do without it.
#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn the_partial_index_is_what_the_conflict_clause_needs(pool: PgPool) {
    let drop_index = "DROP INDEX jobs_one_live_per_key";
    sqlx::raw_sql(drop_index).execute(&pool).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let options = job_queue::EnqueueOptions::default();
    let refused = job_queue::enqueue(&mut connection, &keyed("k"), &options).await;
    let Err(job_queue::EnqueueError::Database(error)) = refused else {
        panic!("expected a refusal, was answered {refused:?}");
    };
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), Some("42P10"), "no matching unique index");
}
