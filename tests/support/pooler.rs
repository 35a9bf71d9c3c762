//! `PgBouncer` in transaction mode, with the settings that Carrel ships.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use testcontainers::core::ContainerPort;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use url::Url;

use crate::engine::TestEngine;
use crate::ports::{free_port, moved};
use crate::postgres::RUN_LABEL;
use crate::settings::setting;
use crate::wait::until;

const START_LIMIT: Duration = Duration::from_mins(1);
const DATABASES: &str = "/etc/pgbouncer/databases.ini";

/// A running pooler before every database of a server; its container goes when it is dropped.
#[derive(Debug)]
pub struct Pooler {
    _container: ContainerAsync<GenericImage>,
    port: u16,
}

impl Pooler {
    /// Starts one that has so many connections to each database of the server at most.
    pub async fn before(server: &str, connections: u32) -> Self {
        TestEngine::connect().remove_leftovers(RUN_LABEL).await;
        let image = setting("CARREL_PGBOUNCER_IMAGE");
        let (name, tag) = image.rsplit_once(':').expect("the image has a tag");
        let port = free_port();
        let databases = databases(server, connections, port);
        let container = GenericImage::new(name, tag)
            .with_exposed_port(ContainerPort::Tcp(port))
            .with_copy_to(DATABASES, databases.into_bytes())
            .with_ulimit("nofile", 1024, Some(2048))
            .with_ulimit("nproc", 4096, Some(4096))
            .with_label(RUN_LABEL, std::process::id().to_string())
            // The server listens on this host's loopback.
            .with_host_config_modifier(|host| host.network_mode = Some("host".to_owned()))
            .start()
            .await
            .expect("PgBouncer starts");
        let pooler = Self {
            _container: container,
            port,
        };
        pooler.await_connections(server).await;
        pooler
    }

    /// The address of the same database, through it.
    pub fn url(&self, database_url: &str) -> String {
        moved(database_url, &self.place())
    }

    /// Host and port.
    pub fn place(&self) -> (String, u16) {
        ("127.0.0.1".to_owned(), self.port)
    }

    async fn await_connections(&self, server: &str) {
        let url = self.url(server);
        until("PgBouncer takes connections", START_LIMIT, async || {
            let conn = PgConnection::connect(&url).await.ok()?;
            conn.close().await.ok()
        })
        .await;
    }
}

fn databases(server: &str, connections: u32, port: u16) -> String {
    let server = Url::parse(server).expect("the address is a URL");
    let host = server.host_str().expect("a host");
    let server_port = server.port().unwrap_or(5432);
    let (user, password) = (server.username(), server.password().unwrap_or_default());
    // Under no heading of its own: a second one would begin with the defaults again.
    format!(
        "listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         auth_type = any\n\
         default_pool_size = {connections}\n\
         [databases]\n\
         * = host={host} port={server_port} user={user} password={password} \
             connect_query='SET enable_seqscan = off; SET jit = off'\n"
    )
}
