//! Where things are: the checkout, the build folder, the cache that outlives both.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;
use crate::settings::Settings;
use crate::shell;

/// How the variables begin by which Cargo tells a program of its package.
const OF_OUR_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// The folders that the verbs work in.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Cargo's build folder, wherever the person put it.
    pub(crate) target: PathBuf,
    /// What outlives a checkout, such as built images.
    pub(crate) cache: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Finds the folders by asking Cargo.
    pub(crate) fn find(settings: &Settings) -> Result<Self> {
        let output = shell::run_quietly(Command::new("cargo").args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata answered nonsense")?;
        let cache = match &settings.cache_home {
            Some(home) if home.is_absolute() => home.join("carrel"),
            _ => std::env::home_dir()
                .ok_or_else(|| Failure::new("no home folder is known").mend("export HOME=…"))?
                .join(".cache/carrel"),
        };
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            cache,
        })
    }

    /// Cargo, set to work in this workspace. It is not told what `cargo run` told us of our own
    /// package: build scripts that ask for such variables (that of `ring` does) would be run anew,
    /// and all that stands on them built once more, whenever the checkout lies elsewhere or Cargo is
    /// run without us.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        for (name, _) in std::env::vars_os() {
            let is_ours = name
                .to_str()
                .is_some_and(|it| OF_OUR_PACKAGE.iter().any(|prefix| it.starts_with(prefix)));
            if is_ours {
                cargo.env_remove(name);
            }
        }
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// A binary of the debug build.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// Short name of this checkout, so that two checkouts on one machine keep apart.
    pub(crate) fn fingerprint(&self) -> String {
        hex::encode(&Sha256::digest(self.root.as_os_str().as_encoded_bytes())[..4])
    }
}

/// Files of the checkout that match, new ones among them, built and installed ones not.
pub(crate) fn tracked_files(root: &Path, patterns: &[&str]) -> Result<Vec<PathBuf>> {
    let output = shell::run_quietly(
        Command::new("git")
            .arg("-C")
            .arg(root)
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
                "--",
            ])
            .args(patterns),
    )?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let files = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(|name| root.join(name));
    // A file that was deleted but not committed is still listed.
    Ok(files.filter(|file| file.is_file()).collect())
}

/// Refuses to begin what a full disk would break off half-way.
pub(crate) fn require_space(path: &Path, mebibytes: u64, purpose: &str) -> Result<()> {
    let Some(folder) = path.ancestors().find(|folder| folder.is_dir()) else {
        return Ok(());
    };
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    if free >= mebibytes {
        return Ok(());
    }
    Err(Failure::new(format!("the disk is too full for {purpose}"))
        .because(format!(
            "{free} MiB free under {}, {mebibytes} MiB needed",
            folder.display()
        ))
        .mend("free some space, or move the folder with CARGO_TARGET_DIR or XDG_CACHE_HOME")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_not_told_of_our_own_package() {
        let workspace = Workspace {
            root: PathBuf::from("/"),
            target: PathBuf::from("/target"),
            cache: PathBuf::from("/cache"),
        };
        let cargo = workspace.cargo();
        let removed: Vec<_> = cargo
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .filter_map(|(name, _)| name.to_str())
            .collect();
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            assert!(removed.contains(&name), "{name}");
        }
        assert!(!removed.contains(&"CARGO_TARGET_DIR"));
    }

    #[test]
    fn a_disk_without_room_is_named_before_anything_begins() {
        let error = require_space(Path::new("/"), u64::MAX >> 20, "a test").unwrap_err();
        assert!(
            error
                .downcast_ref::<Failure>()
                .unwrap()
                .why()
                .unwrap()
                .contains("MiB free")
        );
    }

    #[test]
    fn a_path_that_is_not_made_yet_counts_for_its_folder() {
        require_space(Path::new("/not/there/yet"), 0, "a test").unwrap();
    }
}
