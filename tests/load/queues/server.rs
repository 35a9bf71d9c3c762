//! The PostgreSQL under all contenders: their databases, and what its processes use.

use anyhow::{Context as _, Result};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use url::Url;

use crate::machine::ServerProcesses;

/// A server, by a connection of its superuser.
pub(crate) struct Server {
    url: Url,
    conn: PgConnection,
    /// None where the server's processes cannot be seen from here.
    processes: Option<ServerProcesses>,
    has_statements: bool,
}

impl Server {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let url = Url::parse(url).context("read DATABASE_URL")?;
        let mut conn = PgConnection::connect(url.as_str())
            .await
            .context("connect to the server of DATABASE_URL")?;
        let pid: i32 = ask(&mut conn, "SELECT pg_backend_pid()")
            .await?
            .try_get(0)?;
        let mut server = Self {
            url,
            conn,
            processes: ServerProcesses::of_backend(pid),
            has_statements: false,
        };
        server.has_statements = server
            .setting("shared_preload_libraries")
            .await?
            .contains("pg_stat_statements");
        if server.has_statements {
            server
                .run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                .await?;
        }
        Ok(server)
    }

    pub(crate) async fn setting(&mut self, name: &str) -> Result<String> {
        Ok(self.row(&format!("SHOW {name}")).await?.try_get(0)?)
    }

    pub(crate) async fn is_durable(&mut self) -> Result<bool> {
        Ok(self.setting("fsync").await? == "on")
    }

    /// Makes an empty database, and returns its address.
    pub(crate) async fn fresh(&mut self, name: &str) -> Result<String> {
        self.drop_database(name).await?;
        self.run(&format!("CREATE DATABASE queues_bench_{name}"))
            .await?;
        let mut url = self.url.clone();
        url.set_path(&format!("queues_bench_{name}"));
        Ok(url.into())
    }

    pub(crate) async fn drop_database(&mut self, name: &str) -> Result<()> {
        self.run(&format!(
            "DROP DATABASE IF EXISTS queues_bench_{name} WITH (FORCE)"
        ))
        .await
    }

    /// Leaves nothing to be done later of what was written before.
    pub(crate) async fn checkpoint(&mut self) -> Result<()> {
        self.run("CHECKPOINT").await
    }

    /// What the server's processes have used of the processors so far.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        self.processes.as_ref().map(ServerProcesses::cpu_seconds)
    }

    pub(crate) const fn sees_cpu(&self) -> bool {
        self.processes.is_some()
    }

    pub(crate) const fn sees_statements(&self) -> bool {
        self.has_statements
    }

    /// Time the statements of a database took so far, in milliseconds.
    pub(crate) async fn statement_millis(&mut self, name: &str) -> Result<Option<f64>> {
        if !self.has_statements {
            return Ok(None);
        }
        let asked = format!(
            "SELECT coalesce(sum(total_exec_time), 0)::float8 FROM pg_stat_statements s \
             JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = 'queues_bench_{name}'"
        );
        Ok(Some(self.row(&asked).await?.try_get(0)?))
    }

    pub(crate) async fn row(&mut self, statement: &str) -> Result<PgRow> {
        ask(&mut self.conn, statement).await
    }

    async fn run(&mut self, statement: &str) -> Result<()> {
        run(&mut self.conn, statement).await
    }
}

/// Runs statements that cannot be checked: names of databases are no parameters, and the tables
/// are those of others.
pub(crate) async fn run(conn: &mut PgConnection, statements: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(conn)
        .await
        .with_context(|| format!("run {statements}"))?;
    Ok(())
}

/// Asks for one row, unchecked for the same reasons.
pub(crate) async fn ask(conn: &mut PgConnection, statement: &str) -> Result<PgRow> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .fetch_one(conn)
        .await
        .with_context(|| format!("ask {statement}"))
}
