//! What the workspace builds and images hold: processes, command line, keeper, page.

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
        let mut command = tar_of(self.folder.path());
        // Named one by one: the root folder itself is not ours to describe.
        let mut names: Vec<_> = fs::read_dir(self.folder.path())?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<std::io::Result<_>>()?;
        names.sort();
        command.arg("--append").arg("--file").arg(tar).args(names);
        shell::run_quietly(&mut command).map(drop)
    }
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
