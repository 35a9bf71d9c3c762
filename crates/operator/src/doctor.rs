//! `carrel doctor`: looks at the whole, changes nothing, and says what to do about what it found.

mod args;
mod checks;
mod database;
mod facts;
mod keys;
mod network_policy;
mod notifications;
mod report;
mod runtime;
mod schema;
mod sweeps;
mod work;

use std::time::{Duration, Instant};

use command_line::{CliError, Document, Exit, GlobalArgs};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

pub use args::{DoctorArgs, FailOn, RightsOf};
pub(crate) use facts::live_workers;

use checks::OF_TABLES;
use report::{Check, Report};

/// The oldest PostgreSQL that Carrel is tested with, as the server counts.
const OLDEST_SERVER: i32 = 150_000;
/// Asking over a local network takes a millisecond or two.
const SLOW: Duration = Duration::from_millis(250);

/// Runs every check that can be run. A database or a runtime that does not answer is a finding; a
/// database's address that is missing or malformed is a wrong call.
pub(crate) async fn run(args: DoctorArgs, globals: &GlobalArgs) -> Result<Document, CliError> {
    globals.database.options()?;
    let listening = args.direct.listening(&globals.database, "carrel-doctor")?;
    let mut report = Report::of(args.only.clone());
    let mut readable = match globals.connect().await {
        Ok(pool) => examine(&pool, &listening, args.fix_sql, &mut report).await?,
        Err(error) => {
            report.insist(unreachable(error));
            None
        }
    };
    let fail_on = args.fail_on;
    if report.wants(&["token_keys"]) {
        match keys::usable(args.tokens.clone()).await {
            Some(check) => report.add(check),
            None => report.skip(
                "token_keys",
                "nobody says where they are: give --token-jwks-url",
            ),
        }
    }
    if report.wants(&["runtime", "exams", "network_policy"]) {
        runtime::examine(args, readable.as_deref_mut(), &mut report).await?;
    }
    let exit = if report.is_healthy(fail_on) {
        Exit::Ok
    } else {
        Exit::Unhealthy
    };
    let text = report.text();
    Ok(Document::new("carrel/doctor.v1", report)
        .with_text(text)
        .with_exit(exit))
}

fn unreachable(error: CliError) -> Check {
    let detail = error.causes.first().cloned().unwrap_or(error.message);
    let next = error
        .next
        .unwrap_or_else(|| "check --database-url".to_owned());
    Check::bad("database", detail, next)
}

/// Gives the connection back when the schema is one whose tables can be read.
async fn examine(
    pool: &PgPool,
    listening: &PgPool,
    fix_sql: bool,
    report: &mut Report,
) -> Result<Option<PoolConnection<Postgres>>, CliError> {
    let mut connection = pool.acquire().await?;
    report.add(latency(&mut connection).await?);
    report.add(server_version(&mut connection).await?);
    report.add(database::clock(&mut connection).await?);
    if report.wants(&["notifications"]) {
        report.add(notifications::heard(&mut connection, listening).await);
    }
    let schema = schema::current(&mut connection).await?;
    if fix_sql {
        report.fix_with(schema::missing(&mut connection).await?);
    }
    let readable = schema.is_ok();
    if !readable && report.wants(&OF_TABLES) {
        report.insist(schema);
    } else {
        report.add(schema);
    }
    if !readable {
        // The other checks read tables that may not be there, or not as they are known here.
        for name in OF_TABLES {
            report.skip(name, "needs the schema to be current");
        }
        return Ok(None);
    }
    report.add(schema::installation(&mut connection).await?);
    let health = database::examine(&mut connection, report).await?;
    report.add(work::queues(&mut connection).await?);
    report.add(work::handlers(&mut connection).await?);
    report.add(work::leases(&mut connection, &health).await?);
    report.add(work::dead_jobs(&mut connection).await?);
    report.add(sweeps::startup(&mut connection).await?);
    report.add(sweeps::teardown(&mut connection).await?);
    report.add(sweeps::ticking(&mut connection).await?);
    Ok(Some(connection))
}

async fn latency(connection: &mut PgConnection) -> Result<Check, CliError> {
    // The best of three: distance and load are in each of them, a hiccup in one.
    let mut took = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        sqlx::query_scalar!(r#"SELECT 1 AS "one!""#)
            .fetch_one(&mut *connection)
            .await?;
        took = took.min(begun.elapsed());
    }
    let detail = format!("answers in {:.1} ms", took.as_secs_f64() * 1_000.0);
    if took < SLOW {
        return Ok(Check::ok("database", detail));
    }
    Ok(Check::bad(
        "database",
        detail,
        "look for load or distance between here and the database",
    ))
}

async fn server_version(connection: &mut PgConnection) -> Result<Check, CliError> {
    let version = sqlx::query!(
        r#"SELECT current_setting('server_version') AS "name!",
                  current_setting('server_version_num')::int AS "number!""#
    )
    .fetch_one(connection)
    .await?;
    let detail = format!("PostgreSQL {}", version.name);
    if version.number >= OLDEST_SERVER {
        return Ok(Check::ok("server_version", detail));
    }
    Ok(Check::bad(
        "server_version",
        detail,
        "move to PostgreSQL 15 or newer",
    ))
}
