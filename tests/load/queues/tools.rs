//! The parts that contenders are made of, installed below the build folder, never in the checkout.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::programs::output;

/// Stock apalis is compiled with all it needs, some minutes the first time.
const COMPILING: Duration = Duration::from_mins(15);
const INSTALLING: Duration = Duration::from_mins(5);
const PGBENCH: &str = "/usr/lib/postgresql";

/// A path beside this file.
pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("load/queues")
        .join(path)
}

/// Builds stock apalis's program, which has a lock file and a tree of its own.
pub(crate) async fn stock_apalis() -> Result<PathBuf> {
    let built = place("apalis")?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(source("apalis/Cargo.toml"))
        .arg("--target-dir")
        .arg(&built);
    output(&mut cargo, COMPILING).await?;
    Ok(built.join("release/stock-apalis"))
}

/// Installs the programs for Node.js and what they need, and returns their folder.
pub(crate) async fn node() -> Result<PathBuf> {
    let folder = place("node")?;
    for name in [
        "package.json",
        "package-lock.json",
        "contract.mjs",
        "graphile-worker.mjs",
        "pg-boss.mjs",
    ] {
        std::fs::copy(source("node").join(name), folder.join(name))
            .with_context(|| format!("copy {name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&folder);
    output(&mut npm, INSTALLING)
        .await
        .context("it needs Node.js 20 and npm: `apt-get install nodejs npm`")?;
    Ok(folder)
}

/// Installs procrastinate, and returns the interpreter that finds it.
pub(crate) async fn python() -> Result<PathBuf> {
    let folder = place("python")?;
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&folder);
    output(&mut venv, INSTALLING)
        .await
        .context("it needs Python 3.11 with venv: `apt-get install python3-venv`")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ])
    .arg(source("python/requirements.txt"));
    output(&mut pip, INSTALLING).await?;
    Ok(folder.join("bin/python"))
}

/// Finds pgbench: on the path, or where Debian puts the newest server's programs.
pub(crate) async fn pgbench() -> Result<PathBuf> {
    let folders = std::fs::read_dir(PGBENCH).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = folders
        .map(|entry| entry.path().join("bin/pgbench"))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    let found = found.pop().unwrap_or_else(|| "pgbench".into());
    output(Command::new(&found).arg("--version"), INSTALLING)
        .await
        .context("it needs pgbench: `apt-get install postgresql`")?;
    Ok(found)
}

/// A folder below the build folder that holds this example.
fn place(name: &str) -> Result<PathBuf> {
    let example = std::env::current_exe().context("find this program")?;
    let build = example
        .ancestors()
        .nth(3)
        .context("find the build folder")?;
    let place = build.join("queues").join(name);
    std::fs::create_dir_all(&place).with_context(|| format!("make {}", place.display()))?;
    Ok(place)
}
