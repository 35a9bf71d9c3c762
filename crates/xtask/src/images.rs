//! Container images without any image registry: from the machine's own packages where it has
//! `apt`, else from the Dockerfile beside each recipe.

mod build;
mod recipe;

use std::fs::File;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cli::Settings;
use crate::engine::{Client, Engine};
use crate::failure::Failure;
use crate::packages::find_program;
use crate::shell::{self, Step};
use crate::workspace::Workspace;

use self::build::Sources;
use self::recipe::Recipe;

/// The sample exam's image.
pub(crate) const EXAM: &str = "linux-fundamentals";
/// The database's image.
pub(crate) const POSTGRES: &str = "postgres";

/// Which images to build.
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Names of folders under `deploy/images/`; all of them where none is named.
    names: Vec<String>,
}

/// `cargo xtask images`.
pub(crate) fn run(
    workspace: &Workspace,
    settings: &Settings,
    args: &ImagesArgs,
) -> Result<ExitCode> {
    let names: Vec<&str> = if args.names.is_empty() {
        vec![EXAM, POSTGRES]
    } else {
        args.names.iter().map(String::as_str).collect()
    };
    let engine = Engine::find_or_start(settings)?;
    shell::done("container engine", engine.description());
    for name in names {
        ensure(workspace, engine.client(), name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the engine has the image, and returns its reference.
///
/// The tag is a hash of everything that shapes the image, so an image that is there is right.
pub(crate) fn ensure(workspace: &Workspace, engine: &Client, name: &str) -> Result<String> {
    let recipe = Recipe::load(&workspace.root.join("deploy/images").join(name))?;
    let sources = Sources::of_this_machine()?;
    let reference = recipe.reference(&sources)?;
    let tag = reference.rsplit(':').next().unwrap_or_default().to_owned();
    let label = format!("{name} image");
    let folder = workspace.cache.join("images");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("could not make the cache folder {}", folder.display()))?;
    let _alone = lock(&folder.join(format!("{name}.lock")), name)?;

    if engine.has_image(&reference)? {
        shell::done(&label, &format!("there already ({tag})"));
        return Ok(reference);
    }
    let tar = folder.join(format!("{name}-{tag}.tar"));
    let step = Step::begin(format!("the {name} image to be built"));
    let how = match (&sources, tar.exists()) {
        (Sources::Dockerfile, _) => {
            build::from_dockerfile(&recipe, engine, &reference, &folder)?;
            "built from its Dockerfile"
        }
        (Sources::Packages { .. }, true) => "from the cache",
        (Sources::Packages { entries, suite }, false) => {
            build::from_packages(&recipe, entries, suite, &tar)?;
            "built from packages"
        }
    };
    if matches!(sources, Sources::Packages { .. }) {
        engine.import(&tar, &reference, &recipe.changes)?;
    }
    let seconds = step.elapsed().as_secs_f32();
    step.done(&label, &format!("{how} in {seconds:.1} s ({tag})"));
    Ok(reference)
}

/// Two runs at once build each image once.
fn lock(path: &std::path::Path, name: &str) -> Result<File> {
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
fn broken(recipe: &std::path::Path, why: impl std::fmt::Display) -> anyhow::Error {
    Failure::new(format!(
        "the image recipe {} is not usable",
        recipe.display()
    ))
    .because(why)
    .into()
}
