//! A list that is looked at again tells of every change.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sqlx::{ConnectOptions as _, PgPool};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::put;

const PATIENCE: Duration = Duration::from_mins(1);

/// `list --watch` with its lines; dropped, it is killed.
struct Watching {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(pool: &PgPool) -> Self {
        let url = pool.connect_options().to_url_lossy().to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_job-queue"))
            .args(["list", "--watch", "--interval", "20ms", "--state", "ready"])
            .args(["--database-url", &url])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            _child: child,
            lines,
        }
    }

    async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("a line in time").unwrap();
        serde_json::from_str(&line.expect("it goes on")).unwrap()
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn jobs_are_told_as_they_come_change_and_go(pool: PgPool) {
    let id = put(&pool).await;
    let mut watching = Watching::start(&pool);
    let come = watching.next().await;
    assert_eq!(come["schema"], "job-queue/list-row.v1");
    assert_eq!(
        (&come["data"]["id"], &come["data"]["priority"]),
        (&id.as_str().into(), &0.into())
    );
    let changed = "UPDATE jobs SET priority = 7";
    sqlx::raw_sql(changed).execute(&pool).await.unwrap();
    assert_eq!(watching.next().await["data"]["priority"], 7);
    let gone = "UPDATE jobs SET state = 'done', finished_at = now()";
    sqlx::raw_sql(gone).execute(&pool).await.unwrap();
    let gone = watching.next().await;
    assert_eq!(gone["schema"], "job-queue/list-gone.v1");
    assert_eq!(gone["data"]["name"], id.as_str());
}
