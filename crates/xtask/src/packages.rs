//! Programs of the machine that are not there yet: installed as root, else named exactly.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::failure::Failure;
use crate::shell::{self, Step};

/// A program and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Name on the PATH, or an absolute path.
    pub(crate) program: &'static str,
    /// Debian and Ubuntu package.
    pub(crate) package: &'static str,
}

/// Finds a program on the PATH, and where administrators' programs live.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Whether we may install and own things as the administrator.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes sure that every program is there. As root missing ones are installed; otherwise the step
/// ends with the exact command to run.
pub(crate) fn ensure(purpose: &str, needs: &[Need]) -> Result<()> {
    let missing = missing(needs, |program| find_program(program).is_some());
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if find_program("apt-get").is_none() {
        return Err(
            Failure::new(format!("{purpose} needs programs that are not installed"))
                .because(format!("missing, by their Debian names: {packages}"))
                .mend("install them with this machine's package manager")
                .into(),
        );
    }
    if !is_root() {
        return Err(
            Failure::new(format!("{purpose} needs programs that are not installed"))
                .because(format!("missing: {packages}"))
                .mend(format!(
                    "sudo apt-get install --yes --no-install-recommends {packages}"
                ))
                .into(),
        );
    }
    install(purpose, &missing)
}

fn missing(needs: &[Need], present: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<_> = needs
        .iter()
        .filter(|need| {
            if need.program.starts_with('/') {
                !Path::new(need.program).exists()
            } else {
                !present(need.program)
            }
        })
        .map(|need| need.package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn install(purpose: &str, packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let step = Step::begin(format!("installing {names} for {purpose}"));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
        apt
    };
    // A machine that never fetched the lists, or long ago, does not know where the packages are.
    let first = shell::run_quietly(apt().args(install_arguments(packages)));
    if first.is_err() {
        shell::run_quietly(apt().arg("update"))?;
        shell::run_quietly(apt().args(install_arguments(packages)))?;
    }
    step.done("packages", &format!("installed {names}"));
    Ok(())
}

fn install_arguments<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    [&["install", "--yes", "--no-install-recommends"], packages].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_named_and_once() {
        let needs = [
            Need {
                program: "runc",
                package: "runc",
            },
            Need {
                program: "newuidmap",
                package: "uidmap",
            },
            Need {
                program: "newgidmap",
                package: "uidmap",
            },
            Need {
                program: "/",
                package: "base",
            },
        ];
        assert_eq!(missing(&needs, |program| program == "runc"), ["uidmap"]);
    }
}
