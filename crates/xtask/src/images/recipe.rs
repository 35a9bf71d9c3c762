//! What an image consists of: a folder under `deploy/images/`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::broken;
use super::build::Sources;

/// Changes with the way images are built, so that older ones are not taken for current.
const BUILDER: &str = "1";

/// `image.json`, and the folder it stands in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Name of the image, without a tag.
    repository: String,
    /// Packages beyond the essential ones.
    pub(crate) packages: Vec<String>,
    /// Dockerfile instructions for user, environment and command.
    pub(crate) changes: Vec<String>,
    /// The folder: `rootfs/` is laid over the packages, `setup.sh` runs last inside.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
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

    /// The image's name, tagged with a hash of everything that shapes it.
    pub(crate) fn reference(&self, sources: &Sources) -> Result<String> {
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
        Ok(format!(
            "{}:{}",
            self.repository,
            &hex::encode(hash.finalize())[..12]
        ))
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
mod tests {
    use super::*;

    const NAMES: [&str; 2] = [super::super::EXAM, super::super::POSTGRES];

    fn recipe(name: &str) -> Recipe {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/images");
        Recipe::load(&root.join(name)).unwrap()
    }

    /// The words after `apt-get install`'s flags, up to the end of that instruction.
    fn installed_by(dockerfile: &str) -> Vec<String> {
        let joined = dockerfile.replace("\\\n", " ");
        let line = joined
            .lines()
            .find(|line| line.contains("apt-get install"))
            .unwrap();
        let (_, words) = line.split_once("apt-get install").unwrap();
        let mut words = words.split_whitespace();
        let mut packages = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "-o" => drop(words.next()),
                "&&" => break,
                word if word.starts_with('-') => {}
                word => packages.push(word.to_owned()),
            }
        }
        packages
    }

    #[test]
    fn recipe_and_dockerfile_install_the_same_packages() {
        for name in NAMES {
            let recipe = recipe(name);
            let dockerfile = fs::read_to_string(recipe.folder.join("Dockerfile")).unwrap();
            assert_eq!(installed_by(&dockerfile), recipe.packages, "{name}");
        }
    }

    #[test]
    fn recipe_and_dockerfile_end_in_the_same_settings() {
        for name in NAMES {
            let recipe = recipe(name);
            let dockerfile = fs::read_to_string(recipe.folder.join("Dockerfile")).unwrap();
            let settings: Vec<&str> = dockerfile
                .lines()
                .filter(|line| {
                    let instruction = line.split(' ').next().unwrap_or_default();
                    [
                        "ENV",
                        "WORKDIR",
                        "USER",
                        "CMD",
                        "ENTRYPOINT",
                        "VOLUME",
                        "EXPOSE",
                        "STOPSIGNAL",
                    ]
                    .contains(&instruction)
                })
                .collect();
            assert_eq!(settings, recipe.changes, "{name}");
        }
    }

    #[test]
    fn packages_are_listed_in_order_and_once() {
        for name in NAMES {
            let packages = recipe(name).packages;
            assert!(packages.is_sorted_by(|a, b| a < b), "{name}: {packages:?}");
        }
    }

    #[test]
    fn a_changed_file_changes_the_tag() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "image.json",
            r#"{"repository":"localhost/x","packages":[],"changes":[]}"#,
        );
        write("setup.sh", "true");
        let tag = || {
            Recipe::load(folder.path())
                .unwrap()
                .reference(&Sources::Dockerfile)
                .unwrap()
        };
        let before = tag();
        assert_eq!(before, tag());
        write("setup.sh", "false");
        assert_ne!(before, tag());
    }
}
