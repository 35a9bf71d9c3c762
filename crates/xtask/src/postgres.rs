//! PostgreSQL from one place in every verb: the one that is given, else a container of our own.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::engine::{Client, ContainerSpec};
use crate::failure::Failure;
use crate::process_identity;
use crate::shell::{self, Step};

/// First of the ports that are tried.
const FIRST_PORT: u16 = 54329;
/// Ports that are tried.
const PORTS: u16 = 50;
/// Making a cluster takes 2 s here; a machine with a slow disk gets thirty times that.
const START_LIMIT: Duration = Duration::from_mins(1);
/// Time for open transactions to end and the last checkpoint.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// It listens on loopback only and holds development data, so that the data of a volume can be
/// opened again after the build folder, and any secret in it, was wiped.
const PASSWORD: &str = "carrel";

/// A database container to start.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// Unique name of the container; one of the same name is replaced.
    pub(crate) name: &'a str,
    /// Image reference.
    pub(crate) image: &'a str,
    /// Label by which the caller knows its own.
    pub(crate) label: (&'a str, &'a str),
    /// Named volume for the data; without one the data goes with the container.
    pub(crate) volume: Option<&'a str>,
    /// Folder of `.sql` files for a first start.
    pub(crate) first_start: Option<&'a Path>,
    /// Port of last time, so that addresses people copied stay right.
    pub(crate) port: Option<u16>,
}

/// A PostgreSQL of our own; it stops when dropped.
pub(crate) struct Database {
    client: Client,
    name: String,
    /// Loopback port.
    pub(crate) port: u16,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.name)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Starts a container and waits until it takes connections.
    pub(crate) fn start(client: &Client, wanted: &Wanted<'_>) -> Result<Self> {
        // Left by a run that was killed: the name is ours, and the data lies in the volume.
        client.stop(wanted.name, STOP_LIMIT)?;
        client.remove(wanted.name)?;
        let port = free_port(wanted.port)?;
        let step = Step::begin("PostgreSQL to start");
        client.start(&ContainerSpec {
            name: wanted.name,
            image: wanted.image,
            environment: &[
                format!("POSTGRES_PASSWORD={PASSWORD}"),
                "POSTGRES_DB=carrel".to_owned(),
            ],
            labels: &[wanted.label],
            binds: &binds(wanted),
            command: &server(port, wanted.volume.is_some()),
        })?;
        let database = Self {
            client: client.clone(),
            name: wanted.name.to_owned(),
            port,
        };
        while !takes_connections(port) {
            if database.client.is_running(&database.name)? != Some(true) {
                return Err(database.failure("PostgreSQL ended at once"));
            }
            if step.elapsed() > START_LIMIT {
                return Err(database.failure("PostgreSQL takes no connections"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(database)
    }

    /// Starts one for this run alone, and removes those of runs that were killed, however many servers
    /// those had: `test-2` is the second one of the kind `test`.
    pub(crate) fn start_for_this_run(
        client: &Client,
        image: &str,
        purpose: &str,
        first_start: Option<&Path>,
    ) -> Result<Self> {
        let kind = purpose.split('-').next().unwrap_or(purpose);
        let label = format!("carrel.{kind}");
        for (container, mark) in client.label_owners(&label)? {
            if !process_identity::lives(&mark) {
                client.remove(&container)?;
            }
        }
        let mark = process_identity::own_mark();
        let wanted = Wanted {
            name: &format!("carrel-{purpose}-postgres-{}", std::process::id()),
            image,
            label: (&label, &mark),
            volume: None,
            first_start,
            port: None,
        };
        Self::start(client, &wanted)
    }

    /// Where it is, for our processes.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://postgres:{PASSWORD}@127.0.0.1:{}/carrel",
            self.port
        )
    }

    /// The version it called itself when it started, such as `15.10`.
    pub(crate) fn version(&self) -> String {
        let logs = self.client.logs(&self.name).unwrap_or_default();
        let words = logs.split("starting PostgreSQL ").nth(1);
        words
            .and_then(|it| it.split_whitespace().next())
            .unwrap_or_default()
            .to_owned()
    }

    fn failure(&self, what: &str) -> anyhow::Error {
        let said = self.client.logs(&self.name).unwrap_or_default();
        Failure::new(what)
            .because(shell::last_lines(&said))
            .mend("if its data is damaged and may go: cargo xtask up --fresh")
            .into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _step = Step::begin("PostgreSQL to write its last checkpoint");
        self.client.stop(&self.name, STOP_LIMIT).ok();
        self.client.remove(&self.name).ok();
    }
}

fn binds(wanted: &Wanted<'_>) -> Vec<String> {
    let data = wanted
        .volume
        .map(|volume| format!("{volume}:/var/lib/postgresql/data"));
    let scripts = wanted
        .first_start
        .map(|folder| format!("{}:/docker-entrypoint-initdb.d:ro", folder.display()));
    data.into_iter().chain(scripts).collect()
}

/// It listens on loopback only, on a port that nobody else has. As many tests run at once as there
/// are processors, and each has several pools: a hundred connections are too few for a large machine.
///
/// Data that goes with the container waits for no disk: what a machine without power loses is lost
/// with it anyway, and what a killed process wrote is the kernel's. Each of hundreds of tests makes
/// and drops a database, which takes twice as long otherwise.
fn server(port: u16, data_outlives_it: bool) -> Vec<String> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "max_connections=400".to_owned(),
    ];
    if !data_outlives_it {
        settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
    }
    let flags = settings.into_iter().flat_map(|it| ["-c".to_owned(), it]);
    std::iter::once("postgres".to_owned())
        .chain(flags)
        .collect()
}

/// The port of last time if it is free, else the first free one of a fixed range.
fn free_port(remembered: Option<u16>) -> Result<u16> {
    let mut candidates = remembered.into_iter().chain(FIRST_PORT..FIRST_PORT + PORTS);
    let free = candidates.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.ok_or_else(|| {
        Failure::new("no free port for PostgreSQL")
            .because(format!(
                "{FIRST_PORT} to {} are all taken",
                FIRST_PORT + PORTS - 1
            ))
            .mend("give a PostgreSQL of your own: export DATABASE_URL=postgres://…")
            .into()
    })
}

/// Whether the server behind the port asks for a password. A mere open port says less: while the
/// server recovers from a kill it refuses every login.
fn takes_connections(port: u16) -> bool {
    let ask = || -> Result<u8> {
        let address = ([127, 0, 0, 1], port).into();
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(&startup_message("postgres", "carrel"))?;
        let mut answer = [0];
        stream.read_exact(&mut answer).context("no answer")?;
        Ok(answer[0])
    };
    ask().is_ok_and(|answer| answer == b'R')
}

/// Protocol 3.0: length, version, then pairs of zero-ended texts, then a zero.
fn startup_message(user: &str, database: &str) -> Vec<u8> {
    let parameters = format!("user\0{user}\0database\0{database}\0\0");
    let length = u32::try_from(parameters.len() + 8).expect("a few names are short");
    [
        &length.to_be_bytes()[..],
        &[0, 3, 0, 0],
        parameters.as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually::eventually;

    #[test]
    fn a_taken_port_of_last_time_is_passed_over() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(Some(port)).unwrap(), port);
        drop(taken);
        eventually("the port is free", || {
            free_port(Some(port)).unwrap() == port
        });
    }

    #[test]
    fn the_startup_message_counts_itself() {
        let message = startup_message("u", "d");
        assert_eq!(
            u32::from_be_bytes(message[..4].try_into().unwrap()) as usize,
            message.len()
        );
    }
}
