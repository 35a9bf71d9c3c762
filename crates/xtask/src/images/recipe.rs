//! What an image consists of: a folder under `deploy/images/`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::broken;
use super::sources::Sources;

/// Changes with the way images are built, so that older ones are not taken for current.
const BUILDER: &str = "1";

/// `image.json`, and the folder it stands in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Name of the image, without a tag.
    repository: String,
    /// The Debian release of the packages, where this machine's own has too old ones.
    pub(crate) release: Option<String>,
    /// Packages beyond the essential ones; none at all, not even those, where it is absent.
    pub(crate) packages: Option<Vec<String>>,
    /// What of the workspace's own building lies in the image: where, and which.
    #[serde(default)]
    pub(crate) built: BTreeMap<String, Product>,
    /// Dockerfile instructions for user, environment and command.
    pub(crate) changes: Vec<String>,
    /// The folder: `rootfs/` is laid over the packages, `setup.sh` runs last inside.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// Something that the workspace builds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Product {
    /// The candidate's page, a folder.
    Page,
    /// The static keeper.
    Keeper,
    /// A process or command line, by the name of its binary.
    #[serde(untagged)]
    Program(String),
}

impl Recipe {
    /// Reads a recipe.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("image.json");
        let text = fs::read_to_string(&path).map_err(|error| broken(&path, error))?;
        let mut recipe: Self = serde_json::from_str(&text).map_err(|error| broken(&path, error))?;
        folder.clone_into(&mut recipe.folder);
        Ok(recipe)
    }

    /// The image's name, with that tag.
    pub(crate) fn reference(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository)
    }

    /// The image's name without a tag.
    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    /// A hash of everything that shapes the image, but for what the workspace builds.
    pub(crate) fn fingerprint(&self, sources: &Sources) -> Result<String> {
        let mut hash = Sha256::new();
        hash.update(BUILDER);
        hash.update(sources.fingerprint());
        let mut files = Vec::new();
        list(&self.folder, &mut files)?;
        files.sort();
        for file in files {
            let mode = fs::metadata(&file)?.permissions().mode() & 0o111;
            let name = file
                .strip_prefix(&self.folder)
                .context("a file outside its folder")?;
            let content = fs::read(&file)?;
            hash.update(format!("{}\0{mode:o}\0{}\0", name.display(), content.len()));
            hash.update(content);
        }
        Ok(hex::encode(&hash.finalize()[..6]))
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
