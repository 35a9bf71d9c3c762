//! A database for one run.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool, raw_sql};

/// A database that is there for one run.
pub(crate) struct Database {
    server: PgPool,
    name: String,
    pub(crate) pool: PgPool,
    pub(crate) url: String,
}

impl Database {
    /// Makes it on a server, with today's tables.
    pub(crate) async fn make(server: &str) -> Self {
        let options: PgConnectOptions = server.parse().unwrap();
        let server = connect(options.clone()).await;
        let name = format!("carrel_ratios_{:08x}", rand::random::<u32>());
        let make = format!("CREATE DATABASE {name}");
        raw_sql(AssertSqlSafe(make)).execute(&server).await.unwrap();
        let options = options.database(&name);
        let url = options.to_url_lossy().to_string();
        let pool = connect(options).await;
        migrations::MIGRATOR.run(&pool).await.unwrap();
        Self {
            server,
            name,
            pool,
            url,
        }
    }

    /// Removes it, whoever is still connected.
    pub(crate) async fn remove(self) {
        self.pool.close().await;
        let remove = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        raw_sql(AssertSqlSafe(remove))
            .execute(&self.server)
            .await
            .unwrap();
    }
}

async fn connect(options: PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(8);
    pool.connect_with(options).await.unwrap()
}
