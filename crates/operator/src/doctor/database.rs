//! Whether the database has room for what Carrel does, and who holds it up.

use command_line::{CliError, counted};
use job_queue::{DatabaseHealth, clock_skew_seconds, database_health};
use sqlx::PgConnection;

use super::report::{Check, Report};

// As the alerts have them. What belongs to the whole server is a warning: others may use it too.
const CONNECTIONS_USED: f64 = 0.85;
const NOTIFICATIONS_USED: f64 = 0.1;
const OLD_TRANSACTION_SECONDS: f64 = 15.0 * 60.0;
const DAYS_AHEAD: i64 = 2;
const SKEW_SECONDS: f64 = 2.0;

/// Looks at the database's clock, which needs no tables.
pub(super) async fn clock(connection: &mut PgConnection) -> Result<Check, CliError> {
    let ahead = clock_skew_seconds(connection).await?;
    let way = if ahead < 0.0 { "behind" } else { "ahead of" };
    let detail = format!("{:.1} s {way} this machine's", ahead.abs());
    Ok(if ahead.abs() <= SKEW_SECONDS {
        Check::ok("clock", detail)
    } else {
        Check::warning(
            "clock",
            format!("{detail}; only the database's counts"),
            "compare both machines with their time servers: times in logs differ by as much",
        )
    })
}

/// Looks at what the database counts of itself. Returns it, for looks at leases.
pub(super) async fn examine(
    connection: &mut PgConnection,
    report: &mut Report,
) -> Result<DatabaseHealth, CliError> {
    let health = database_health(connection).await?;
    report.add(connections(&health));
    report.add(notification_queue(&health));
    report.add(transactions(&health));
    report.add(history(&health));
    Ok(health)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a server has thousands of connections at most"
)]
fn connections(health: &DatabaseHealth) -> Check {
    let (used, most) = (health.connections, health.connections_max);
    let detail = format!("{used} of {most} in use");
    if used as f64 <= most as f64 * CONNECTIONS_USED {
        return Check::ok("connections", detail);
    }
    Check::warning(
        "connections",
        detail,
        "start fewer processes or give each fewer (--max-connections), raise the server's max_connections, \
         or put a pooler in between",
    )
}

fn notification_queue(health: &DatabaseHealth) -> Check {
    let ratio = health.notification_queue_ratio;
    let detail = format!("{:.1} % full", ratio * 100.0);
    if ratio <= NOTIFICATIONS_USED {
        return Check::ok("notification_queue", detail);
    }
    Check::warning(
        "notification_queue",
        detail,
        "end the oldest transaction that listens: SELECT pid, xact_start, query FROM pg_stat_activity \
         WHERE xact_start IS NOT NULL ORDER BY xact_start",
    )
}

fn transactions(health: &DatabaseHealth) -> Check {
    let age = health.xmin_age_seconds;
    let Some(holder) = health
        .xmin_holder
        .as_deref()
        .filter(|_| age > OLD_TRANSACTION_SECONDS)
    else {
        return Check::ok("transactions", "none older than 15 min");
    };
    let minutes = age / 60.0;
    Check::bad(
        "transactions",
        format!("{holder} has one open for {minutes:.0} min: no dead row is removed meanwhile"),
        "end what holds it: pg_terminate_backend(<pid>), or ROLLBACK PREPARED for a prepared one",
    )
}

fn history(health: &DatabaseHealth) -> Check {
    let days = health.history_days_ahead;
    let detail = format!("{} ahead", counted(days, "day"));
    if days >= DAYS_AHEAD {
        return Check::ok("history", detail);
    }
    Check::bad(
        "history",
        detail,
        "start carrel-worker: its sweep_history makes the partitions, and says in its log why it cannot",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> DatabaseHealth {
        DatabaseHealth {
            connections: 85,
            connections_max: 100,
            notification_queue_ratio: 0.1,
            xmin_age_seconds: 900.0,
            xmin_holder: Some("psql, 7".to_owned()),
            dead_tuple_ratio: 0.0,
            jobs_bytes: 0,
            jobs_index_bytes: 0,
            lock_waits: 0,
            wal_position_bytes: 0.0,
            history_days_ahead: 2,
            without_lease: 0,
            unknown_leases: 0,
        }
    }

    #[test]
    fn each_bound_is_the_alerts_own() {
        let checks = [connections, notification_queue, transactions, history];
        for check in checks {
            assert!(check(&well()).is_ok(), "{:?}", check(&well()));
        }
        let beyond = DatabaseHealth {
            connections: 86,
            notification_queue_ratio: 0.101,
            xmin_age_seconds: 901.0,
            history_days_ahead: 1,
            ..well()
        };
        for check in checks {
            assert!(!check(&beyond).is_ok(), "{:?}", check(&beyond));
        }
    }
}
