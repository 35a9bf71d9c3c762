//! The database past a pooler, for what a pooled connection cannot carry.

use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{CliError, DatabaseArgs};

/// Where the database itself is, when the other address is a pooler's.
///
/// A pooler in transaction mode hands a connection to somebody else after each transaction: what is
/// notified to a connection that listens, and a lock held by a session, are then lost.
#[derive(Debug, Clone, Default, Args)]
pub struct DirectDatabaseArgs {
    /// PostgreSQL itself, where --database-url names a pooler; by default --database-url
    #[arg(
        long,
        env = "CARREL_DIRECT_DATABASE_URL",
        hide_env_values = true,
        value_name = "DATABASE_URL"
    )]
    pub direct_database_url: Option<SecretString>,
}

impl DirectDatabaseArgs {
    /// Reads the address, or the database's where there is no other, without connecting.
    ///
    /// # Errors
    /// A usage error for the flag at fault; the address itself is never repeated.
    pub fn options(&self, database: &DatabaseArgs) -> Result<PgConnectOptions, CliError> {
        let Some(url) = &self.direct_database_url else {
            return database.options();
        };
        url.expose_secret().parse().map_err(|_| {
            CliError::usage(
                "direct-database-url",
                "the direct address of the database does not parse",
            )
            .next("write it as postgres://user@host:port/database")
        })
    }

    /// Opens one connection of its own. As for every command, nothing is logged of slow statements.
    ///
    /// # Errors
    /// As [`options`](Self::options); transient, with the flag at fault, when nothing answers within
    /// 5 s.
    pub async fn connect(&self, database: &DatabaseArgs) -> Result<PgConnection, CliError> {
        let pool = pool_of_one(self.options(database)?.disable_statement_logging());
        match pool.acquire().await {
            Ok(connection) => Ok(connection.detach()),
            Err(error) if self.direct_database_url.is_some() => Err(CliError::from(error)
                .field("direct-database-url")
                .next("check --direct-database-url (CARREL_DIRECT_DATABASE_URL) and that PostgreSQL runs")),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a pool of one connection, so that listening takes none from requests. It connects when
    /// it is used.
    ///
    /// # Errors
    /// As [`options`](Self::options).
    pub fn listening(
        &self,
        database: &DatabaseArgs,
        application_name: &str,
    ) -> Result<PgPool, CliError> {
        let options = self.options(database)?.application_name(application_name);
        Ok(pool_of_one(options))
    }
}

/// A pool, since it tries again where a server has not come up yet.
fn pool_of_one(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> DatabaseArgs {
        DatabaseArgs {
            database_url: Some(url.into()),
            max_connections: 10,
        }
    }

    fn direct(url: Option<&str>) -> DirectDatabaseArgs {
        DirectDatabaseArgs {
            direct_database_url: url.map(Into::into),
        }
    }

    #[test]
    fn the_direct_address_wins_and_the_other_stands_in_for_it() {
        let pooled = database("postgres://pooler:6432/carrel");
        let own = direct(Some("postgres://server:5432/carrel"));
        assert_eq!(own.options(&pooled).unwrap().get_host(), "server");
        let none = direct(None);
        assert_eq!(none.options(&pooled).unwrap().get_host(), "pooler");
    }

    #[test]
    fn a_malformed_address_names_its_own_flag_and_is_not_repeated() {
        let own = direct(Some("postgres://user:secret@host:port"));
        let error = own.options(&database("postgres://pooler/carrel"));
        let error = error.unwrap_err();
        assert_eq!(error.field.as_deref(), Some("direct-database-url"));
        assert!(!format!("{error:?}").contains("secret"));
    }
}
