//! The API process.

use carrel_api::{Api, ApiArgs, ApiConfig};
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = ApiArgs::parse();
    let metrics = telemetry::init(&args.telemetry, "carrel-api")?;
    let config = ApiConfig::try_from(args)?;
    Api::build(config, metrics)
        .await?
        .run_until_stopped()
        .await?;
    Ok(())
}
