//! Keys in files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use session_recording::{PublicKey, SigningKey};

use crate::writing::{document, error};

/// A key, and the file of its public half.
pub(crate) fn key(folder: &Path, name: &str) -> (SigningKey, String) {
    let (private, public) = (folder.join(name), folder.join(format!("{name}.public")));
    let made = keygen(&private, &public);
    assert!(made.status.success(), "{made:?}");
    let key = SigningKey::from_file(&private).unwrap();
    (key, public.to_str().unwrap().to_owned())
}

fn keygen(private: &Path, public: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_session-recording"))
        .args(["keygen", "--to"])
        .arg(private)
        .arg("--public-to")
        .arg(public)
        .env_clear()
        .output()
        .unwrap()
}

#[test]
fn a_key_is_made_once_for_its_owner_only_and_names_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let (private, public) = (path("private"), path("public"));
    let (code, made) = document(&keygen(&private, &public));
    let key = SigningKey::from_file(&private).unwrap();
    let verifies = PublicKey::from_file(&public).unwrap();
    assert_eq!(key.id(), verifies.id());
    let expected = json!({
        "schema": "session-recording/keygen.v1",
        "data": { "key_id": key.id().to_string(), "to": private, "public_to": public },
    });
    assert_eq!((code, made), (Some(0), expected));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&private), mode(&public)), (0o600, 0o644));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let (code, again) = error(&keygen(&private, &path("other")));
    assert_eq!((code, &again["field"]), (Some(2), &json!("to")), "{again}");
    assert!(!path("other").exists(), "half a pair is of no use");
    let (code, again) = error(&keygen(&path("second"), &public));
    let field = &again["field"];
    assert_eq!((code, field), (Some(2), &json!("public-to")), "{again}");
    assert!(!path("second").exists(), "half a pair is of no use");
    assert_eq!(SigningKey::from_file(&private).unwrap().id(), key.id());
}

#[test]
fn a_key_that_others_may_read_is_not_used_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = key(folder.path(), "key");
    let path = folder.path().join("key");
    let secret = fs::read_to_string(&path).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    assert!(!format!("{key:?}").contains(secret));
    for mode in [0o604, 0o644, 0o660, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refused = SigningKey::from_file(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        assert!(refused.contains(&format!("{mode:o}")), "{refused}");
    }
}

#[test]
fn a_group_may_read_a_key_that_root_owns_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    key(folder.path(), "key");
    let path = folder.path().join("key");
    let read = |mode| {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        SigningKey::from_file(&path)
    };
    // Only root can say whose a file is.
    if fs::metadata(&path).unwrap().uid() == 0 {
        read(0o440).unwrap();
        read(0o640).unwrap();
        chown(&path, Some(65_534), None).unwrap();
    }
    for mode in [0o440, 0o640] {
        assert!(read(mode).unwrap_err().to_string().contains("chmod 600"));
    }
    read(0o400).unwrap();
}

#[test]
fn a_key_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&pipe)
        .status();
    assert!(made.unwrap().success());
    let refused = SigningKey::from_file(&pipe).unwrap_err().to_string();
    assert!(refused.contains("keygen"), "{refused}");
}

#[test]
fn a_file_that_holds_no_such_key_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (_, public) = key(folder.path(), "key");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    };
    let signs = |path: PathBuf| SigningKey::from_file(&path).unwrap_err().to_string();
    let verifies = |path: PathBuf| PublicKey::from_file(&path).unwrap_err().to_string();
    let gone = signs(folder.path().join("gone"));
    assert!(
        gone.contains("gone") && gone.contains("No such file"),
        "{gone}"
    );
    let public = fs::read_to_string(public).unwrap();
    for other in [
        write("public", &public),
        write("empty", ""),
        write("bytes", "\u{0}"),
    ] {
        let refused = signs(other);
        assert!(refused.contains("keygen"), "{refused}");
    }
    assert!(verifies(folder.path().join("key")).contains("give the public one"));
    assert!(
        verifies(write(
            "rsa",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
        ))
        .contains("Ed25519")
    );
}
