//! A cluster that runs and has what a command needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::bed::{Bed, Guard};
use super::binary::Binary;
use super::claim::Claim;
use super::engine_image;
use crate::engine::Engine;
use crate::shell;
use crate::stop::Stop;

/// A cluster that runs. Dropped, one that was started for this command ends.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The administrator's way in.
    pub(crate) kubeconfig: PathBuf,
    /// Its folder, if it is one of ours.
    pub(crate) folder: Option<PathBuf>,
    /// kubectl and helm.
    pub(crate) binary: Binary,
    // Ended before the claim is given back.
    guard: Option<Guard>,
    _claim: Option<Claim>,
}

impl Cluster {
    pub(super) fn of_our_own(
        bed: Bed,
        claim: Claim,
        engine: &Engine,
        images: &[&str],
        stop: &Stop,
    ) -> Result<Self> {
        let ours = !bed.runs()?;
        // Before the start: what a killed run had started by then must end too.
        let guard = ours.then(|| bed.guard()).transpose()?;
        bed.up(stop)?;
        for name in images {
            engine_image::load(&bed, engine.client(), name)?;
        }
        shell::done("images", "in the cluster");
        Ok(Self {
            kubeconfig: bed.kubeconfig(),
            folder: Some(bed.folder().to_owned()),
            binary: bed.into_binary(),
            guard,
            _claim: Some(claim),
        })
    }

    pub(super) fn given(kubeconfig: PathBuf, binary: Binary, images: &[&str]) -> Self {
        shell::done("cluster", &format!("of {}", kubeconfig.display()));
        shell::say("  its nodes must have these images, which no registry has:");
        for name in images {
            shell::say(&format!("    {name}"));
        }
        Self {
            kubeconfig,
            folder: None,
            binary,
            guard: None,
            _claim: None,
        }
    }

    /// Whether it was started for this command, so that nothing in it has to be removed.
    pub(crate) fn ends_with_us(&self) -> bool {
        self.guard.is_some()
    }

    /// kubectl or helm, as the administrator.
    pub(crate) fn client(&self, name: &str) -> Command {
        client(&self.binary, name, &self.kubeconfig)
    }
}

/// kubectl or helm on a cluster.
pub(super) fn client(binary: &Binary, name: &str, kubeconfig: &Path) -> Command {
    let mut client = Command::new(binary.path());
    client.arg(name).env("KUBECONFIG", kubeconfig);
    client
}
