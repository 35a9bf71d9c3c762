use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};

use crate::fixture::BINARY;

fn install(binary: &str, path: &std::path::Path) -> Output {
    Command::new(binary)
        .arg("install")
        .arg(path)
        .output()
        .unwrap()
}

#[test]
fn the_copy_runs_cannot_be_written_and_has_a_sealed_folder_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keeper");
    assert!(install(BINARY, &path).status.success());

    let permissions = |name: &str| fs::metadata(folder.path().join(name)).unwrap().mode() & 0o7777;
    assert_eq!(permissions("keeper"), 0o555);
    assert_eq!(permissions("sealed"), 0o700);
    assert_eq!(
        fs::read(folder.path().join("sealed/termination")).unwrap(),
        b""
    );
    let entries = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries, 2, "nothing unfinished is left");

    // The copy is whole: it installs itself over itself, as a repeated init container does.
    let again = install(path.to_str().unwrap(), &path);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(fs::read(&path).unwrap(), fs::read(BINARY).unwrap());
}

#[test]
fn a_place_that_is_not_there_is_named() {
    let output = install(BINARY, "/nonexistent/keeper".as_ref());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/keeper"));
}

#[test]
fn a_failure_is_told_in_one_write_and_so_stays_one_line_in_any_log() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let status = Command::new(BINARY)
        .args(["install", "/nonexistent/keeper"])
        .stderr(Stdio::from(OwnedFd::from(theirs)))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    let mut first = [0; 1024];
    let length = ours.recv(&mut first).unwrap();
    let first = std::str::from_utf8(&first[..length]).unwrap();
    assert!(
        first.starts_with("carrel-keeper: ") && first.ends_with('\n'),
        "{first:?}"
    );
}
