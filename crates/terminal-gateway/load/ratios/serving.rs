//! What a process does that is the gateway.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use environment_access::{Origins, TokenConfig};
use execution_environment::kubernetes::{KubernetesConfig, KubernetesRuntime, Placement};
use execution_environment::{AttachStreams, EnvironmentRuntime, RuntimeError, RuntimeName};
use sqlx::postgres::PgPoolOptions;
use telemetry::MetricsHandle;
use terminal_gateway::{Gateway, GatewayConfig, ReadOn, RecordingSpool};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::door::{Door, OnlyAttaches, not_there};
use crate::pods::NAMESPACE;
use crate::rows::{ORIGIN, SECRET};

/// What a gateway is told.
#[derive(Debug, Args)]
pub(crate) struct ServingArgs {
    /// Its database
    #[arg(long)]
    database_url: String,
    /// Where its recordings wait
    #[arg(long)]
    spool: PathBuf,
    /// Leads to shells by their names over plain TCP
    #[arg(long)]
    keeper: Option<SocketAddr>,
    /// Leads to shells as pods
    #[arg(long, required_unless_present = "keeper")]
    kubeconfig: Option<PathBuf>,
}

/// Is the gateway, until nobody writes to its input any more.
#[expect(
    clippy::print_stdout,
    reason = "who started it reads the addresses there"
)]
pub(crate) async fn serve(args: ServingArgs) {
    let metrics = MetricsHandle::install().unwrap();
    let gateway = Gateway::build(config(args).await, metrics).await.unwrap();
    println!("{} {}", gateway.address(), gateway.admin_address());
    let stop = CancellationToken::new();
    let ended = stop.clone();
    tokio::spawn(async move {
        // An error is an end as well.
        tokio::io::stdin().read_to_end(&mut Vec::new()).await.ok();
        ended.cancel();
    });
    gateway.run(stop).await.unwrap();
}

async fn config(args: ServingArgs) -> GatewayConfig {
    let pool = PgPoolOptions::new().max_connections(8);
    let pool = pool.connect_lazy(&args.database_url).unwrap();
    let runtime: Arc<dyn EnvironmentRuntime> = match (args.keeper, args.kubeconfig) {
        (Some(keeper), _) => Arc::new(OnlyAttaches(TcpDoor(keeper))),
        (None, kubeconfig) => Arc::new(cluster(kubeconfig).await),
    };
    GatewayConfig {
        recording: Some(RecordingSpool {
            folder: args.spool,
            limit_bytes: 1024 * 1024 * 1024,
            signing_key: None,
        }),
        listening: pool.clone(),
        pool,
        tokens: TokenConfig::development(SECRET.into()),
        origins: Origins::new([ORIGIN.parse().unwrap()]),
        runtime,
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        max_terminals: 2000,
        workers: Some(1),
        poll_every: Duration::from_secs(2),
        read_on: ReadOn::default(),
    }
}

async fn cluster(kubeconfig: Option<PathBuf>) -> KubernetesRuntime {
    let config = KubernetesConfig {
        kubeconfig,
        context: None,
        namespace: NAMESPACE.to_owned(),
        keeper_image: None,
        isolation_probes: Vec::new(),
        node_pids: None,
        placement: Placement::default(),
    };
    KubernetesRuntime::connect(&config).await.unwrap()
}

/// Leads to the exec server.
#[derive(Debug)]
struct TcpDoor(SocketAddr);

#[async_trait]
impl Door for TcpDoor {
    async fn open(&self, name: &RuntimeName) -> Result<AttachStreams, RuntimeError> {
        let stream = connect(self.0, name.as_str()).await;
        let (reader, writer) = stream.map_err(|_| not_there("attach"))?.into_split();
        Ok(AttachStreams {
            reader: Box::new(reader),
            writer: Box::new(writer),
        })
    }
}

/// Begins an exec in a shell of a name.
pub(crate) async fn connect(keeper: SocketAddr, name: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(keeper).await?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("{name}\n").as_bytes()).await?;
    Ok(stream)
}
