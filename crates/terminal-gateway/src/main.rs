//! The terminal process.

use clap::Parser;
use terminal_gateway::{Gateway, GatewayArgs, GatewayConfig};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = GatewayArgs::parse();
    let metrics = telemetry::init(&args.telemetry, "carrel-terminal")?;
    let config = GatewayConfig::from_args(args).await?;
    Gateway::build(config, metrics)
        .await?
        .run_until_stopped()
        .await?;
    Ok(())
}
