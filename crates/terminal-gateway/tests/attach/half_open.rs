//! A network that loses everything and says nothing: nobody ends the connection but the gateway.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgPool};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};

use crate::bench::Bench;
use crate::browser::PATIENCE;
use crate::evidence::closed_with;
use crate::network::{Network, unshare};
use crate::reconnects::noise;
use crate::steady::Steady;

/// Says to this suite that it runs in a network of its own.
const INSIDE: &str = "CARREL_TEST_NETWORK";
const STORY: &str = "half_open::whoever_s_packets_vanish_is_let_go_of_and_goes_on_where_they_were";
/// More than the window, so that output has to wait.
const MUCH: usize = 600_000;

#[tokio::test]
async fn whoever_s_packets_vanish_is_let_go_of_and_goes_on_where_they_were() {
    let url = std::env::var_os("DATABASE_URL").expect("DATABASE_URL names a PostgreSQL");
    let database: PgConnectOptions = url.to_str().unwrap().parse().unwrap();
    if std::env::var_os(INSIDE).is_some() {
        return packets_vanish(PgPool::connect_lazy_with(database)).await;
    }
    let Some(command) = unshare() else { return };
    // Made before and dropped afterwards; another run at the same server has another.
    let name = format!("carrel_half_open_{}", std::process::id());
    let mut server = database.connect().await.unwrap();
    for words in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
        let statement = AssertSqlSafe(format!("{words} {name}"));
        server.execute(statement).await.unwrap();
    }
    let pool = PgPool::connect_lazy_with(database.clone().database(&name));
    migrations::MIGRATOR.run(&pool).await.unwrap();
    pool.close().await;

    let folder = tempfile::tempdir().unwrap();
    serve_in(folder.path(), &database);
    let reached = database.socket(folder.path()).database(&name);
    let story = tokio::task::spawn_blocking(move || run_again(command, &reached));
    let ended = story.await;
    let statement = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    server.execute(statement).await.unwrap();
    server.close().await.unwrap();
    ended.unwrap();
}

/// Runs this story again in a network of its own.
fn run_again(mut command: Command, database: &PgConnectOptions) {
    command.arg(std::env::current_exe().unwrap());
    command.args([STORY, "--exact", "--nocapture"]);
    command.env("DATABASE_URL", database.to_url_lossy().as_str());
    let output = command.env(INSIDE, "yes").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let is_told = output.status.success() && said.contains("1 passed");
    assert!(is_told, "{said}");
}

/// Has the database reached by a socket in a folder, which lies in no network.
fn serve_in(folder: &Path, database: &PgConnectOptions) {
    let server = (database.get_host().to_owned(), database.get_port());
    let socket = folder.join(format!(".s.PGSQL.{}", server.1));
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
}

/// One says nothing and hears nothing, the other is in the middle of much.
async fn packets_vanish(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    let network = Network::lay().await;
    bench.restart_on(&network).await;
    let mut idle = Steady::attach(bench.seat("idle").await, noise(10_000)).await;
    let mut busy = Steady::attach(bench.seat("busy").await, noise(10_000)).await;
    for one in [&mut idle, &mut busy] {
        one.type_on(1_000).await;
        one.look_until(1_000).await;
    }
    busy.seat.keeper.print(&noise(MUCH));
    busy.look_until(50_000).await;
    network.cut();
    // It is on its way and never arrives.
    busy.type_on(1_000).await;

    let (idly, busily) = tokio::join!(closed_with(&idle.seat), closed_with(&busy.seat));
    assert_eq!(idly, 1001);
    assert!(matches!(busily, 1001 | 4021), "{busily}");
    let let_go = async {
        while Network::connections() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let let_go = tokio::time::timeout(PATIENCE, let_go).await;
    let_go.expect("the gateway has no socket for them");

    idle.seat.keeper.print(&noise(1_000));
    network.mend();
    for mut one in [idle, busy] {
        one.reconnect().await;
        one.finish().await;
    }
}
