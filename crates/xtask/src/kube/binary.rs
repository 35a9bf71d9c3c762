//! The one binary of the cluster, built from Go modules once for each state of its sources.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;
use crate::packages::{self, Need, find_program};
use crate::shell::{self, Step};
use crate::workspace::{Workspace, require_space};

/// The small C program in every pod comes with the binary.
const NEEDS: &[Need] = &[
    Need {
        program: "gcc",
        package: "gcc",
    },
    Need {
        program: "/usr/include/stdlib.h",
        package: "libc6-dev",
    },
];
/// Modules, Go's build cache and the binary, when nothing is there yet: seen 4.2 GiB.
const SPACE_MIB: u64 = 5120;
/// What the `go` line of `go.mod` asks for.
const GO: (u32, u32) = (1, 26);
/// A checkout of yesterday may still run its own.
const KEPT: usize = 2;

/// The binary, and `pause` beside it.
#[derive(Debug, Clone)]
pub(crate) struct Binary(PathBuf);

impl Binary {
    /// Builds what is not built yet. Two runs at once build it once.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self> {
        let sources = sources(workspace);
        let cache = workspace.cache.join("cluster");
        let folder = cache.join(fingerprint(&sources)?);
        let binary = Self(folder.join("cluster"));
        if binary.0.is_file() {
            return Ok(binary);
        }
        if let Some(obstacle) = obstacle(workspace) {
            return Err(obstacle.into());
        }
        packages::ensure("building a cluster", NEEDS)?;
        fs::create_dir_all(&cache)
            .with_context(|| format!("could not make the cache folder {}", cache.display()))?;
        let lock = File::create(cache.join("lock"))?;
        {
            let _step = Step::begin("another run that builds the cluster's binary");
            lock.lock()?;
        }
        if !binary.0.is_file() {
            build(&sources, &folder)?;
            remove_older(&cache);
        }
        Ok(binary)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Why a cluster's binary is neither there nor can be built, if so.
pub(crate) fn obstacle(workspace: &Workspace) -> Option<Failure> {
    let sources = sources(workspace);
    let built = fingerprint(&sources).map(|it| workspace.cache.join("cluster").join(it));
    if built.is_ok_and(|folder| folder.join("cluster").is_file()) {
        return None;
    }
    let wanted = format!("Go {}.{} or newer", GO.0, GO.1);
    let lacking = |why: String| {
        Failure::new(format!("a cluster of our own is built with {wanted}"))
            .because(why)
            .mend(format!("install {wanted} and have `go` on the PATH"))
    };
    if find_program("go").is_none() {
        return Some(lacking("there is no `go` on the PATH".to_owned()));
    }
    // Asked in the folder, where a Go that fetches other releases of itself already counts as one.
    let asked = shell::run_quietly(
        Command::new("go")
            .current_dir(&sources)
            .args(["env", "GOVERSION"]),
    );
    match asked {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (version(&told) < Some(GO)).then(|| lacking(format!("this one is {told}")))
        }
        Err(error) => Some(lacking(Failure::reason_of(&error))),
    }
}

fn sources(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/cluster")
}

/// `go1.26.8` as numbers.
fn version(told: &str) -> Option<(u32, u32)> {
    let mut numbers = told.strip_prefix("go")?.split(['.', '-', ' ', 'r', 'b']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A hash of everything that shapes the binary; the flags stand in the build script.
fn fingerprint(sources: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = ["build", "go.mod", "go.sum", "pause.c"]
        .map(|name| sources.join(name))
        .into();
    for folder in [sources.to_owned(), sources.join("netpol")] {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".go") && !name.ends_with("_test.go") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(std::env::consts::ARCH);
    for file in files {
        let content =
            fs::read(&file).with_context(|| format!("could not read {}", file.display()))?;
        let name = file.strip_prefix(sources).unwrap_or(&file);
        hash.update(format!("{}\0{}\0", name.display(), content.len()));
        hash.update(content);
    }
    Ok(hex::encode(&hash.finalize()[..6]))
}

fn build(sources: &Path, folder: &Path) -> Result<()> {
    require_space(folder, SPACE_MIB, "building Kubernetes")?;
    shell::say(
        "  building Kubernetes from its sources, once: 10 to 15 minutes on two processors, \
         half a minute where Go's build cache has it",
    );
    let step = Step::begin("Kubernetes to be built");
    let unfinished = folder.with_extension("part");
    shell::run_quietly(Command::new(sources.join("build")).arg(&unfinished))?;
    fs::rename(&unfinished, folder)?;
    step.done_in("Kubernetes built");
    Ok(())
}

/// Removes all but the newest; each has 150 MB.
fn remove_older(cache: &Path) {
    let built = fs::read_dir(cache).into_iter().flatten().flatten();
    let mut folders: Vec<_> = built
        .filter_map(|entry| {
            let data = entry.metadata().ok()?;
            data.is_dir()
                .then_some((data.modified().ok()?, entry.path()))
        })
        .collect();
    folders.sort();
    let older = folders.len().saturating_sub(KEPT);
    for (_, folder) in folders.drain(..older) {
        fs::remove_dir_all(folder).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_told_apart() {
        assert_eq!(version("go1.26.8"), Some((1, 26)));
        assert_eq!(version("go1.27rc1"), Some((1, 27)));
        assert!(version("go1.21") < Some(GO));
        assert!(version("devel") < Some(GO));
    }

    #[test]
    fn the_go_that_is_asked_for_is_the_module_s() {
        let module = include_str!("../../../../tests/cluster/go.mod");
        assert!(module.contains(&format!("\ngo {}.{}.", GO.0, GO.1)));
    }

    #[test]
    fn another_flag_or_source_is_another_binary_and_a_test_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            fs::write(folder.path().join(name), content).unwrap();
            folder.path().join("go.sum").is_file()
        };
        fs::create_dir(folder.path().join("netpol")).unwrap();
        for name in ["build", "go.mod", "go.sum", "pause.c", "main.go"] {
            file(name, "1");
        }
        let first = fingerprint(folder.path()).unwrap();
        file("netpol/table_test.go", "1");
        assert_eq!(fingerprint(folder.path()).unwrap(), first);
        file("netpol/table.go", "1");
        let second = fingerprint(folder.path()).unwrap();
        file("build", "2");
        let third = fingerprint(folder.path()).unwrap();
        assert!(first != second && second != third);
    }

    #[test]
    fn only_the_newest_binaries_are_kept() {
        let cache = tempfile::tempdir().unwrap();
        let now = std::time::SystemTime::now();
        for age in 1_u64..=4 {
            let folder = cache.path().join(age.to_string());
            fs::create_dir(&folder).unwrap();
            let made = now - std::time::Duration::from_mins(age);
            File::open(&folder).unwrap().set_modified(made).unwrap();
        }
        remove_older(cache.path());
        assert!(cache.path().join("1").exists() && cache.path().join("2").exists());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), KEPT);
    }
}
