//! The candidate's page, built by Vite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::failure::Failure;
use crate::packages::find_program;
use crate::shell;
use crate::workspace::Workspace;

/// Lowest Node that the page's tools accept.
const NODE_MAJOR: u32 = 20;

/// Builds the page where its sources are newer, and returns the folder to serve.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let folder = install(workspace)?;
    let built = folder.join("dist");
    let built_at = modified(&built.join("index.html"));
    if built_at.is_none_or(|at| newest_source(&folder).is_none_or(|source| source > at)) {
        shell::run_quietly(npm(&folder).args(["run", "build"]))?;
    }
    Ok(built)
}

/// Installs the page's packages where the lock file is newer, and returns the page's folder.
pub(crate) fn install(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.root.join("frontend");
    require_node()?;
    // npm writes this file last, so an interrupted installation is done again.
    let installed_at = modified(&folder.join("node_modules/.package-lock.json"));
    let wanted_at = modified(&folder.join("package-lock.json"));
    if installed_at.is_none() || installed_at < wanted_at {
        shell::run_quietly(npm(&folder).args(["ci", "--no-audit", "--no-fund"]))?;
    }
    Ok(folder)
}

/// npm, set to work on the page.
pub(crate) fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder);
    npm
}

fn require_node() -> Result<()> {
    let missing = |why: String| {
        Failure::new("the page needs Node.js and npm")
            .because(why)
            .mend(format!(
                "install Node.js {NODE_MAJOR} or newer: https://nodejs.org/en/download"
            ))
    };
    for program in ["node", "npm"] {
        if find_program(program).is_none() {
            return Err(missing(format!("no `{program}` on the PATH")).into());
        }
    }
    let output = shell::run_quietly(Command::new("node").arg("--version"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .unwrap_or_default();
    let major: u32 = major
        .parse()
        .with_context(|| format!("node calls itself {version:?}"))?;
    if major < NODE_MAJOR {
        return Err(missing(format!("this is Node.js {version}")).into());
    }
    Ok(())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|it| it.modified()).ok()
}

/// When the youngest file that shapes the page was changed.
fn newest_source(folder: &Path) -> Option<SystemTime> {
    let mut newest = None;
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let name = entry.file_name();
        if ["node_modules", "dist", "e2e", "dev"]
            .iter()
            .any(|skipped| name == **skipped)
        {
            continue;
        }
        let path = entry.path();
        newest = newest.max(if path.is_dir() {
            newest_source(&path)
        } else {
            modified(&path)
        });
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_itself_writes_is_no_source() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dist")).unwrap();
        fs::write(folder.path().join("dist/index.html"), "").unwrap();
        assert_eq!(newest_source(folder.path()), None);
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/main.ts"), "").unwrap();
        assert!(newest_source(folder.path()).is_some());
    }
}
