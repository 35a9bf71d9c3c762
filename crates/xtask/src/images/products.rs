//! What the workspace builds and images hold: processes, command line, keeper, page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::recipe::{Product, Recipe};
use crate::packages::{self, Need};
use crate::shell::{self, Step};
use crate::workspace::Workspace;
use crate::{keeper, page};

/// The packages whose binaries lie in an image.
const PACKAGES: [&str; 4] = [
    "carrel-api",
    "carrel-operator",
    "carrel-worker",
    "terminal-gateway",
];

/// Debug binaries are two thirds symbols.
const STRIP: Need = Need {
    program: "strip",
    package: "binutils",
};

/// Where the products lie.
#[derive(Debug, Clone)]
pub(crate) struct Products {
    /// Folder of the binaries.
    pub(crate) binaries: PathBuf,
    /// The static keeper.
    pub(crate) keeper: PathBuf,
    /// The built page.
    pub(crate) page: PathBuf,
}

impl Products {
    /// Builds them all, with that profile of Cargo's.
    pub(crate) fn build(workspace: &Workspace, profile: &str) -> Result<Self> {
        let step = Step::begin("the page to be built");
        let page = page::build(workspace)?;
        step.done("page", "built");
        let mut cargo = workspace.cargo();
        cargo
            .args(["build", "--profile", profile])
            .args(PACKAGES.iter().flat_map(|name| ["--package", name]));
        shell::run_loudly(&mut cargo)?;
        let keeper = keeper::build(workspace)?;
        shell::done("programs", &format!("built, profile {profile}"));
        let folder = if profile == "dev" { "debug" } else { profile };
        Ok(Self {
            binaries: workspace.target.join(folder),
            keeper,
            page,
        })
    }

    fn path(&self, product: &Product) -> PathBuf {
        match product {
            Product::Page => self.page.clone(),
            Product::Keeper => self.keeper.clone(),
            Product::Program(name) => self.binaries.join(name),
        }
    }
}

/// The products of one recipe as they will lie in its image, stripped, in a folder of their own.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    /// A hash of all their content.
    pub(crate) digest: String,
}

impl Stage {
    /// Lays them out below a folder in the cache.
    pub(crate) fn set(recipe: &Recipe, products: &Products, cache: &Path) -> Result<Self> {
        packages::ensure("putting programs into images", &[STRIP])?;
        let folder = tempfile::Builder::new()
            .prefix("stage-")
            .tempdir_in(cache)?;
        for (place, product) in &recipe.built {
            let target = folder.path().join(place.trim_start_matches('/'));
            let parent = target.parent().context("a product lies in a folder")?;
            fs::create_dir_all(parent)?;
            lay(&products.path(product), product, &target)?;
        }
        let digest = digest(folder.path())?;
        Ok(Self { folder, digest })
    }

    /// Appends them to a tar, which is made where there is none.
    pub(crate) fn append_to(&self, tar: &Path) -> Result<()> {
        let there = folders_in(tar)?;
        let mut names = Vec::new();
        collect(self.folder.path(), Path::new(""), &mut names)?;
        // Engines refuse a path that comes twice, a folder's too.
        names.retain(|name| !there.contains(name));
        let mut command = tar_of(self.folder.path());
        command.args(["--append", "--no-recursion", "--file"]);
        shell::run_quietly(command.arg(tar).args(names)).map(drop)
    }
}

/// The folders that a tar describes, without the dot that some names begin with.
fn folders_in(tar: &Path) -> Result<BTreeSet<PathBuf>> {
    // An empty file is no archive yet.
    if fs::metadata(tar)?.len() == 0 {
        return Ok(BTreeSet::new());
    }
    let output = shell::run_quietly(Command::new("tar").arg("-tf").arg(tar))?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let folders = listed.lines().filter_map(|line| line.strip_suffix('/'));
    Ok(folders
        .map(|name| PathBuf::from(name.trim_start_matches("./")))
        .collect())
}

/// Everything below a folder, each folder before what it holds.
fn collect(root: &Path, below: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(root.join(below))?.collect::<std::io::Result<Vec<_>>>()?;
    let mut names: Vec<_> = entries
        .into_iter()
        .map(|entry| below.join(entry.file_name()))
        .collect();
    names.sort();
    for name in names {
        found.push(name.clone());
        if root.join(&name).is_dir() {
            collect(root, &name, found)?;
        }
    }
    Ok(())
}

fn lay(from: &Path, product: &Product, target: &Path) -> Result<()> {
    let mut command = match product {
        Product::Page => {
            let mut copy = Command::new("cp");
            copy.args(["-r", "--"]);
            copy
        }
        Product::Keeper | Product::Program(_) => {
            let mut strip = Command::new("strip");
            strip.args(["--strip-all", "-o"]).arg(target);
            shell::run_quietly(strip.arg(from))?;
            return Ok(());
        }
    };
    shell::run_quietly(command.arg(from).arg(target)).map(drop)
}

/// A tar that depends on nothing but names and contents.
fn tar_of(folder: &Path) -> Command {
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(folder)
        .args(["--sort=name", "--mtime=@0", "--mode=u=rwX,go=rX"])
        .args(["--owner=0", "--group=0", "--numeric-owner"]);
    tar
}

/// By `sha256sum`: ours is a debug build and would take seconds for a hundred megabytes.
fn digest(folder: &Path) -> Result<String> {
    let archive = tempfile::NamedTempFile::new_in(folder.parent().unwrap_or(folder))?;
    let mut tar = tar_of(folder);
    shell::run_quietly(tar.arg("-cf").arg(archive.path()).arg("."))?;
    digest_of_file(archive.path())
}

/// The hash of one file.
pub(crate) fn digest_of_file(path: &Path) -> Result<String> {
    let output = shell::run_quietly(Command::new("sha256sum").arg("--").arg(path))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let sum = text.trim_start_matches('\\').split(' ').next();
    sum.filter(|sum| sum.len() == 64)
        .map(str::to_owned)
        .context("sha256sum printed no sum")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tar: &Path) -> Vec<String> {
        let output = shell::run_quietly(Command::new("tar").arg("-tf").arg(tar)).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| line.trim_start_matches("./").to_owned())
            .collect()
    }

    fn staged() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("usr/share/page")).unwrap();
        fs::write(folder.path().join("usr/share/page/index.html"), "page").unwrap();
        Stage {
            folder,
            digest: String::new(),
        }
    }

    #[test]
    fn no_path_comes_twice_in_a_tar_over_a_base() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("usr/share")).unwrap();
        fs::write(base.path().join("usr/share/old"), "base").unwrap();
        let tar = tempfile::NamedTempFile::new().unwrap();
        let mut make = tar_of(base.path());
        shell::run_quietly(make.arg("-cf").arg(tar.path()).arg("./usr")).unwrap();
        staged().append_to(tar.path()).unwrap();
        let names = [
            "usr/",
            "usr/share/",
            "usr/share/old",
            "usr/share/page/",
            "usr/share/page/index.html",
        ];
        assert_eq!(listed(tar.path()), names);
    }

    #[test]
    fn without_a_base_every_folder_is_described() {
        let tar = tempfile::NamedTempFile::new().unwrap();
        staged().append_to(tar.path()).unwrap();
        assert_eq!(listed(tar.path())[..2], ["usr/", "usr/share/"]);
    }
}
