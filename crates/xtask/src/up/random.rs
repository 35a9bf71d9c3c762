//! Bytes that nobody can guess.

use std::fs;
use std::io::Read as _;

use anyhow::Result;

/// That many bytes from the kernel, as text.
pub(crate) fn random<const BYTES: usize>() -> Result<String> {
    let mut bytes = [0; BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}
