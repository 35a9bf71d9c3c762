//! The keeper as it travels into every environment: one small static binary.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Builds the keeper and returns where it lies.
///
/// The flags that make it static would rebuild every other crate too, so it has a build folder of
/// its own; there Cargo decides by itself whether there is anything to do.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let triple = host_triple()?;
    let folder = workspace.target.join("keeper");
    shell::run_loudly(
        workspace
            .cargo()
            .args([
                "build",
                "--quiet",
                "--package",
                "carrel-keeper",
                "--bin",
                "carrel-keeper",
            ])
            .args(["--profile", "keeper", "--target", &triple])
            .env("CARGO_TARGET_DIR", &folder)
            .env("RUSTFLAGS", "-C target-feature=+crt-static"),
    )?;
    Ok(folder.join(triple).join("keeper/carrel-keeper"))
}

/// Naming the target, even the host's own, keeps the static flags off build scripts and macros.
fn host_triple() -> Result<String> {
    let output = shell::run_quietly(std::process::Command::new("rustc").arg("-vV"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).context("rustc names no host")
}
