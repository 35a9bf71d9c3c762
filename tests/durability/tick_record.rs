//! What a schedule leaves behind: the ticks that workers claimed, and those that nobody came for.

use std::time::Duration;

use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use system_tests::ledger::TICKING;

/// The schedule's period.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// Times are those of the database; each list is in their order.
#[derive(Debug)]
pub(crate) struct TickRecord {
    /// When each regular one was claimed.
    pub(crate) regular: Vec<DateTime<Utc>>,
    /// When each was due that was missed and claimed after all, as often as it was claimed.
    pub(crate) owed: Vec<DateTime<Utc>>,
    /// When each was due that was missed.
    pub(crate) missed: Vec<DateTime<Utc>>,
}

impl TickRecord {
    pub(crate) async fn of(pool: &PgPool) -> Self {
        let regular = times(pool, "at", "owed_for IS NULL").await;
        let owed = times(pool, "owed_for", "owed_for IS NOT NULL").await;
        // Last, so that of no tick above the missed ones before it can be lacking.
        let missed = sqlx::query_scalar!(
            "SELECT tick_at FROM missed_ticks WHERE schedule = $1 ORDER BY tick_at",
            TICKING
        );
        let missed = missed.fetch_all(pool).await.unwrap();
        Self {
            regular,
            owed,
            missed,
        }
    }

    /// The missed ones between two ticks.
    fn missed_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
        let between = self.missed.iter().filter(|at| from < **at && **at < to);
        between.count()
    }

    /// Panics where a period has two ticks, or none and is not written down as missed.
    pub(crate) fn assert_each_period_has_one(&self) {
        for pair in self.regular.windows(2) {
            let periods = periods(pair[0], pair[1]);
            assert!(periods >= 1, "two ticks in one period: {pair:?}");
            let missed = self.missed_between(pair[0], pair[1]);
            assert_eq!(missed, periods - 1, "{pair:?}");
        }
    }
}

/// Whole periods from one tick to the next.
pub(crate) fn periods(from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    let every = i64::try_from(EVERY.as_micros()).unwrap();
    usize::try_from((to - from).num_microseconds().unwrap() / every).unwrap()
}

async fn times(pool: &PgPool, time: &str, which: &str) -> Vec<DateTime<Utc>> {
    // The table is the suite's own, so no checked query can know it.
    let rows = format!("SELECT {time} FROM durability.ticks WHERE {which} ORDER BY 1");
    let rows = sqlx::raw_sql(AssertSqlSafe(rows)).fetch_all(pool).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}
