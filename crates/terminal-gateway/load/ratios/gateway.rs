//! A gateway in a process of its own, and sessions at it.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use crate::child::Child;
use crate::database::Database;
use crate::keeper::{Shells, TestKeeper};
use crate::pods::Pods;
use crate::rows::{insert_running_of, runtime_name};
use crate::seat::Seat;

/// A gateway that runs, and its shells.
pub(crate) struct Running {
    pub(crate) shells: Shells,
    /// Where keeper frames reach them over plain TCP.
    pub(crate) keeper: SocketAddr,
    /// Where an exec reaches them, if that is how the gateway does.
    pub(crate) pods: Option<Pods>,
    pub(crate) child: Child,
    seat: Seat,
    admin: SocketAddr,
    args: Vec<String>,
    _spool: TempDir,
}

impl Running {
    /// One that reaches shells over plain TCP.
    pub(crate) async fn start(database: &Database) -> Self {
        let shells = Shells::default();
        let keeper = shells.listen().await;
        Self::leading_to(database, shells, keeper).await
    }

    /// One that reaches keepers behind an address.
    pub(crate) async fn leading_to(
        database: &Database,
        shells: Shells,
        keeper: SocketAddr,
    ) -> Self {
        let way = keeper.to_string();
        Self::by(database, shells, keeper, None, ["--keeper", &way]).await
    }

    /// One that reaches them as pods of a cluster, by execs.
    pub(crate) async fn of_pods(database: &Database, by_tls: bool) -> Self {
        let shells = Shells::default();
        let (keeper, pods) = tokio::join!(shells.listen(), Pods::listen(&shells, by_tls));
        let kubeconfig = pods.kubeconfig();
        let way = ["--kubeconfig", utf8(&kubeconfig)];
        Self::by(database, shells, keeper, Some(pods), way).await
    }

    async fn by(
        database: &Database,
        shells: Shells,
        keeper: SocketAddr,
        pods: Option<Pods>,
        way: [&str; 2],
    ) -> Self {
        let spool = tempfile::tempdir().unwrap();
        let url = ["--database-url", &database.url];
        let kept = ["--spool", utf8(spool.path())];
        let args = [&["gateway"][..], &url, &kept, &way].concat();
        let mut child = Child::start(&args);
        let (address, admin) = addresses(&mut child).await;
        let seat = Seat {
            pool: database.pool.clone(),
            address,
            http: reqwest::Client::new(),
            keeper: TestKeeper::default(),
            session_id: session_identity::ExamSessionId::generate(),
            user: String::new(),
            network: None,
        };
        Self {
            shells,
            keeper,
            pods,
            child,
            seat,
            admin,
            args: args.into_iter().map(str::to_owned).collect(),
            _spool: spool,
        }
    }

    /// Starts the process once more after its end, with what its spool still holds.
    pub(crate) async fn start_again(&mut self) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.child = Child::start(&args);
        (self.seat.address, self.admin) = addresses(&mut self.child).await;
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

    /// What it says of itself in a gauge or counter without labels; 0 while it has said nothing.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let url = format!("http://{}/metrics", self.admin);
        let answer = self.seat.http.get(url).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let line = lines.find(|(metric, _)| *metric == name);
        line.map_or(0.0, |(_, value)| value.parse().unwrap())
    }
}

/// Where a gateway says that it serves, and tells of itself.
async fn addresses(child: &mut Child) -> (SocketAddr, SocketAddr) {
    let said = child.line().await;
    let (address, admin) = said.split_once(' ').expect("it says where it serves");
    (address.parse().unwrap(), admin.parse().unwrap())
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("a temporary folder's name is text")
}
