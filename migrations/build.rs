//! Rebuilds the embedded migrator when a file is added.
fn main() {
    println!("cargo:rerun-if-changed=.");
}
