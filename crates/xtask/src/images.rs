//! Container images without any image registry: from the machine's own packages where it has
//! `apt`, else from the Dockerfile beside each recipe.

mod build;
mod products;
mod recipe;
mod sources;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::engine::{Client, Engine};
use crate::failure::Failure;
use crate::packages::find_program;
use crate::settings::Settings;
use crate::shell::{self, Step};
use crate::workspace::Workspace;

pub(crate) use self::products::Products;
use self::products::Stage;
use self::recipe::Recipe;
use self::sources::Sources;

/// The sample exam's image.
pub(crate) const EXAM: &str = "linux-fundamentals";
/// The database's image.
pub(crate) const POSTGRES: &str = "postgres";
/// A pooler before it, for those that want one.
pub(crate) const PGBOUNCER: &str = "pgbouncer";
/// All processes, the command line and the page.
pub(crate) const CARREL: &str = "carrel";
/// The keeper alone.
pub(crate) const KEEPER: &str = "keeper";
/// Every folder under `deploy/images/`.
const NAMES: [&str; 5] = [EXAM, POSTGRES, PGBOUNCER, KEEPER, CARREL];

/// Which images to build.
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Names of folders under `deploy/images/`; all of them where none is named.
    #[arg(value_parser = NAMES)]
    names: Vec<String>,
    /// Cargo's profile for the programs in them.
    #[arg(long, default_value = "release", value_parser = ["release", "dev"])]
    profile: String,
}

/// `cargo xtask images`.
pub(crate) fn run(
    workspace: &Workspace,
    settings: &Settings,
    args: &ImagesArgs,
) -> Result<ExitCode> {
    let names: Vec<&str> = if args.names.is_empty() {
        NAMES.to_vec()
    } else {
        args.names.iter().map(String::as_str).collect()
    };
    let engine = Engine::find_or_start(settings)?;
    shell::done("container engine", engine.description());
    let programs = names.iter().any(|name| [CARREL, KEEPER].contains(name)) && has_apt();
    let products = programs
        .then(|| Products::build(workspace, &args.profile))
        .transpose()?;
    for name in names {
        let reference = match &products {
            Some(products) => ensure_with(workspace, engine.client(), name, products)?,
            None => ensure(workspace, engine.client(), name)?,
        };
        shell::say(&reference);
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the engine has an image without products of the workspace, and returns its
/// reference.
pub(crate) fn ensure(workspace: &Workspace, engine: &Client, name: &str) -> Result<String> {
    Image::open(workspace, engine, name)?.ensure(None)
}

/// The same for an image with what the workspace built.
pub(crate) fn ensure_with(
    workspace: &Workspace,
    engine: &Client,
    name: &str,
    products: &Products,
) -> Result<String> {
    Image::open(workspace, engine, name)?.ensure(Some(products))
}

/// One image on its way into the engine. Two runs at once build it once: it holds a lock.
#[derive(Debug)]
struct Image<'a> {
    name: &'a str,
    recipe: Recipe,
    sources: Sources,
    engine: &'a Client,
    root: &'a Path,
    cache: PathBuf,
    _alone: File,
}

impl<'a> Image<'a> {
    fn open(workspace: &'a Workspace, engine: &'a Client, name: &'a str) -> Result<Self> {
        let recipe = Recipe::load(&workspace.root.join("deploy/images").join(name))?;
        let cache = workspace.cache.join("images");
        fs::create_dir_all(&cache)
            .with_context(|| format!("could not make the cache folder {}", cache.display()))?;
        let sources = Sources::of_this_machine()?.of_release(recipe.release.as_deref());
        Ok(Self {
            name,
            recipe,
            sources,
            engine,
            root: &workspace.root,
            _alone: lock(&cache.join(format!("{name}.lock")), name)?,
            cache,
        })
    }

    /// The tag is a hash of everything that shapes the image, so an image that is there is right.
    fn ensure(&self, products: Option<&Products>) -> Result<String> {
        let base = self.recipe.fingerprint(&self.sources)?;
        match &self.sources {
            Sources::Dockerfile if self.recipe.built.is_empty() => {
                self.have(&base, |reference| self.build_folder(reference))
            }
            Sources::Dockerfile => {
                let context = build::checkout(self.root, &self.recipe, &self.cache)?;
                let digest = products::digest_of_file(context.path())?;
                self.have(&digest[..12], |reference| {
                    self.engine.build(context.path(), reference)
                })
            }
            Sources::Packages { .. } if self.recipe.built.is_empty() => {
                self.have(&base, |reference| {
                    let tar = self.base(&base)?.context("the recipe names no packages")?;
                    self.engine.import(&tar, reference, &self.recipe.changes)
                })
            }
            Sources::Packages { .. } => {
                let products = products.context("the image's programs were not built")?;
                let stage = Stage::set(&self.recipe, products, &self.cache)?;
                let tag = format!("{}-{}", &base[..6], &stage.digest[..12]);
                self.have(&tag, |reference| self.lay_over(&base, &stage, reference))
            }
        }
    }

    /// Does the work where the engine has no such image yet.
    fn have(&self, tag: &str, make: impl FnOnce(&str) -> Result<()>) -> Result<String> {
        let reference = self.recipe.reference(tag);
        let label = format!("{} image", self.name);
        if self.engine.has_image(&reference)? {
            shell::done(&label, &format!("there already ({tag})"));
            return Ok(reference);
        }
        let step = Step::begin(format!("the {} image to be built", self.name));
        make(&reference)?;
        let seconds = step.elapsed().as_secs_f32();
        step.done(&label, &format!("built in {seconds:.1} s ({tag})"));
        Ok(reference)
    }

    /// The tree that the packages make, from the cache where it is there.
    fn base(&self, tag: &str) -> Result<Option<PathBuf>> {
        let (Some(packages), Sources::Packages { entries, suite, .. }) =
            (&self.recipe.packages, &self.sources)
        else {
            return Ok(None);
        };
        let tar = self.cache.join(format!("{}-{tag}.tar", self.name));
        if !tar.exists() {
            build::from_packages(&self.recipe, packages, (entries, suite), &tar)?;
        }
        Ok(Some(tar))
    }

    /// The same tree with the workspace's products in it. Older images of the kind go.
    fn lay_over(&self, base: &str, stage: &Stage, reference: &str) -> Result<()> {
        let whole = tempfile::Builder::new()
            .suffix(".tar")
            .tempfile_in(&self.cache)?;
        if let Some(base) = self.base(base)? {
            fs::copy(base, whole.path())?;
        }
        stage.append_to(whole.path())?;
        self.engine
            .import(whole.path(), reference, &self.recipe.changes)?;
        self.engine.remove_older_images(self.recipe.repository())
    }

    fn build_folder(&self, reference: &str) -> Result<()> {
        build::from_dockerfile(&self.recipe, self.engine, reference, &self.cache)
    }
}

/// Two runs at once build each image once.
fn lock(path: &Path, name: &str) -> Result<File> {
    let file = File::create(path)?;
    let _step = Step::begin(format!("another run that builds the {name} image"));
    file.lock()?;
    Ok(file)
}

/// Whether this machine can build from packages at all.
fn has_apt() -> bool {
    find_program("apt-get").is_some()
}

/// A recipe that names what cannot be.
fn broken(recipe: &Path, why: impl std::fmt::Display) -> anyhow::Error {
    Failure::new(format!(
        "the image recipe {} is not usable",
        recipe.display()
    ))
    .because(why)
    .into()
}
