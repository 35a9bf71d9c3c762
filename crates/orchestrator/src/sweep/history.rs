//! Removes what has been over for long, and takes candidates' names from what stays.

use std::time::Duration;

use cleanup_ttl::{
    PseudonymCounts, PseudonymPolicy, RecordRetention, pseudonymise_old, remove_old_records,
};
use environment_access::delete_stale_tickets;
use job_queue::{Retention, apply_retention, park_unhandled};
use sqlx::PgConnection;

use super::{SweepReport, Sweeps};
use crate::{StepError, Workshop, measure};

/// A ticket ends within a minute; a day later nobody asks any more why one was refused.
const TICKETS_KEPT: Duration = Duration::from_hours(24);
/// More than all candidates of a large exam ask for between two passes.
const TICKETS_AT_ONCE: i64 = 50_000;

/// Parks jobs that nobody can do. Then one pass over the queue's own tables, the tickets, the access log,
/// the keys of requests and recordings. What else sessions and environments leave behind stays: it is the
/// record of an exam, without its candidate's name where names go. Each is done whatever becomes of the
/// others, and the first error told.
pub(super) async fn sweep(workshop: &Workshop, sweeps: &Sweeps) -> Result<SweepReport, StepError> {
    let mut connection = workshop.pool.acquire().await?;
    pass(&mut connection, sweeps).await
}

async fn pass(connection: &mut PgConnection, sweeps: &Sweeps) -> Result<SweepReport, StepError> {
    let parked_jobs = park_unhandled(connection, &sweeps.unhandled).await;
    let pseudonymised = pseudonymise(connection, sweeps.pseudonyms.as_ref()).await;
    let removed = remove(connection, &sweeps.retention, &sweeps.records).await;
    Ok(SweepReport {
        parked_jobs: parked_jobs?,
        pseudonymised: pseudonymised?,
        ..removed?
    })
}

async fn pseudonymise(
    connection: &mut PgConnection,
    policy: Option<&PseudonymPolicy>,
) -> Result<PseudonymCounts, StepError> {
    let renamed = match policy {
        Some(policy) => pseudonymise_old(connection, policy).await?,
        None => PseudonymCounts::default(),
    };
    measure::pseudonymised(&renamed);
    Ok(renamed)
}

async fn remove(
    connection: &mut PgConnection,
    retention: &Retention,
    records: &RecordRetention,
) -> Result<SweepReport, StepError> {
    let tickets = delete_stale_tickets(connection, TICKETS_KEPT, TICKETS_AT_ONCE).await?;
    let records = remove_old_records(connection, records).await?;
    measure::records_removed(&records);
    // Last, since a reader of the queue's history may hold up its days; nothing else waits for that.
    let removed = apply_retention(connection, retention).await?;
    Ok(SweepReport {
        removed_missed_ticks: removed.missed_ticks,
        removed_access_lines: records.access_log,
        removed_request_keys: records.idempotency_keys,
        removed_recordings: records.recordings,
        removed_tickets: tickets,
        removed_jobs: removed.jobs,
        removed_days: removed.days,
        removed_workers: removed.workers,
        ..SweepReport::default()
    })
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    const OLD_LINE: &str = "INSERT INTO access_log (at, session_id, user_id, role, action, allowed)
        VALUES (now() - interval '500 days', gen_random_uuid(), 'u', 'candidate', 'read', true)";

    async fn lines(pool: &PgPool, user: &str) -> i64 {
        let lines = sqlx::query_scalar!(
            r#"SELECT count(*) AS "lines!" FROM access_log WHERE user_id = $1"#,
            user
        );
        lines.fetch_one(pool).await.unwrap()
    }

    #[sqlx::test(migrator = "migrations::MIGRATOR")]
    async fn names_that_cannot_go_keep_no_record_from_going_nor_the_other_way_round(pool: PgPool) {
        let mut connection = pool.acquire().await.unwrap();
        let args = cleanup_ttl::PseudonymArgs {
            pseudonymise_days: 400,
            pseudonym_secret: Some("a secret of more than 32 characters".into()),
        };
        let sweeps = Sweeps {
            pseudonyms: args.policy().unwrap(),
            ..Sweeps::default()
        };
        sqlx::raw_sql(OLD_LINE)
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::raw_sql("ALTER FUNCTION session_transitions_pseudonymise RENAME TO away")
            .execute(&mut *connection)
            .await
            .unwrap();
        assert!(pass(&mut connection, &sweeps).await.is_err());
        assert_eq!(lines(&pool, "u").await, 0, "it was removed");

        // What may not be removed yet is old enough to lose its name.
        let mut records = sweeps.records;
        records.access_log = Duration::from_hours(24 * 600);
        let sweeps = Sweeps { records, ..sweeps };
        sqlx::raw_sql(
            "ALTER FUNCTION away RENAME TO session_transitions_pseudonymise;
             ALTER TABLE terminal_tickets RENAME TO away",
        )
        .execute(&mut *connection)
        .await
        .unwrap();
        sqlx::raw_sql(OLD_LINE)
            .execute(&mut *connection)
            .await
            .unwrap();
        assert!(pass(&mut connection, &sweeps).await.is_err());
        assert_eq!(lines(&pool, "u").await, 0, "it was renamed");
    }

    #[sqlx::test(migrator = "migrations::MIGRATOR")]
    async fn a_reader_of_the_queues_history_keeps_no_record_from_going(pool: PgPool) {
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "DROP TABLE job_attempts_before;
             CREATE TABLE job_attempts_20200101 PARTITION OF job_attempts
                FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00');
             {OLD_LINE}"
        )))
        .execute(&mut *connection)
        .await
        .unwrap();
        let mut reader = pool.begin().await.unwrap();
        sqlx::raw_sql("SELECT count(*) FROM job_attempts")
            .execute(&mut *reader)
            .await
            .unwrap();
        let (retention, records) = (Retention::default(), RecordRetention::default());
        let held_up = remove(&mut connection, &retention, &records).await;
        assert!(held_up.is_err(), "{held_up:?}");
        let left = sqlx::query_scalar!(r#"SELECT count(*) AS "left!" FROM access_log"#);
        assert_eq!(left.fetch_one(&pool).await.unwrap(), 0);
        reader.rollback().await.unwrap();
        let went = remove(&mut connection, &retention, &records).await.unwrap();
        assert_eq!(went.removed_days, 1);
    }
}
