//! The gateway in a process of its own, so that what it costs can be read there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use environment_access::{Origins, TokenConfig};
use execution_environment::{AttachStreams, RuntimeError, RuntimeName};
use sqlx::postgres::PgPoolOptions;
use telemetry::MetricsHandle;
use terminal_gateway::{Gateway, GatewayConfig, ReadOn, RecordingSpool};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::database::Database;
use crate::door::{Door, OnlyAttaches, not_there};
use crate::keeper::{Shells, TestKeeper};
use crate::rows::{ORIGIN, SECRET, insert_running_of, runtime_name};
use crate::seat::Seat;

/// A gateway that runs, and its shells.
pub(crate) struct Running {
    pub(crate) shells: Shells,
    pub(crate) keeper: SocketAddr,
    seat: Seat,
    child: Child,
}

impl Running {
    pub(crate) async fn start(database: &Database) -> Self {
        let shells = Shells::default();
        let keeper = shells.listen().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--database-url", &database.url, "gateway", "--keeper"])
            .arg(keeper.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut said).await.unwrap();
        let seat = Seat {
            pool: database.pool.clone(),
            address: said.trim().parse().unwrap(),
            http: reqwest::Client::new(),
            keeper: TestKeeper::default(),
            session_id: session_identity::ExamSessionId::generate(),
            user: String::new(),
        };
        Self {
            shells,
            keeper,
            seat,
            child,
        }
    }

    /// A session of somebody new.
    pub(crate) async fn seat(&self) -> Seat {
        self.seat_in("off").await
    }

    /// One of somebody new, whose exam wants its terminals recorded in that way.
    pub(crate) async fn seat_in(&self, recording: &str) -> Seat {
        let user = format!("somebody-{:016x}", rand::random::<u64>());
        let session_id = insert_running_of(&self.seat.pool, &user, recording).await;
        Seat {
            keeper: self.shells.named(&runtime_name(session_id)),
            session_id,
            user,
            ..self.seat.clone()
        }
    }

    /// Memory of the process, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(self.proc().join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Files the process has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(self.proc().join("fd")).unwrap().count()
    }

    fn proc(&self) -> PathBuf {
        let pid = self.child.id().expect("it runs");
        PathBuf::from(format!("/proc/{pid}"))
    }
}

/// Is the gateway, until nobody writes to its input any more.
#[expect(
    clippy::print_stdout,
    reason = "who started it reads the address there"
)]
pub(crate) async fn serve(database_url: &str, keeper: SocketAddr) {
    let pool = PgPoolOptions::new().max_connections(8);
    let pool = pool.connect_lazy(database_url).unwrap();
    let spool = tempfile::tempdir().unwrap();
    let config = GatewayConfig {
        recording: Some(RecordingSpool {
            folder: spool.path().to_owned(),
            limit_bytes: 1024 * 1024 * 1024,
            signing_key: None,
        }),
        listening: pool.clone(),
        pool,
        tokens: TokenConfig::development(SECRET.into()),
        origins: Origins::new([ORIGIN.parse().unwrap()]),
        runtime: Arc::new(OnlyAttaches(TcpDoor(keeper))),
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        max_terminals: 2000,
        workers: Some(1),
        poll_every: Duration::from_secs(2),
        read_on: ReadOn::default(),
    };
    let metrics = MetricsHandle::install().unwrap();
    let gateway = Gateway::build(config, metrics).await.unwrap();
    println!("{}", gateway.address());
    let stop = CancellationToken::new();
    let ended = stop.clone();
    tokio::spawn(async move {
        // An error is an end as well.
        tokio::io::stdin().read_to_end(&mut Vec::new()).await.ok();
        ended.cancel();
    });
    gateway.run(stop).await.unwrap();
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
