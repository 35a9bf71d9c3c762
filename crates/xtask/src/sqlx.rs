//! `.sqlx/`: what the checked queries were found to take and return, so that a build needs no
//! database. The macros write these files themselves when they run against a live one; what is
//! left to do here is to give them a database and to make Cargo expand every one of them again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::engine::Engine;
use crate::failure::Failure;
use crate::images;
use crate::postgres::Database;
use crate::settings::Settings;
use crate::shell;
use crate::suites::{Feature, Suites};
use crate::workspace::{Workspace, tracked_files};

/// `cargo xtask sqlx`.
pub(crate) fn run(workspace: &Workspace, settings: &Settings) -> Result<ExitCode> {
    let engine = Engine::find_or_start(settings)?;
    let scratch = Scratch::start(workspace, &engine)?;
    let mut cargo = workspace.cargo();
    let suites = Suites::taken_by(workspace, &[])?;
    cargo
        .args(["check", "--workspace", "--all-targets"])
        .args(suites.features(Feature::ALL));
    scratch.expand(workspace, &mut cargo)?;
    let kept = workspace.root.join(".sqlx");
    fs::create_dir_all(&kept)?;
    let (old, new) = (read(&kept)?, read(scratch.folder.path())?);
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        fs::remove_file(kept.join(name))?;
    }
    for (name, content) in new
        .iter()
        .filter(|(name, content)| old.get(*name) != Some(*content))
    {
        fs::write(kept.join(name), content)?;
    }
    let difference = Difference::between(&old, &new);
    shell::done(
        "checked queries",
        &format!("{} in .sqlx/; {difference}", new.len()),
    );
    Ok(ExitCode::SUCCESS)
}

/// A database with today's migrations and nothing else, and a folder for what the macros learn.
#[derive(Debug)]
pub(crate) struct Scratch {
    database: Database,
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Starts the database. It applies the migrations as plain SQL on its first start, because the
    /// binary that applies them otherwise cannot be built while its queries are out of date.
    pub(crate) fn start(workspace: &Workspace, engine: &Engine) -> Result<Self> {
        let image = images::ensure(workspace, engine.client(), images::POSTGRES)?;
        let migrations = workspace.root.join("migrations");
        let database =
            Database::start_for_this_run(engine.client(), &image, "sqlx", Some(&migrations))?;
        Ok(Self {
            database,
            folder: tempfile::tempdir()?,
        })
    }

    /// Runs a Cargo command that expands every checked query against the database.
    pub(crate) fn expand(&self, workspace: &Workspace, cargo: &mut Command) -> Result<()> {
        for file in query_files(&workspace.root)? {
            // Cargo builds a crate again when one of its files is younger than the last build.
            File::options()
                .append(true)
                .open(&file)?
                .set_modified(SystemTime::now())?;
        }
        shell::run_loudly(
            cargo
                .env("SQLX_OFFLINE", "false")
                .env("SQLX_OFFLINE_DIR", self.folder.path())
                .env("DATABASE_URL", self.database.url()),
        )
    }

    /// Compares what the macros learnt with what is kept.
    pub(crate) fn compare(&self, workspace: &Workspace) -> Result<()> {
        let (old, new) = (
            read(&workspace.root.join(".sqlx"))?,
            read(self.folder.path())?,
        );
        if old == new {
            return Ok(());
        }
        let difference = Difference::between(&old, &new);
        Err(Failure::new(".sqlx/ does not fit the queries in the code")
            .because(difference)
            .mend("cargo xtask sqlx")
            .into())
    }
}

fn query_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in tracked_files(root, &["*.rs"])? {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let macros = [
            "query!(",
            "query_as!(",
            "query_scalar!(",
            "query_file!(",
            "query_file_as!(",
        ];
        if macros.iter().any(|name| text.contains(name)) {
            files.push(file);
        }
    }
    Ok(files)
}

type Queries = BTreeMap<String, Vec<u8>>;

fn read(folder: &Path) -> Result<Queries> {
    let mut queries = Queries::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|it| it.to_str())
            .context("a name beyond UTF-8")?;
        if name.starts_with("query-") {
            queries.insert(name.to_owned(), fs::read(&path)?);
        }
    }
    Ok(queries)
}

#[derive(Debug, PartialEq, Eq)]
struct Difference {
    added: usize,
    changed: usize,
    removed: usize,
}

impl Difference {
    fn between(old: &Queries, new: &Queries) -> Self {
        Self {
            added: new.keys().filter(|name| !old.contains_key(*name)).count(),
            changed: new
                .iter()
                .filter(|(k, v)| old.get(*k).is_some_and(|it| it != *v))
                .count(),
            removed: old.keys().filter(|name| !new.contains_key(*name)).count(),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            added,
            changed,
            removed,
        } = self;
        write!(
            f,
            "{added} new, {changed} changed, {removed} no longer used"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_changed_and_unused_queries_are_told_apart() {
        let set = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))
                .collect()
        };
        let old = set(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let new = set(&[("a", "1"), ("b", "2"), ("d", "1")]);
        assert_eq!(
            Difference::between(&old, &new),
            Difference {
                added: 1,
                changed: 1,
                removed: 1
            }
        );
    }
}
