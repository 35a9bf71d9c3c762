//! The right to start and end the cluster in a folder, which one command has at a time.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::failure::Failure;

/// The right itself. The kernel takes it back from a command that was killed.
#[derive(Debug)]
pub(crate) struct Claim(File);

impl Claim {
    /// Takes it, or says who has it.
    pub(crate) fn take(folder: &Path, who: &str) -> Result<Self> {
        let mut file = open(folder).map_err(|error| {
            Failure::new(format!("could not use the folder {}", folder.display()))
                .because(error)
                .mend("run it as root: a cluster needs that anyway")
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&mut file, folder)),
            Err(TryLockError::Error(error)) => {
                return Err(error).context("could not lock the cluster's folder");
            }
        }
        file.set_len(0)?;
        write!(file, "process {}: {who}", std::process::id())?;
        Ok(Self(file))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.set_len(0).ok();
    }
}

fn open(folder: &Path) -> std::io::Result<File> {
    fs::create_dir_all(folder)?;
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(folder.join("lock"))
}

fn taken(file: &mut File, folder: &Path) -> anyhow::Error {
    let mut who = String::new();
    file.read_to_string(&mut who).ok();
    Failure::new(format!("the cluster in {} is in use", folder.display()))
        .because(who)
        .mend("wait until that has ended")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_command_is_told_who_has_the_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let first = Claim::take(folder.path(), "cargo xtask test").unwrap();
        let error = Claim::take(folder.path(), "cargo xtask kube down").unwrap_err();
        let why = error.downcast_ref::<Failure>().unwrap().why().unwrap();
        assert!(why.ends_with("cargo xtask test"), "{why}");
        drop(first);
        Claim::take(folder.path(), "cargo xtask kube down").unwrap();
    }
}
