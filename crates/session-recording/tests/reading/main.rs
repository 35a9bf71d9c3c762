//! What was recorded, listed, verified and exported, by the command line and the library.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod command_line;
mod export;
mod keys;
mod manifests;
mod signatures;
#[path = "../recorder/support.rs"]
#[expect(dead_code, reason = "shared with the tests of the recorder")]
mod support;
mod tampering;
mod writing;
