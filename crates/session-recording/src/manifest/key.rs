//! Keys: one signs, and anybody verifies with the other.

use std::fmt::{self, Debug, Display};
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
    KeypairBytes,
};
use ed25519_dalek::{Signer as _, VerifyingKey};
use rustix::fs::OFlags;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::Signature;

/// A key takes some 120 bytes.
const MOST_BYTES: usize = 16 * 1024;

/// Names a key: SHA-256 of its public half (its `SubjectPublicKeyInfo`, DER), as
/// `openssl pkey -pubin -outform DER | sha256sum` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 32]);

impl Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a key file is of no use.
#[derive(Debug, thiserror::Error)]
#[error("use the key in {}: {problem}", path.display())]
pub struct KeyFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub problem: KeyProblem,
}

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// It cannot be read.
    #[error("{0}; name a file that this user may read")]
    Unreadable(io::Error),
    /// Others could sign, too.
    #[error(
        "its mode is {0:03o}; nobody but its owner may read it (chmod 600), or root's and a group (chmod 440)"
    )]
    Exposed(u32),
    /// It holds something else.
    #[error("it is no Ed25519 private key in PKCS#8 PEM; make one with `carrel recordings keygen`")]
    NotPrivate,
    /// It holds something else.
    #[error("it is no Ed25519 public key in PEM, as `carrel recordings keygen` writes it")]
    NotPublic,
    /// It holds the half that signs.
    #[error("it is a private key; give the public one")]
    Private,
}

/// Signs manifests. Neither logged nor shown: [`Debug`] tells its id.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    id: KeyId,
}

impl Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = format_args!("{}", self.id);
        f.debug_struct("SigningKey")
            .field("id", &id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a private key, PKCS#8 in PEM, that nobody else may read.
    ///
    /// # Errors
    /// [`KeyFileError`] says what is wrong with the file.
    pub fn from_file(path: &Path) -> Result<Self, KeyFileError> {
        read_private(path).map_err(|problem| KeyFileError {
            path: path.to_owned(),
            problem,
        })
    }

    fn new(key: ed25519_dalek::SigningKey) -> Self {
        let id = key_id(&key.verifying_key());
        Self { key, id }
    }

    /// A new one, which is nowhere else.
    #[cfg(test)]
    pub(crate) fn generate() -> Self {
        Self::new(ed25519_dalek::SigningKey::from_bytes(&rand::random()))
    }

    /// Names it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn sign(&self, text: &[u8]) -> Signature {
        self.key.sign(text).to_bytes()
    }
}

fn read_private(path: &Path) -> Result<SigningKey, KeyProblem> {
    // A pipe is not waited for.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(KeyProblem::Unreadable)?;
    let metadata = file.metadata().map_err(KeyProblem::Unreadable)?;
    if !metadata.is_file() {
        return Err(KeyProblem::NotPrivate);
    }
    // As for a server's TLS key: where root owns it, as in a Secret that is mounted, a group may read it.
    let shared = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & shared != 0 {
        return Err(KeyProblem::Exposed(metadata.mode() & 0o777));
    }
    // Overwritten when it goes; as long as it may become, so that it is not copied as it grows.
    let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES));
    let read = file.take(MOST_BYTES as u64).read_to_string(&mut text);
    read.map_err(KeyProblem::Unreadable)?;
    ed25519_dalek::SigningKey::from_pkcs8_pem(&text)
        .map(SigningKey::new)
        .map_err(|_| KeyProblem::NotPrivate)
}

/// Verifies manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    /// Reads a public key in PEM.
    ///
    /// # Errors
    /// [`KeyFileError`] says what is wrong with the file.
    pub fn from_file(path: &Path) -> Result<Self, KeyFileError> {
        read_public(path).map_err(|problem| KeyFileError {
            path: path.to_owned(),
            problem,
        })
    }

    /// Names it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Strictly: one signature for a text and a key, and no weak key.
    pub(super) fn verifies(&self, text: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key.verify_strict(text, &signature).is_ok()
    }
}

fn read_public(path: &Path) -> Result<PublicKey, KeyProblem> {
    let text = fs::read_to_string(path).map_err(KeyProblem::Unreadable)?;
    if text.contains("PRIVATE KEY") {
        return Err(KeyProblem::Private);
    }
    let key = VerifyingKey::from_public_key_pem(&text).map_err(|_| KeyProblem::NotPublic)?;
    let id = key_id(&key);
    Ok(PublicKey { key, id })
}

fn key_id(key: &VerifyingKey) -> KeyId {
    // What comes before the key in a `SubjectPublicKeyInfo` is the same for all Ed25519 keys.
    const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    let hash = Sha256::new_with_prefix(PREFIX).chain_update(key.as_bytes());
    KeyId(hash.finalize().into())
}

/// A new key, both halves in PEM.
#[derive(Debug)]
pub struct KeyPair {
    /// Names it.
    pub id: KeyId,
    /// The half that signs.
    pub private_pem: SecretString,
    /// The half that verifies.
    pub public_pem: String,
}

impl KeyPair {
    /// Makes one, from the system's randomness.
    ///
    /// # Errors
    /// Errors of the encoder, which is out of memory.
    pub fn generate() -> Result<Self, ed25519_dalek::pkcs8::Error> {
        let seed = Zeroizing::new(rand::random::<[u8; 32]>());
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        // The first version of the format, which every tool reads.
        let bytes = KeypairBytes {
            secret_key: key.to_bytes(),
            public_key: None,
        };
        let private_pem = bytes.to_pkcs8_pem(LineEnding::LF)?;
        let public = key.verifying_key();
        let public_pem = public.to_public_key_pem(LineEnding::LF);
        Ok(Self {
            id: key_id(&public),
            private_pem: SecretString::from(private_pem.as_str()),
            public_pem: public_pem.map_err(ed25519_dalek::pkcs8::Error::from)?,
        })
    }
}
