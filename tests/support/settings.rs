//! What `cargo xtask test` passes on: where the parts are.

use std::path::PathBuf;

/// Reads a variable of the runner.
///
/// Nothing here is skipped and nothing is imitated, so without the parts these tests fail.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no command line; the runner passes variables"
)]
pub fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; run this suite with `cargo xtask test`"))
}

/// Returns the path of one of the workspace's binaries.
pub fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(setting("CARREL_BIN_DIR")).join(name);
    assert!(
        path.is_file(),
        "{} is not built; run `cargo xtask test`",
        path.display()
    );
    path
}

/// Returns a path in the checkout.
pub fn checkout(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}
