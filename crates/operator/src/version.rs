//! `carrel version`: what this binary is, and whether database and workers go with it.

use std::collections::BTreeMap;

use command_line::{CliError, Document, Exit, GlobalArgs, READ_LASTS, counted, read_within};
use serde::Serialize;
use sqlx::PgConnection;

use crate::doctor::live_workers;
use crate::migrate::{Schema, newest, read};

const SCHEMA: &str = "carrel/version.v1";

/// The oldest worker that works beside this release, on its schema. Migrations expand before they
/// contract, so that it is raised only by the release that takes away what an older worker's
/// statements name.
const OLDEST_WORKER: &str = "0.1.0";

/// What goes with what.
#[derive(Debug, Serialize)]
struct Version {
    /// This binary.
    binary: &'static str,
    schema: Schemas,
    /// The oldest worker that may serve.
    oldest_worker: &'static str,
    /// Live workers by their version; `None` where nobody could be asked.
    workers: Option<BTreeMap<String, usize>>,
    /// Versions among them that are older than that.
    too_old: Vec<String>,
    /// Why the database did not say, where it was to be asked.
    database_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Schemas {
    /// The newest migration that this binary knows.
    binary: i64,
    /// The newest that the database has; `None` where it has none, or could not be asked.
    database: Option<i64>,
    /// Whether processes of this release may serve on it: nothing of theirs is missing or other. A newer
    /// one fits.
    fits: Option<bool>,
    /// What to do where they may not.
    #[serde(skip)]
    mend: &'static str,
}

/// Tells of the database only where one is named; one that does not answer is told beside the rest, with
/// exit code 5.
pub(crate) async fn run(globals: &GlobalArgs) -> Result<Document, CliError> {
    let asked = match globals.database.database_url {
        Some(_) => ask(globals).await.map(Some),
        None => Ok(None),
    };
    let (found, failed) = match asked {
        Ok(found) => (found, None),
        // A malformed address is a wrong call.
        Err(error) if error.exit == Exit::Usage => return Err(error),
        Err(error) => (None, Some(error)),
    };
    let (schema, workers) = found.unzip();
    let workers = workers.flatten();
    let version = Version {
        binary: env!("CARGO_PKG_VERSION"),
        schema: Schemas {
            binary: newest(),
            database: schema.as_ref().and_then(|schema| schema.version),
            fits: schema.as_ref().map(Schema::fits),
            mend: schema.as_ref().map_or("", Schema::mend),
        },
        oldest_worker: OLDEST_WORKER,
        too_old: workers.iter().flat_map(too_old).collect(),
        workers,
        database_error: failed.as_ref().map(|error| error.code.clone()),
    };
    let text = text(&version);
    let document = Document::new(SCHEMA, version).with_text(text);
    Ok(document.with_exit(failed.map_or(Exit::Ok, |error| error.exit)))
}

type Found = (Schema, Option<BTreeMap<String, usize>>);

async fn ask(globals: &GlobalArgs) -> Result<Found, CliError> {
    let pool = globals.connect().await?;
    let mut connection = pool.acquire().await?;
    read_within(&mut connection, READ_LASTS, async |it| {
        let schema = read(it).await?;
        // Another schema may have no such table.
        let workers = if schema.fits() {
            Some(count(it).await?)
        } else {
            None
        };
        Ok((schema, workers))
    })
    .await
}

async fn count(connection: &mut PgConnection) -> Result<BTreeMap<String, usize>, CliError> {
    let mut counts = BTreeMap::new();
    for worker in live_workers(connection).await? {
        *counts.entry(worker.build).or_default() += 1;
    }
    Ok(counts)
}

fn too_old(workers: &BTreeMap<String, usize>) -> Vec<String> {
    let builds = workers.keys();
    builds.filter(|build| is_too_old(build)).cloned().collect()
}

/// What is no version is not judged; behind a dash or a plus it names a build of the same one.
fn is_too_old(build: &str) -> bool {
    let numbers = |version: &str| -> Option<Vec<u64>> {
        let version = version.split(['-', '+']).next()?;
        version.split('.').map(|it| it.parse().ok()).collect()
    };
    numbers(build).is_some_and(|build| Some(build) < numbers(OLDEST_WORKER))
}

fn text(version: &Version) -> String {
    let Schemas {
        binary,
        database,
        fits,
        mend,
    } = &version.schema;
    let there = database.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let there = match (fits, &version.database_error) {
        (Some(true), _) => format!("{there} in the database, which fits"),
        (Some(false), _) => {
            format!("{there} in the database, which does not fit: {mend}")
        }
        (None, Some(error)) => format!("the database did not say: {error}"),
        (None, None) => "no database was named".to_owned(),
    };
    let line = |(build, count): (&String, &usize)| {
        let old = if version.too_old.contains(build) {
            ", too old"
        } else {
            ""
        };
        format!(", {} of {build}{old}", counted(*count, "worker"))
    };
    let live: String = version.workers.iter().flatten().map(line).collect();
    format!(
        "carrel {}\nschema {binary} here, {there}\nworkers from {} on may serve{live}",
        version.binary, version.oldest_worker
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_too_old_by_its_numbers() {
        for build in ["0.0.9", "0.0.9-rc1", "0.0"] {
            assert!(is_too_old(build), "{build}");
        }
        for build in [OLDEST_WORKER, "0.1.0+a1b2", "0.10.0", "1.0", "main"] {
            assert!(!is_too_old(build), "{build}");
        }
    }
}
