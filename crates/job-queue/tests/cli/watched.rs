//! Each list that is looked at again tells of every change.

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
    fn start(pool: &PgPool, list: &[&str]) -> Self {
        let url = pool.connect_options().to_url_lossy().to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_job-queue"))
            .args(list)
            .args(["-w", "--interval", "20ms"])
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

    /// The next line of this schema; rows with ages in them change with every look.
    async fn next_of(&mut self, schema: &str) -> Value {
        loop {
            let line = self.next().await;
            if line["schema"] == schema {
                return line["data"].clone();
            }
        }
    }
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn jobs_are_told_as_they_come_change_and_go(pool: PgPool) {
    let id = put(&pool).await;
    let mut watching = Watching::start(&pool, &["list", "--state", "ready"]);
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

/// A list, what makes a row of it, where the row's name stands, and what makes it go.
struct Case {
    list: [&'static str; 2],
    comes: &'static str,
    name: &'static str,
    goes: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        list: ["workers", "list"],
        comes: "INSERT INTO workers (incarnation, name, host, build, queues, kinds, slots, seen_at)
                VALUES (gen_random_uuid(), 'w', 'h', 'b', '{test}', '{}', 1, now() + interval '1 hour')",
        name: "/worker/incarnation",
        goes: "UPDATE workers SET stopped_at = now()",
    },
    Case {
        list: ["dlq", "list"],
        comes: "INSERT INTO jobs (id, queue, kind, payload, state, finished_at, outcome_class)
                VALUES (gen_random_uuid(), 'test', 'ping', '{}', 'dead', now(), 'timeout')",
        name: "/group",
        goes: "UPDATE jobs SET state = 'ready', finished_at = NULL",
    },
    Case {
        list: ["ops", "list"],
        comes: "INSERT INTO job_operations (verb, filter, arguments, actor, last_id, matched)
                VALUES ('retry', '{}', '{}', 'staff:dana', gen_random_uuid(), 3)",
        name: "/id",
        goes: "DELETE FROM job_operations",
    },
];

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn workers_dead_groups_and_operations_are_told_as_they_come_and_go(pool: PgPool) {
    for case in CASES {
        let mut watching = Watching::start(&pool, &case.list);
        sqlx::raw_sql(case.comes).execute(&pool).await.unwrap();
        let [noun, verb] = case.list;
        let come = watching
            .next_of(&format!("job-queue/{noun}-{verb}-row.v1"))
            .await;
        let name = come.pointer(case.name).unwrap().clone();
        sqlx::raw_sql(case.goes).execute(&pool).await.unwrap();
        let gone = watching
            .next_of(&format!("job-queue/{noun}-{verb}-gone.v1"))
            .await;
        let named = name
            .as_str()
            .map_or_else(|| name.to_string(), str::to_owned);
        assert_eq!(gone["name"], named, "{noun}");
    }
}
