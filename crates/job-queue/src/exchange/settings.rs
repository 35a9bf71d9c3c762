//! How the loops' own connections have PostgreSQL plan.

use sqlx::postgres::PgConnectOptions;

/// A plan prepared while the table was small scans it, and stays in use while the table grows:
/// measured, a claim of 100 from 50,000 jobs took 77 ms that way, and a burst ran at 1,200 jobs/s
/// where it now runs at 10,000. The loops never scan where an index will do, and compile nothing: a
/// scan that cannot be avoided counts as so dear that PostgreSQL would.
///
/// They plan once, too. To PostgreSQL a plan for the very values of a worker with several queues
/// seems cheaper each time: measured with three queues and five kinds, 2.8 ms of planning before
/// 0.9 ms of work (2026-11-30).
pub(super) fn of_loops(options: &PgConnectOptions) -> PgConnectOptions {
    let settings = [
        ("enable_seqscan", "off"),
        ("jit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ];
    options.clone().options(settings)
}

#[cfg(test)]
mod tests {
    use session_identity::WorkerIncarnation;
    use sqlx::{Connection as _, PgConnection, PgPool};
    use uuid::Uuid;

    use super::*;
    use crate::{
        claim::{WorkerIdentity, exchange},
        terms::{ClaimTerms, KindTerms},
    };

    #[sqlx::test(migrator = "migrations::MIGRATOR")]
    async fn what_finishes_and_claims_is_planned_once(pool: PgPool) {
        let worker = WorkerIdentity {
            incarnation: WorkerIncarnation::from_uuid(Uuid::now_v7()),
            name: "w".into(),
        };
        let kind = |name| KindTerms {
            name,
            timeout_ms: 30_000,
            oldest_version: 1,
            newest_version: 1,
        };
        let terms = ClaimTerms {
            queues: ["one", "two", "three"].map(str::to_owned).to_vec(),
            kinds: ["ping", "pong"].map(kind).to_vec(),
            lease_ms: 20_000,
            fence_ms: 11_000,
        };
        let options = of_loops(&pool.connect_options());
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        for _ in 0..10 {
            exchange(&mut connection, &worker, &terms, &[], 10)
                .await
                .unwrap();
        }
        let planned = sqlx::query_scalar!(
            r#"SELECT sum(custom_plans)::bigint AS "count!" FROM pg_prepared_statements"#
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert_eq!(planned, 0, "planned anew for its values");
    }
}
