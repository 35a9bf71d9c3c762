//! A database for one test, copied from a template that was migrated once.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use execution_environment::install_id;
use session_identity::InstallId;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use url::Url;

use crate::engine::TestEngine;
use crate::leftovers;
use crate::wait::on_own_thread;

/// Held while the template is made, so that two suites at once do not both make it.
const LOCK: i64 = 0x0063_6172_7265_6c01;
/// A test looks at rows now and then; the processes have pools of their own.
const CONNECTIONS: u32 = 4;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A fresh database on the run's PostgreSQL; dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
    /// Where it is, for processes.
    pub url: String,
    /// For the test's own looks.
    pub pool: PgPool,
    /// The install id, which no other database has.
    pub install_id: InstallId,
}

impl TestDatabase {
    /// Makes a database on the server that `server` names.
    pub async fn create(server: &str) -> Self {
        let mut conn = connect(server).await;
        let template = ensure_template(&mut conn, server).await;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("carrel_test_{}_{number}", std::process::id());
        run(
            &mut conn,
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await;
        conn.close().await.expect("the connection closes");
        let url = with_name(server, &name);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy(&url)
            .expect("the address is sound");
        let install_id = own_install_id(&pool).await;
        Self {
            server: server.to_owned(),
            name,
            url,
            pool,
            install_id,
        }
    }

    /// Copies it as it is and returns the copy's name; it is dropped with this value. Nobody else
    /// may be at work on it.
    pub async fn copy(&self, suffix: &str) -> String {
        let copy = format!("{}_{suffix}", self.name);
        let mut conn = connect(&self.server).await;
        self.replace(&mut conn, &self.name, &copy).await;
        conn.close().await.expect("the connection closes");
        copy
    }

    /// Becomes what a copy holds, as when a backup is restored.
    pub async fn become_copy(&self, copy: &str) {
        let mut conn = connect(&self.server).await;
        self.replace(&mut conn, copy, &self.name).await;
        conn.close().await.expect("the connection closes");
    }

    /// Makes one database anew from another; this value's own looks are cut off meanwhile.
    async fn replace(&self, conn: &mut PgConnection, from: &str, to: &str) {
        run(
            conn,
            &format!("ALTER DATABASE {from} ALLOW_CONNECTIONS false"),
        )
        .await;
        sqlx::query!(
            r#"SELECT count(pg_terminate_backend(pid)) AS "cut!" FROM pg_stat_activity
               WHERE datname = $1"#,
            from
        )
        .fetch_one(&mut *conn)
        .await
        .expect("the server cuts connections");
        drop_database(conn, to).await;
        run(conn, &format!("CREATE DATABASE {to} TEMPLATE {from}")).await;
        run(
            conn,
            &format!("ALTER DATABASE {from} ALLOW_CONNECTIONS true"),
        )
        .await;
    }

    /// Opens a connection that depends on no other runtime: the pool's belong to the test's own,
    /// which stands still while the test is dropped.
    pub(crate) async fn connect_apart(&self) -> PgConnection {
        connect(&self.url).await
    }
}

impl Drop for TestDatabase {
    /// Whoever is still connected is cut off.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        on_own_thread(move || async move {
            let mut conn = connect(&server).await;
            for each in databases(&mut conn).await {
                if each == name || each.starts_with(&format!("{name}_")) {
                    drop_database(&mut conn, &each).await;
                }
            }
        });
    }
}

/// A copy would bear the template's install id, and two systems would take each other's
/// environments for their own.
async fn own_install_id(pool: &PgPool) -> InstallId {
    let mut conn = pool.acquire().await.expect("the new database answers");
    sqlx::query!("UPDATE installation SET install_id = gen_random_uuid()")
        .execute(&mut *conn)
        .await
        .expect("the installation is named");
    install_id(&mut conn)
        .await
        .expect("the installation has an id")
}

/// The template's name holds the migrations' checksums, so that changed ones make a new one.
fn template_name() -> String {
    use sha2::Digest as _;
    let mut digest = sha2::Sha256::new();
    for migration in migrations::MIGRATOR.iter() {
        digest.update(&migration.checksum);
    }
    format!("carrel_template_{}", &hex::encode(digest.finalize())[..12])
}

async fn ensure_template(conn: &mut PgConnection, server: &str) -> String {
    let name = template_name();
    sqlx::query!(r#"SELECT pg_advisory_lock($1) AS "locked: ()""#, LOCK)
        .execute(&mut *conn)
        .await
        .expect("the lock is given");
    if !databases(conn).await.contains(&name) {
        // Made under another name, so that a half-made one is never taken for whole.
        let raw = format!("{name}_raw");
        drop_database(conn, &raw).await;
        run(conn, &format!("CREATE DATABASE {raw}")).await;
        let mut fresh = connect(&with_name(server, &raw)).await;
        migrations::MIGRATOR
            .run(&mut fresh)
            .await
            .expect("the migrations apply");
        fresh.close().await.expect("the connection closes");
        run(conn, &format!("ALTER DATABASE {raw} RENAME TO {name}")).await;
    }
    clear_leftovers(conn, server, &name).await;
    sqlx::query!(r#"SELECT pg_advisory_unlock($1) AS "unlocked!""#, LOCK)
        .fetch_one(&mut *conn)
        .await
        .expect("the lock is returned");
    name
}

/// Removes what runs left that were killed, and templates of older schemas.
async fn clear_leftovers(conn: &mut PgConnection, server: &str, template: &str) {
    leftovers::end_processes();
    for name in databases(conn).await {
        if name.starts_with("carrel_template_") && name != template {
            drop_database(conn, &name).await;
        }
        let run = name
            .strip_prefix("carrel_test_")
            .and_then(|rest| rest.split_once('_'));
        if let Some((run, _)) = run
            && u32::from_str(run).is_ok_and(|run| !leftovers::lives(run))
        {
            let mut left = connect(&with_name(server, &name)).await;
            if let Ok(install_id) = install_id(&mut left).await {
                TestEngine::connect().remove_all(install_id).await;
            }
            left.close().await.ok();
            drop_database(conn, &name).await;
        }
    }
}

async fn databases(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar!(
        r#"SELECT datname::text AS "name!" FROM pg_database WHERE datname LIKE 'carrel\_te%'"#
    )
    .fetch_all(conn)
    .await
    .expect("the server lists its databases")
}

async fn drop_database(conn: &mut PgConnection, name: &str) {
    run(
        conn,
        &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await;
}

/// Runs what cannot be a checked query: names of databases are no parameters. Ours are made of
/// letters, digits and underscores.
async fn run(conn: &mut PgConnection, statement: &str) {
    let statement = AssertSqlSafe(statement.to_owned());
    sqlx::raw_sql(statement)
        .execute(conn)
        .await
        .expect("the server takes the statement");
}

async fn connect(url: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(url).expect("the address is sound");
    PgConnection::connect_with(&options)
        .await
        .expect("PostgreSQL answers")
}

fn with_name(url: &str, name: &str) -> String {
    let mut url = Url::parse(url).expect("the address is a URL");
    url.set_path(name);
    url.into()
}
