//! From the container engine into the cluster, without a registry between them.

use anyhow::Result;

use super::Bed;
use crate::engine::Client;
use crate::failure::Failure;
use crate::shell::Step;

/// Gives the cluster an image of the engine under the same name.
pub(crate) fn load(bed: &Bed, engine: &Client, name: &str) -> Result<()> {
    if !engine.has_image(name)? {
        return Err(
            Failure::new(format!("the container engine has no image {name}"))
                .mend(
                    "cargo xtask images, or name one that `podman images` or `docker images` lists",
                )
                .into(),
        );
    }
    let _step = Step::begin(format!("{name} to be copied into the cluster"));
    let archive = tempfile::NamedTempFile::new()?;
    engine.save(name, archive.path())?;
    bed.load_archive(name, archive.path())
}
