//! The worker process.

use carrel_worker::{Worker, WorkerArgs};
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = WorkerArgs::parse();
    let metrics = telemetry::init(&args.telemetry, "carrel-worker")?;
    let drained = Worker::build(args, metrics)
        .await?
        .run_until_stopped()
        .await?;
    tracing::info!(?drained, "the worker has stopped");
    Ok(())
}
