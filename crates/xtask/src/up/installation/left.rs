//! What a run has in a cluster, on disk, so that the next one can remove what a killed one left.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::write_private;
use crate::failure::Failure;
use crate::shell;

/// Namespaces take the controller about ten seconds.
const GONE_LIMIT: &str = "--timeout=90s";
/// How kubectl says that a cluster is too old for admission policies.
const NO_SUCH_KIND: &str = "doesn't have a resource type";

/// Whether a removal is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing is left when it returns.
    UntilGone,
    /// The cluster goes on by itself.
    Accepted,
}

/// The namespaces of a run and the way to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Holds the accounts; the environments' is named after it. No two runs have the same.
    pub(super) release: String,
    kubeconfig: PathBuf,
    record: PathBuf,
}

impl Left {
    /// Writes down what is about to be made.
    pub(super) fn remember(release: String, kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let left = Self {
            release,
            kubeconfig: kubeconfig.to_owned(),
            record: folder.join("namespaces"),
        };
        let text = format!("{}\n{}\n", left.release, left.kubeconfig.display());
        write_private(&left.record, &text)?;
        Ok(left)
    }

    /// Removes what a killed run left in its cluster, without waiting: nothing has its name again.
    pub(super) fn clear(binary: &Path, folder: &Path) {
        if let Some(left) = Self::read(folder) {
            left.remove(binary, Pace::Accepted);
        }
    }

    fn read(folder: &Path) -> Option<Self> {
        let record = folder.join("namespaces");
        let text = fs::read_to_string(&record).ok()?;
        let (release, kubeconfig) = text.trim_end().split_once('\n')?;
        release.starts_with("carrel-up-").then(|| Self {
            release: release.to_owned(),
            kubeconfig: kubeconfig.into(),
            record,
        })
    }

    /// The namespace of the environments.
    pub(super) fn environments(&self) -> String {
        format!("{}-exams", self.release)
    }

    /// Removes it all, or says what is left and how to remove that.
    pub(super) fn remove(&self, binary: &Path, pace: Pace) {
        let namespaces = [self.release.clone(), self.environments()];
        let policy = [format!("{}.carrel.exec-only-keeper", self.release)];
        let policies = "validatingadmissionpolicies,validatingadmissionpolicybindings";
        let removed = self
            .delete(binary, "namespaces", &namespaces, pace)
            .and(self.delete(binary, policies, &policy, Pace::Accepted));
        match removed {
            Ok(()) => self.forget(),
            Err(error) => {
                let why = Failure::reason_of(&error);
                shell::say(&format!(
                    "  ✗ an earlier or this run's namespaces are left: {why}"
                ));
                let file = self.kubeconfig.display();
                let names = namespaces.join(" ");
                shell::say(&format!(
                    "    kubectl --kubeconfig {file} delete namespace {names}"
                ));
            }
        }
    }

    /// Nothing of it is there any more.
    pub(super) fn forget(&self) {
        fs::remove_file(&self.record).ok();
    }

    fn delete(&self, binary: &Path, kinds: &str, names: &[String], pace: Pace) -> Result<()> {
        let mut kubectl = Command::new(binary);
        kubectl
            .args(["kubectl", "delete", kinds, "--ignore-not-found"])
            .args(names)
            .env("KUBECONFIG", &self.kubeconfig)
            // A second Ctrl-C must not leave half of it.
            .process_group(0);
        match pace {
            Pace::UntilGone => kubectl.arg(GONE_LIMIT),
            Pace::Accepted => kubectl.args(["--wait=false", "--request-timeout=10s"]),
        };
        match shell::run_quietly(&mut kubectl) {
            Err(error) if !Failure::reason_of(&error).contains(NO_SUCH_KIND) => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_found_by_the_next_run_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = Path::new("/somewhere/config:/else/config");
        let release = "carrel-up-0a1b2c3d-4e5f".to_owned();
        let left = Left::remember(release, kubeconfig, folder.path()).unwrap();
        assert_eq!(left.environments(), "carrel-up-0a1b2c3d-4e5f-exams");
        assert_eq!(Left::read(folder.path()).as_ref(), Some(&left));
        left.forget();
        assert_eq!(Left::read(folder.path()), None);
    }

    #[test]
    fn a_damaged_record_names_nothing_that_would_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "carrel-up-0a1b", "default\n/somewhere/config\n"] {
            fs::write(folder.path().join("namespaces"), text).unwrap();
            assert_eq!(Left::read(folder.path()), None, "{text:?}");
        }
    }

    #[test]
    fn what_could_not_be_removed_is_remembered_still() {
        let folder = tempfile::tempdir().unwrap();
        let release = "carrel-up-0a1b2c3d-4e5f".to_owned();
        let left = Left::remember(release, Path::new("/none"), folder.path()).unwrap();
        left.remove(Path::new("/bin/false"), Pace::Accepted);
        assert_eq!(Left::read(folder.path()), Some(left));
    }
}
