//! A worker process whose handlers write into the ledger and die where they are told to.

mod admin;
mod flags;
mod handlers;
mod ticks;

use std::io::Write as _;
use std::time::Duration;

use clap::Parser as _;
use job_queue::{DrainReport, QueueWorker, Registry};
use rustix::process::{Signal, getpid, kill_process};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use system_tests::ledger::{Abort, Brief, External, Note, Spin, Told};
use telemetry::MetricsHandle;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::flags::Flags;
use crate::handlers::Ledger;

fn main() {
    tracing_subscriber::fmt().with_ansi(false).init();
    let flags = Flags::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(flags.threads)
        .enable_all()
        .build()
        .expect("a runtime");
    let report = runtime.block_on(work(&flags));
    let report = serde_json::to_string(&report).expect("a report is JSON");
    writeln!(std::io::stdout(), "drained {report}").expect("the log can be written");
}

async fn work(flags: &Flags) -> DrainReport {
    let pool = PgPoolOptions::new()
        .max_connections(flags.pool)
        .connect_lazy(&flags.database_url)
        .expect("the address is sound");
    let mut builder = QueueWorker::builder(pool.clone(), registry(pool.clone()), flags.config());
    if let Some(listen_url) = &flags.listen_url {
        builder = builder.listen_with(listen_url.parse().expect("the address is sound"));
    }
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be heard");
    let cancel = stop.clone();
    tokio::spawn(async move {
        // As the real worker does: a second SIGTERM asks for nothing new.
        while terminate.recv().await.is_some() {
            cancel.cancel();
        }
    });
    let worker = builder.build();
    if let Some(address) = flags.admin {
        // Before the worker begins: what it tells without a recorder is lost.
        let metrics = MetricsHandle::install().expect("one recorder");
        tokio::spawn(admin::tell(
            address,
            metrics,
            pool.clone(),
            worker.incarnation(),
        ));
    }
    if let Some(ms) = flags.tick_ms {
        let every = Duration::from_millis(ms);
        tokio::spawn(ticks::repeat(pool, every, worker.incarnation()));
    }
    let worked = worker.run(stop).await;
    worked.expect("only a drain ends a worker")
}

fn registry(pool: PgPool) -> Registry {
    let ledger = Ledger::new(pool);
    Registry::new()
        .register::<Note, _>(ledger.clone())
        .register::<External, _>(ledger.clone())
        .register::<Abort, _>(ledger.clone())
        .register::<Brief, _>(ledger.clone())
        .register::<Told, _>(ledger.clone())
        .register::<Spin, _>(ledger)
}

/// Ends this process as the kernel would for want of memory: nothing is said, flushed or returned.
pub(crate) fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    unreachable!("SIGKILL is not survived")
}
