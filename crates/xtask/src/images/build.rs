//! Turning a recipe into a root file system.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use super::recipe::Recipe;
use crate::engine::Client;
use crate::packages::Need;
use crate::shell;
use crate::workspace::{require_space, tracked_files};

const NEEDS: &[Need] = &[
    Need {
        program: "mmdebstrap",
        package: "mmdebstrap",
    },
    Need {
        program: "/usr/share/keyrings/debian-archive-keyring.gpg",
        package: "debian-archive-keyring",
    },
];
/// An ordinary user builds inside a user namespace.
const ROOTLESS_NEEDS: &[Need] = &[Need {
    program: "newuidmap",
    package: "uidmap",
}];

/// The unpacked tree and its tar; the larger image takes 0.5 GiB in all.
const SPACE_MIB: u64 = 1024;

/// What nobody reads in a container.
const LEFT_OUT: [&str; 4] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
];

/// Unpacks the packages and the recipe's own files into a tar.
pub(crate) fn from_packages(
    recipe: &Recipe,
    packages: &[String],
    (entries, suite): (&[String], &str),
    tar: &Path,
) -> Result<()> {
    crate::packages::ensure("building images", NEEDS)?;
    if !crate::packages::is_root() {
        crate::packages::ensure("building images as an ordinary user", ROOTLESS_NEEDS)?;
    }
    require_space(tar, SPACE_MIB, "building an image")?;
    let unfinished = tar.with_extension("tar.part");
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--variant=essential", "--format=tar"])
        .arg("--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr")
        .arg(format!("--include={}", packages.join(",")))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg("--aptopt=Acquire::Languages \"none\"")
        // The tree is thrown away if the machine dies, so nothing in it needs to be on disk early.
        .arg("--dpkgopt=force-unsafe-io")
        .arg("--dpkgopt=force-confold")
        .args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")))
        .args(hooks(recipe)?)
        .arg(suite)
        .arg(&unfinished)
        .args(entries);
    shell::run_quietly(&mut command).inspect_err(|_| {
        fs::remove_file(&unfinished).ok();
    })?;
    fs::rename(&unfinished, tar)?;
    remove_older(tar);
    Ok(())
}

fn hooks(recipe: &Recipe) -> Result<Vec<String>> {
    let mut hooks = Vec::new();
    if recipe.folder.join("rootfs").is_dir() {
        hooks.push(format!("--essential-hook={}", lay_over(recipe)?));
        hooks.push(format!("--customize-hook={}", lay_over(recipe)?));
    }
    hooks.push(format!("--customize-hook={}", set_up(recipe)?));
    Ok(hooks)
}

/// Before the packages, so that their scripts find our settings; after them, so that ours stay.
fn lay_over(recipe: &Recipe) -> Result<String> {
    let rootfs = shell_word(&recipe.folder.join("rootfs"))?;
    Ok(format!(r#"cp -r --preserve=mode {rootfs}/. "$1/""#))
}

fn set_up(recipe: &Recipe) -> Result<String> {
    let script = shell_word(&recipe.folder.join("setup.sh"))?;
    Ok(format!(r#"chroot "$1" /bin/sh -s < {script}"#))
}

fn shell_word(path: &Path) -> Result<String> {
    let path = path.to_str().context("the checkout's path is not UTF-8")?;
    Ok(format!("'{}'", path.replace('\'', r"'\''")))
}

/// Only the newest tar of an image is of use.
fn remove_older(tar: &Path) {
    let (Some(folder), Some(name)) = (tar.parent(), tar.file_name().and_then(|it| it.to_str()))
    else {
        return;
    };
    let prefix = name.rsplit_once('-').map_or(name, |(prefix, _)| prefix);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let other = entry.file_name();
        let Some((other_prefix, _)) = other.to_str().and_then(|it| it.rsplit_once('-')) else {
            continue;
        };
        if other_prefix == prefix && other != *name {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// Lets the engine build and pull, where there are no packages to build from.
pub(crate) fn from_dockerfile(
    recipe: &Recipe,
    engine: &Client,
    reference: &str,
    cache: &Path,
) -> Result<()> {
    let context = tempfile::Builder::new().suffix(".tar").tempfile_in(cache)?;
    shell::run_quietly(
        Command::new("tar")
            .arg("-C")
            .arg(&recipe.folder)
            .arg("-cf")
            .arg(context.path())
            .arg("."),
    )?;
    engine.build(context.path(), reference)
}

/// The checkout's own files as a build's context, with the recipe's Dockerfile where a build looks
/// for it.
pub(crate) fn checkout(root: &Path, recipe: &Recipe, cache: &Path) -> Result<NamedTempFile> {
    let context = tempfile::Builder::new().suffix(".tar").tempfile_in(cache)?;
    let names = NamedTempFile::new_in(cache)?;
    let files = tracked_files(root, &["."])?;
    let mut list = Vec::new();
    for file in &files {
        let name = file
            .strip_prefix(root)
            .context("a file outside the checkout")?;
        list.extend_from_slice(name.as_os_str().as_encoded_bytes());
        list.push(0);
    }
    fs::write(names.path(), list)?;
    let steady = ["--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(root).args(steady).arg("-cf");
    tar.arg(context.path())
        .args(["--null", "--verbatim-files-from"]);
    shell::run_quietly(tar.arg("--files-from").arg(names.path()))?;
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&recipe.folder).args(steady).arg("-rf");
    shell::run_quietly(tar.arg(context.path()).arg("Dockerfile"))?;
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_image_replaces_the_older_tar_only() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "postgres-aaa.tar",
            "postgres-bbb.tar",
            "linux-fundamentals-ccc.tar",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_older(&folder.path().join("postgres-bbb.tar"));
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["linux-fundamentals-ccc.tar", "postgres-bbb.tar"]);
    }
}
