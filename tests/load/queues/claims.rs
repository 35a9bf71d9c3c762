//! What a claim costs as the table grows: the very statement of a worker, prepared, on one
//! connection with a worker's settings, claiming ten jobs and committing.

use std::time::Instant;

use anyhow::Result;
use sqlx::postgres::PgConnectOptions;
use sqlx::types::Uuid;
use sqlx::{Connection as _, PgConnection};

use crate::measures::percentile;
use crate::report::Report;
use crate::server::{Server, run};

const DATABASE: &str = "claims";
const CLAIMS: usize = 300;

/// Rows of the table.
#[derive(Debug)]
pub(crate) struct Size {
    waiting: u32,
    finished: u32,
}

pub(crate) const SIZES: [Size; 4] = [
    Size::of(10_000, 0),
    Size::of(200_000, 0),
    Size::of(1_000_000, 0),
    Size::of(10_000, 1_000_000),
];

impl Size {
    const fn of(waiting: u32, finished: u32) -> Self {
        Self { waiting, finished }
    }
}

/// Returns a table, a line for each size that there was time for.
pub(crate) async fn measure(
    server: &mut Server,
    sizes: &[Size],
    end: Instant,
    report: &mut Report,
) -> Result<Vec<String>> {
    let mut lines = vec![
        "| Waiting | Finished beside | n | p50 ms | p99 ms |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for size in sizes {
        let what = format!(
            "claims: {} waiting, {} finished",
            size.waiting, size.finished
        );
        if !report.begins(&what, end) {
            break;
        }
        lines.push(measure_one(server, size).await?);
    }
    server.drop_database(DATABASE).await?;
    Ok(lines)
}

async fn measure_one(server: &mut Server, size: &Size) -> Result<String> {
    let Size { waiting, finished } = *size;
    let url = server.fresh(DATABASE).await?;
    let mut conn = PgConnection::connect(&url).await?;
    migrations::MIGRATOR.run(&mut conn).await?;
    fill(&mut conn, "ready", waiting).await?;
    fill(&mut conn, "done", finished).await?;
    run(&mut conn, "VACUUM ANALYZE").await?;
    server.checkpoint().await?;
    let millis = claims(&url).await?;
    let figure = |percent| percentile(&millis, percent).unwrap_or_default();
    let (p50, p99) = (figure(50), figure(99));
    Ok(format!(
        "| {waiting} | {finished} | {} | {p50:.2} | {p99:.2} |",
        millis.len()
    ))
}

/// Rows as `enqueue` and a worker leave them, with ids that grow with time as theirs do.
async fn fill(conn: &mut PgConnection, state: &str, count: u32) -> Result<()> {
    let statement = format!(
        "INSERT INTO jobs (id, queue, kind, payload, state, run_at, attempt, run_token, \
                           started_at, finished_at) \
         SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint + n / 20), 12, '0') \
                 || '7' || substr(md5(n::text), 1, 3) \
                 || '8' || substr(md5('{state}' || n), 1, 15))::uuid, \
                'bench', 'nothing', '{{\"t\": 0, \"pad\": \"\"}}', '{state}', \
                now() - interval '1 hour' + n * interval '1 millisecond', \
                ran, ran, CASE ran WHEN 1 THEN now() END, CASE ran WHEN 1 THEN now() END \
         FROM generate_series(1, {count}) n, \
              (SELECT CASE '{state}' WHEN 'done' THEN 1 ELSE 0 END AS ran) r"
    );
    run(conn, &statement).await
}

async fn claims(url: &str) -> Result<Vec<f64>> {
    let options: PgConnectOptions = url.parse()?;
    // As the loops of a worker connect: with the just-in-time compiler each claim would take seconds.
    let options = options.options([
        ("enable_seqscan", "off"),
        ("jit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
    ]);
    let mut conn = PgConnection::connect_with(&options).await?;
    let mut millis = Vec::new();
    for _ in 0..CLAIMS {
        let begun = Instant::now();
        let claimed = claim(&mut conn).await?;
        millis.push(begun.elapsed().as_secs_f64() * 1000.0);
        anyhow::ensure!(claimed == 10, "{claimed} jobs were claimed, not 10");
    }
    Ok(millis)
}

async fn claim(conn: &mut PgConnection) -> Result<usize, sqlx::Error> {
    let none: [String; 0] = [];
    let rows = sqlx::query_file!(
        "../crates/job-queue/queries/exchange.sql",
        &Vec::<Uuid>::new(),
        &Vec::<i64>::new(),
        &none,
        &Vec::<i64>::new(),
        &none,
        &none,
        Uuid::nil(),
        "claims",
        &["bench".to_owned()],
        &["nothing".to_owned()],
        &[60_000_i64],
        10_i64,
        20_000_i64,
        3,
        11_000_i64,
        &[1],
        &[1],
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.len())
}
